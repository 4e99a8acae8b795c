//! Pictures of a call between two processes: files in, files out, in sync with the sound.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{
    Program,
    browser::Browser,
    end,
    programs::Desk,
    terminal::Terminal,
    wav::{read_wav, write_wav},
};
use levada_codec::video::{Picture, Scene, y4m};
use levada_device::pictures::from_bgr;
use std::fs::File;
use std::io::BufReader;
use std::net::UdpSocket;
use std::path::Path;

/// Two free ports of UDP.
fn ports() -> Result<(u16, u16)> {
    let sockets = [UdpSocket::bind("0.0.0.0:0")?, UdpSocket::bind("0.0.0.0:0")?];
    Ok((sockets[0].local_addr()?.port(), sockets[1].local_addr()?.port()))
}

const SIZE: (usize, usize) = (160, 120);

/// Somebody before a camera, thirty pictures a second; in the corner a lamp that shines for a fifth of each second, from 0.7 on.
fn film(seed: u32, seconds: u32) -> Vec<Picture> {
    let scene = Scene::new(SIZE.0, SIZE.1, seed);
    let picture = |number: u32| {
        let mut picture = scene.picture(number);
        let light = if (21..27).contains(&(number % 30)) { 240 } else { 40 };
        (0..32).for_each(|y| picture.planes[0][y * SIZE.0..][..32].fill(light));
        picture
    };
    (0..30 * seconds).map(picture).collect()
}

/// Whether the lamp shines.
fn shines(picture: &Picture) -> bool {
    let rows = (8..24).map(|y| &picture.planes[0][y * SIZE.0 + 8..][..16]);
    rows.flatten().map(|x| u32::from(*x)).sum::<u32>() / 256 > 140
}

/// Silence with a click at 0.7 s of each second.
fn clicks(seconds: usize) -> Vec<i16> {
    let frame = |n: usize| match (n + 44_100 - 30_870) % 44_100 {
        since @ 0..90 => (20_000.0 * (since as f64 * 0.4).sin()) as i16,
        _ => 0,
    };
    (0..seconds * 44_100).flat_map(|n| [frame(n); 2]).collect()
}

fn write_film(path: &Path, pictures: &[Picture]) -> Result<()> {
    let mut bytes = Vec::new();
    y4m::write_head(&pictures[0], 30, &mut bytes);
    pictures.iter().for_each(|picture| y4m::write(picture, &mut bytes));
    Ok(std::fs::write(path, bytes)?)
}

fn read_film(path: &Path, size: (usize, usize)) -> Result<Vec<Picture>> {
    let mut reader = y4m::Reader::new(BufReader::new(File::open(path)?))?;
    ensure!((reader.size(), reader.rate()) == (size, 30.0), "{:?} at {}", reader.size(), reader.rate());
    let mut all = Vec::new();
    while let Some(picture) = reader.picture()? {
        all.push(picture);
    }
    Ok(all)
}

/// When something begins that was not there half a second before, in seconds.
fn beginnings(is: impl Fn(usize) -> bool, count: usize, rate: f64) -> Vec<f64> {
    let mut found: Vec<f64> = Vec::new();
    for n in 0..count {
        let at = n as f64 / rate;
        if is(n) && found.last().is_none_or(|last| at > last + 0.5) {
            found.push(at);
        }
    }
    found
}

