use super::*;

fn draw(state: &mut u32) -> i32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 16) as i32
}

/// Blocks that are as awkward as may be.
fn blocks(frames: usize) -> Vec<Vec<i16>> {
    let mut state = 7;
    let noise: Vec<i16> = (0..2 * frames).map(|_| draw(&mut state) as u16 as i16).collect();
    let loud: Vec<i16> = (0..2 * frames).map(|n| if n / 9 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    let tone = |n: usize| {
        9_000.0 * (n as f64 * 0.11).sin() + f64::from(draw(&mut 3_u32.wrapping_add(n as u32)) % 50)
    };
    let tone: Vec<i16> = (0..frames).flat_map(|n| [tone(n) as i16, (tone(n + 3) / 2.0) as i16]).collect();
    let once: Vec<i16> = (0..2 * frames).map(|n| if n == frames { -3 } else { 0 }).collect();
    vec![noise, loud, tone, once, vec![0; 2 * frames], vec![i16::MIN; 2 * frames]]
}

#[test]
fn every_sample_comes_back() {
    for frames in [1, 2, 7, 120, 240, 1_024] {
        let (mut encoder, mut decoder) = (Encoder::new(frames), Decoder::new(frames));
        for (which, block) in blocks(frames).iter().enumerate() {
            let (mut packet, mut heard) = (Vec::new(), vec![1; 2 * frames]);
            encoder.encode(block, usize::MAX, &mut packet);
            decoder.decode(&packet, &mut heard).unwrap();
            assert!(*block == heard, "{frames} frames, block {which}");
            println!("{frames} frames, block {which}: {} bytes", packet.len());
            assert!(packet.len() <= 4 * frames + 4 * frames / 16 + 40, "{}", packet.len());
        }
    }
}

#[test]
fn a_budget_costs_the_lowest_bits_and_no_more() {
    let (mut encoder, mut decoder) = (Encoder::new(240), Decoder::new(240));
    for block in blocks(240) {
        let mut whole = Vec::new();
        encoder.encode(&block, usize::MAX, &mut whole);
        for budget in [600, 300] {
            let (mut packet, mut heard) = (Vec::new(), vec![0; 480]);
            encoder.encode(&block, budget, &mut packet);
            assert!(packet.len() <= budget);
            decoder.decode(&packet, &mut heard).unwrap();
            let worst = block.iter().zip(&heard).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).max();
            assert!(worst <= Some(1 << 11), "{worst:?}");
        }
    }
}

#[test]
fn garbage_sounds_like_something() {
    let mut decoder = Decoder::new(120);
    let (mut state, mut out) = (5, vec![0; 240]);
    for length in 0..300 {
        let packet: Vec<u8> = (0..length).map(|_| draw(&mut state) as u8).collect();
        let _ = decoder.decode(&packet, &mut out);
    }
}

/// What a packet says, found with other means (by the codec's own hand, and with its coder): the predictor as a lattice, in 128 bits.
#[test]
fn packets_are_what_their_description_says() {
    let frames = 240;
    let block = &blocks(frames)[2];
    let mut packet = Vec::new();
    Encoder::new(frames).encode(block, usize::MAX, &mut packet);
    let mut coder = Unsaid::new(&packet);
    assert!(!coder.code(false, 1 << 11));
    assert_eq!(coder.raw(0, 4), 0);
    let pair = PAIRS[coder.raw(0, 2) as usize];
    let mut spectrum = Spectrum::new();
    let mut signals = vec![vec![0_i64; frames]; 2];
    let mut residues = vec![vec![0_i32; frames]; 2];
    for (channel, signal) in signals.iter_mut().enumerate() {
        let mut told = Told::NOTHING;
        told.code(&mut coder);
        let (before, mine) = residues.split_at_mut(channel);
        let other = before.first().map(|other| &other[..]);
        spectrum.code_series(&mut coder, &mut mine[0], told.begin(), other);
        // the learner, as a table of weights over named inputs
        let mut weights = [0_i64; 32];
        let mut lefts = vec![0_i64; 16];
        for n in 0..frames {
            let beside = |i: usize| match other {
                Some(other) => {
                    (n + i).checked_sub(8).and_then(|at| other.get(at)).map_or(0, |x| i64::from(*x))
                }
                None => 0,
            };
            let inputs: Vec<i64> =
                (0..32).map(|i| if i < 16 { lefts[lefts.len() - 1 - i] } else { beside(i - 16) }).collect();
            let sum: i64 = weights.iter().zip(&inputs).map(|(w, x)| w * x).sum();
            let more = if told.learns { (sum + (1 << 19)).div_euclid(1 << 20) } else { 0 };
            let left = i64::from(mine[0][n]) + more;
            let gain = ((left - more) << 24) / (inputs.iter().map(|x| x * x).sum::<i64>() + 64);
            weights.iter_mut().zip(&inputs).for_each(|(w, x)| *w += (gain * x).div_euclid(1 << 11));
            lefts.push(left);
            // the predictor of the order that there are samples for, by the step-up rule written out
            let order = told.order.min(n);
            let mut a: Vec<i128> = Vec::new();
            for m in 0..order {
                let levels = [128, 64, 32][usize::from(m >= 2) + usize::from(m >= 8)];
                let code = i128::from(told.reflections[m]);
                let short = levels - code.abs();
                let size = (1 << 20) - ((short * short) << 20) / (levels * levels);
                let k = if code < 0 { -size } else { size };
                let turned: Vec<i128> = (0..m).map(|i| a[i] + ((a[m - 1 - i] * k) >> 20)).collect();
                a = turned;
                a.push(k);
            }
            let sum: i128 = (0..order).map(|i| a[i] * i128::from(signal[n - 1 - i])).sum();
            signal[n] = left + ((-sum + (1 << 19)) >> 20) as i64;
        }
    }
    for n in 0..frames {
        let [a, b] = [signals[0][n], signals[1][n]];
        let truth = [i64::from(block[2 * n]), i64::from(block[2 * n + 1])];
        let ours = match pair {
            [0, 1] => [a, b],
            [0, 3] => [a, a - b],
            [3, 1] => [a + b, b],
            _ => [(2 * a + (b & 1) + b) / 2, (2 * a + (b & 1) + b) / 2 - b],
        };
        assert_eq!(ours, truth, "frame {n}");
    }
}
