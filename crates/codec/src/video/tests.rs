use super::y4m::Reader;
use super::*;

fn pair(width: usize, height: usize) -> (Encoder, Decoder) {
    (Encoder::new(width, height).unwrap(), Decoder::new(width, height).unwrap())
}

#[test]
fn a_decoder_sees_what_the_encoder_saw_at_any_size_and_step() {
    for (width, height) in [(64, 48), (50, 38), (16, 16), (2, 2)] {
        let (mut encoder, mut decoder) = pair(width, height);
        let scene = Scene::new(width, height, 1);
        for (number, code) in [51, 30, 20, 4, 0, 33].into_iter().enumerate() {
            let slices = encoder.encode_with(&scene.picture(4 * number as u32), code);
            for (which, slice) in slices.iter().enumerate() {
                assert!(slice.len() <= SLICE, "{}", slice.len());
                let whole = if which + 1 == slices.len() { Drawn::Whole } else { Drawn::Part };
                assert_eq!(decoder.decode(slice), Ok(whole));
            }
            assert!(decoder.picture() == encoder.picture(), "{width}x{height}, picture {number}");
        }
    }
    assert!(Encoder::new(3, 2).is_none() && Decoder::new(0, 2).is_none() && Decoder::new(9_000, 2).is_none());
}

#[test]
fn a_still_room_takes_little_and_looks_well() {
    let (mut encoder, mut decoder) = pair(160, 112);
    let scene = Scene::new(160, 112, 2);
    let (mut bytes, mut worst) = (0, f64::MAX);
    for number in 0..40 {
        let picture = scene.picture(number);
        for slice in encoder.encode(&picture, 420) {
            decoder.decode(&slice).unwrap();
            bytes += if number >= 10 { slice.len() } else { 0 };
        }
        if number >= 10 {
            worst = worst.min(picture.psnr(decoder.picture()));
        }
    }
    println!("{} bytes a picture, {worst:.1} dB at least", bytes / 30);
    assert!(bytes / 30 < 500 && worst > 33.0, "{bytes} {worst}");
}

#[test]
fn what_was_lost_is_asked_for_and_mended_by_a_key_picture() {
    let (mut encoder, mut decoder) = pair(64, 64);
    let scene = Scene::new(64, 64, 3);
    let send = |encoder: &mut Encoder, decoder: &mut Decoder, number: u32, lose: bool| {
        let slices = encoder.encode_with(&scene.picture(number), 16);
        slices.iter().skip(usize::from(lose)).for_each(|slice| assert!(decoder.decode(slice).is_ok()));
    };
    assert!(decoder.broken(), "nothing came yet");
    send(&mut encoder, &mut decoder, 0, false);
    assert!(!decoder.broken());
    send(&mut encoder, &mut decoder, 10, true);
    send(&mut encoder, &mut decoder, 11, false);
    assert!(decoder.broken() && decoder.picture() != encoder.picture());
    encoder.refresh();
    send(&mut encoder, &mut decoder, 12, false);
    assert!(!decoder.broken() && decoder.picture() == encoder.picture());
}

#[test]
fn late_and_repeated_slices_and_garbage_draw_nothing_or_something() {
    let (mut encoder, mut decoder) = pair(64, 64);
    let scene = Scene::new(64, 64, 3);
    let first = encoder.encode_with(&scene.picture(0), 20);
    let second = encoder.encode_with(&scene.picture(1), 20);
    second.iter().for_each(|slice| assert!(decoder.decode(slice).is_ok()));
    assert_eq!(decoder.decode(&second[0]), Err(Refused));
    assert_eq!(decoder.decode(&first[0]), Err(Refused));
    assert_eq!(decoder.decode(&[0, 9, 0, 0]), Err(Refused));
    let mut state = 1_u32;
    for length in 5..300 {
        let mut slice: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        (slice[2], slice[3], slice[4]) = (0, slice[3] % 20, slice[4] % 180);
        let _ = decoder.decode(&slice);
    }
}

#[test]
fn y4m_files_are_read_and_nonsense_is_not() {
    let scene = Scene::new(32, 16, 1);
    let mut file = Vec::new();
    y4m::write_head(&scene.picture(0), 25, &mut file);
    (0..3).for_each(|n| y4m::write(&scene.picture(n), &mut file));
    file.extend_from_slice(b"FRAME\ncut off");
    let mut reader = Reader::new(&file[..]).unwrap();
    assert_eq!((reader.size(), reader.rate()), ((32, 16), 25.0));
    for n in 0..3 {
        assert_eq!(reader.picture().unwrap(), Some(scene.picture(n)));
    }
    assert!(matches!(reader.picture(), Ok(None)));
    for bad in [
        "",
        "RIFF",
        "YUV4MPEG2 W3 H2\n",
        "YUV4MPEG2 W4 H2 C444\n",
        "YUV4MPEG2 W4 H2 F1:0\n",
        "YUV4MPEG2 Wx\n",
    ] {
        assert!(Reader::new(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(Reader::new(&b"YUV4MPEG2 W2 H2\nFRIEND\n"[..]).unwrap().picture().is_err());
}