#[test]
fn two_processes_see_each_other_in_sync_with_the_sound() -> Result<()> {
    let desk = Desk::new()?;
    let films = [film(1, 5), film(2, 5)];
    let (a, b) = ports()?;
    let mut ends = Vec::new();
    for (n, (listen, peer)) in [(a, b), (b, a)].into_iter().enumerate() {
        write_wav(&desk.path(&format!("in{n}.wav")), &clicks(5))?;
        write_film(&desk.path(&format!("in{n}.y4m")), &films[n])?;
        let mut command = end(peer, listen, "--for 6s --passphrase quiet --json");
        command.arg("--input").arg(desk.path(&format!("in{n}.wav")));
        command.arg("--output").arg(desk.path(&format!("out{n}.wav")));
        command.arg("--video").arg(desk.path(&format!("in{n}.y4m")));
        command.arg("--video-output").arg(desk.path(&format!("out{n}.y4m")));
        ends.push(Program::start(&mut command)?);
    }
    let (mut sent, mut shown) = ([0.0; 2], [0.0; 2]);
    for (n, end) in ends.iter_mut().enumerate() {
        let (well, said) = end.wait()?;
        ensure!(well, "{said}");
        let mut events = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let last = events.rfind(|event| event["mos"].is_number()).context("no statistics")?;
        println!("end {n}: {}", last["video"]);
        let figure = |side: &str, name: &str| last["video"][side][name].as_f64().unwrap_or(-1.0);
        sent[n] = figure("sent", "pictures");
        shown[n] = figure("received", "shown");
        ensure!(sent[n] > 20.0, "{last}");
        ensure!(last["video"]["received"]["size"] == "160x120", "{last}");
    }
    for (n, other) in [(0, 1), (1, 0)] {
        ensure!(
            shown[n] > 0.7 * sent[other] && shown[n] <= sent[other] + 20.0,
            "{shown:?} of {sent:?} were seen"
        );
        let seen = read_film(&desk.path(&format!("out{n}.y4m")), SIZE)?;
        let heard = read_wav(&desk.path(&format!("out{n}.wav")))?;
        let (film, sound) = (seen.len() as f64 / 30.0, heard.len() as f64 / 88_200.0);
        ensure!((film - sound).abs() < 0.3, "{film:.2} s of pictures, {sound:.2} s of sound");
        // which of the sent pictures each is, and how alike
        let mut known: Vec<(usize, f64)> = Vec::new();
        for picture in seen.iter().skip(60).take(75) {
            let alike = films[other].iter().enumerate().map(|(which, sent)| (which, sent.psnr(picture)));
            known.push(alike.max_by(|a, b| a.1.total_cmp(&b.1)).context("there are pictures")?);
        }
        let mean = known.iter().map(|(_, db)| db).sum::<f64>() / known.len() as f64;
        let mut which: Vec<usize> = known.iter().map(|(which, _)| *which).collect();
        which.dedup();
        let lights = beginnings(|n| shines(&seen[n]), seen.len(), 30.0);
        let clicks = beginnings(|n| heard[2 * n].unsigned_abs() > 4_000, heard.len() / 2, 44_100.0);
        let mut off: Vec<f64> = clicks
            .iter()
            .filter_map(|click| {
                let offs = lights.iter().map(|light| light - click);
                offs.min_by(|a, b| a.abs().total_cmp(&b.abs()))
            })
            .collect();
        off.retain(|off| off.abs() < 0.4); // a lamp that was not seen
        off.sort_by(f64::total_cmp);
        println!(
            "end {n}: {mean:.1} dB, {} of 75 pictures are new, lights less clicks {off:.3?}",
            which.len()
        );
        ensure!(mean > 30.0, "{mean:.1} dB");
        // a machine that has other things to do codes fewer
        ensure!(which.len() >= 8 && which.is_sorted(), "{} of 75 pictures are new: {which:?}", which.len());
        ensure!(off.len() >= 2, "{lights:?} {clicks:?}");
        let middle = off[off.len() / 2];
        ensure!((-0.07..0.12).contains(&middle), "pictures are off by {off:?} s");
    }
    Ok(())
}

#[test]
fn what_cannot_be_shown_or_captured_is_said() -> Result<()> {
    let said = |more: &str| -> Result<String> {
        let out = end(9, 0, &format!("--input null --output null --for 500ms {more}"))
            .output()
            .context("levada")?;
        ensure!(!out.status.success(), "{more}");
        Ok(String::from_utf8_lossy(&out.stderr).into_owned())
    };
    ensure!(said("--video peer.example")?.contains("no pictures are called peer.example"));
    ensure!(said("--video /nowhere/a.y4m")?.contains("/nowhere/a.y4m"));
    ensure!(said("--video test --video-size 3x5")?.contains("WIDTHxHEIGHT"));
    ensure!(said("--video-output /nowhere/b.y4m")?.contains("/nowhere/b.y4m"));
    Ok(())
}

/// Red at the left; at the right blue, and green in every other half second.
fn flags(size: (usize, usize)) -> Vec<Picture> {
    let picture = |number: usize| {
        let right = if (number / 15).is_multiple_of(2) { [255, 0, 0] } else { [0, 255, 0] };
        let pixel = |n: usize| if n % size.0 < size.0 / 2 { [0, 0, 255] } else { right };
        let pixels: Vec<u8> = (0..size.0 * size.1).flat_map(pixel).collect();
        from_bgr(size.0, size.1, &pixels).expect("sides are even")
    };
    (0..30).map(picture).collect()
}

#[test]
fn a_browser_on_this_machine_sees_the_other_end_and_other_sites_do_not() -> Result<()> {
    let desk = Desk::new()?;
    write_film(&desk.path("flags.y4m"), &flags((160, 120)))?;
    let (a, b) = ports()?;
    let mut near = Program::start(&mut end(b, a, "--input null --output null --view"))?;
    let page = near.wait_for("pictures are shown at ")?;
    let mut far = end(a, b, "--input null --output null --video");
    let _far = Program::start(far.arg(desk.path("flags.y4m")))?;
    let browser = Browser::start()?;
    browser.open(&page)?;
    browser.wait_until(
        "red at the left, and blue and green in turn at the right",
        "const canvas = document.querySelector('canvas'), seen = window.seen ||= new Set();
         if (!canvas.dataset.count || canvas.width !== 160) return false;
         const at = (x) => [...canvas.getContext('2d').getImageData(x, 60, 1, 1).data];
         const name = ([r, g, b]) => r > 200 && g < 60 && b < 60 ? 'red' : g > 200 && r < 60 && b < 60 ? 'green'
           : b > 200 && r < 60 && g < 60 ? 'blue' : `${r} ${g} ${b}`;
         seen.add(name(at(40)) + ' ' + name(at(120)));
         return seen.has('red blue') && seen.has('red green') && canvas.dataset.count > 10",
    )?;
    let text = browser.run("return document.querySelector('[role=status]').textContent")?;
    ensure!(text == "160 × 120", "{text}");
    let complaints = browser.complaints()?;
    // one of them is about this test
    let fine = |line: &String| line.contains("favicon") || line.contains("willReadFrequently");
    ensure!(complaints.iter().all(fine), "{complaints:?}");
    // a page of another origin
    browser.open("about:blank")?;
    browser.run(&format!(
        "const socket = new WebSocket('{}pictures'.replace('http', 'ws'));
         socket.onopen = () => {{ window.ended = 'open'; }}; socket.onerror = () => {{ window.ended = 'refused'; }};"
    , page))?;
    browser.wait_until("the socket to be refused", "return window.ended === 'refused'")?;
    Ok(())
}

#[test]
fn a_terminal_shows_the_other_end_above_the_meters() -> Result<()> {
    let (a, b) = ports()?;
    let _far = Program::start(&mut end(a, b, "--input null --output null --video test"))?;
    let folder = std::env::temp_dir();
    let line = format!(
        "env COLORTERM=truecolor {} talk 127.0.0.1:{b} --listen {a} --input null --output null --video test",
        env!("CARGO_BIN_EXE_levada")
    );
    let mut terminal = Terminal::start(&line, &folder)?;
    terminal.wait_for("▀▀", 300)?;
    terminal.wait_for("\u{1b}[38;2;", 300)?;
    terminal.wait_for("you", 2)?;
    // 30 lines: the picture has 24, and messages scroll below
    ensure!(terminal.shown().contains("\u{1b}[25;30r"), "lines below the picture scroll");
    terminal.press("q")?;
    ensure!(terminal.wait()?, "{}", terminal.shown());
    Ok(())
}

#[test]
fn minimal_video_shows_each_end_the_other() -> Result<()> {
    let desk = Desk::new()?;
    let pictures = flags((64, 48));
    write_film(&desk.path("in.y4m"), &pictures)?;
    for layer in ["minimal_video", "minimal_video_TFG"] {
        let ((a, b), (c, d)) = (ports()?, ports()?);
        let mut ends = Vec::new();
        for (n, (listen, peer, mine, theirs)) in [(a, b, c, d), (b, a, d, c)].into_iter().enumerate() {
            let more = format!(
                "--compat {layer} -w 64 -g 48 -z 30 -lvp {mine} -dvp {theirs} --input null --output null --for 3s"
            );
            let mut command = end(peer, listen, &more);
            command.arg("--video").arg(desk.path("in.y4m"));
            command.arg("--video-output").arg(desk.path(&format!("{layer}{n}.y4m")));
            ends.push(Program::start(&mut command)?);
        }
        for (n, end) in ends.iter_mut().enumerate() {
            let (well, said) = end.wait()?;
            ensure!(well && said.contains("width=64, height=48, fps=30"), "{said}");
            let film = std::fs::read(desk.path(&format!("{layer}{n}.y4m")))?;
            let mut reader = y4m::Reader::new(&film[..])?;
            let mut alike = Vec::new();
            while let Some(picture) = reader.picture()? {
                let best = pictures.iter().map(|sent| sent.psnr(&picture)).fold(0.0, f64::max);
                alike.push(best);
            }
            let good = alike.iter().filter(|db| **db > 40.0).count();
            println!("{layer}: {good} of {} pictures are as they were sent", alike.len());
            ensure!(alike.len() > 60 && good > 20, "{layer}: {alike:.1?}");
        }
    }
    Ok(())
}

/// The wire of the Python program, which knows 320 by 240 pixels in 165 runs: by a socket that is none of ours.
#[test]
fn minimal_video_speaks_the_seminars_wire() -> Result<()> {
    let desk = Desk::new()?;
    let film: Vec<Picture> = flags((320, 240)).into_iter().take(1).collect();
    write_film(&desk.path("in.y4m"), &film)?;
    let (a, b) = ports()?;
    let theirs = UdpSocket::bind("127.0.0.1:0")?;
    theirs.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
    let mine = ports()?.0;
    let more = format!(
        "--compat minimal_video -lvp {mine} -dvp {} --input null --output null --for 4s",
        theirs.local_addr()?.port()
    );
    let mut command = end(b, a, &more);
    command.arg("--video").arg(desk.path("in.y4m")).arg("--video-output").arg(desk.path("out.y4m"));
    let mut program = Program::start(&mut command)?;
    let mut pieces: std::collections::BTreeMap<u16, Vec<u8>> = std::collections::BTreeMap::new();
    let mut datagram = vec![0; 65_536];
    while pieces.len() < 165 {
        let length = theirs.recv(&mut datagram)?;
        let (index, bytes) = datagram[..length].split_first_chunk().context("no index")?;
        pieces.insert(u16::from_be_bytes(*index), bytes.to_vec());
        // what is sent back is a picture of one colour each time
        let mut back = vec![0; length];
        back[..2].copy_from_slice(index);
        back[2..]
            .chunks_mut(3)
            .for_each(|pixel| pixel.iter_mut().zip([200, 100, 50]).for_each(|(x, y)| *x = y));
        theirs.send_to(&back, ("127.0.0.1", mine))?;
    }
    // some more, so that a whole picture goes back
    for _ in 0..400 {
        let length = theirs.recv(&mut datagram)?;
        let mut back = datagram[..length].to_vec();
        back[2..]
            .chunks_mut(3)
            .for_each(|pixel| pixel.iter_mut().zip([200, 100, 50]).for_each(|(x, y)| *x = y));
        theirs.send_to(&back, ("127.0.0.1", mine))?;
    }
    ensure!(pieces.iter().all(|(index, bytes)| bytes.len() == if *index == 164 { 1_128 } else { 1_398 }));
    let pixels: Vec<u8> = pieces.into_values().flatten().collect();
    for (n, pixel) in pixels.chunks_exact(3).enumerate() {
        let truth = if n % 320 < 160 { [0, 0, 255] } else { [255, 0, 0] };
        ensure!(pixel.iter().zip(truth).all(|(a, b)| a.abs_diff(b) < 6), "{pixel:?} at {n}");
    }
    let (well, said) = program.wait()?;
    ensure!(well, "{said}");
    let last = read_film(&desk.path("out.y4m"), (320, 240))?.pop().context("pictures")?;
    for (x, y) in [(0, 0), (160, 120), (319, 239)] {
        ensure!(
            last.rgb(x, y).iter().zip([50, 100, 200]).all(|(a, b)| a.abs_diff(b) < 4),
            "{:?}",
            last.rgb(x, y)
        );
    }
    Ok(())
}
