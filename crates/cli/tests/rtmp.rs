//! RTMP and HTTP-FLV with real encoders and players.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{
    Program, Serve, codecs, eventually, http,
    programs::{Desk, ffmpeg_plays},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    thread,
};

/// `levada serve` with RTMP on a free port, and that port's address.
fn serve() -> Result<(Serve, String)> {
    let server = Serve::with(|command| {
        command.args(["--rtmp", "127.0.0.1:0", "--set", "limits.failures_per_minute=1000"]);
        command.args(["--set", "mount=[{ name = '/live/*', linger = '2s' }, { name = '/live/kept', play_token = 'open-sesame' }]"]);
    })?;
    let mut server = server;
    let rtmp = server.program.wait_for("serving on rtmp://")?.trim_end_matches('/').to_owned();
    Ok((server, rtmp))
}

/// ffmpeg publishes a clip, over and over if told so.
fn publish(url: &str, loops: bool) -> Result<Program> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-re"]);
    if loops {
        command.args(["-stream_loop", "-1"]);
    }
    command.arg("-i").arg(kit::clip("testcard.flv")).args(["-c", "copy", "-f", "flv", url]);
    Program::start(&mut command)
}

fn on_air(server: &Serve, rtmp: &str) -> Result<Program> {
    let encoder = publish(&format!("rtmp://{rtmp}/live/tea?key=hush"), true)?;
    server.wait_live("/live/tea")?;
    Ok(encoder)
}

/// ffmpeg saves a second of a stream as it comes.
fn save(url: &str, to: &Path) -> Result<()> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-t", "1", "-i", url, "-c", "copy", "-f", "flv"])
        .arg(to)
        .output()?;
    ensure!(out.status.success(), "ffmpeg on {url}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

/// Decoding times of the pictures in a file.
fn times(file: &Path) -> Result<Vec<f64>> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=dts_time", "-of", "csv=p=0"])
        .arg(file)
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    Ok(text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect())
}

#[test]
fn every_join_gets_both_streams_over_rtmp_and_http() -> Result<()> {
    let (server, rtmp) = serve()?;
    let _encoder = on_air(&server, &rtmp)?;
    let desk = Desk::new()?;
    let urls = [
        format!("rtmp://{rtmp}/live/tea"),
        server.url("/live/tea.flv"),
        server.url("/live/tea"),
        format!("rtmp://{rtmp}/live/tea?start=live"),
    ];
    let joins = if std::env::var_os("LEVADA_FAULTS").is_some() { 4 * JOINS } else { JOINS };
    for round in 0..joins / urls.len() {
        thread::scope(|scope| {
            let joins: Vec<_> = (urls.iter().enumerate())
                .map(|(number, url)| {
                    let file = desk.path(&format!("{round}-{number}.flv"));
                    scope.spawn(move || {
                        save(url, &file)?;
                        ensure!(codecs(&file)? == ["h264", "aac"], "{url}: {:?}", codecs(&file)?);
                        Ok(())
                    })
                })
                .collect();
            joins.into_iter().try_for_each(|join| join.join().expect("no panic"))
        })?;
    }
    // at 25 pictures a second ffmpeg's null output has no place for those that are a millisecond apart
    for url in [format!("rtmp://{rtmp}/live/tea?start=fast"), server.url("/live/tea.flv?start=fast")] {
        ffmpeg_plays(&url, "2")?;
    }
    let status = http::get(&server.url("/status-json.xsl"))?.text();
    ensure!(status.contains("video/x-flv"), "{status}");
    Ok(())
}

#[test]
fn encoders_are_told_why_they_may_not_publish() -> Result<()> {
    let (server, rtmp) = serve()?;
    for url in [format!("rtmp://{rtmp}/live/tea?key=wrong"), format!("rtmp://{rtmp}/live/tea")] {
        let (good, said) = publish(&url, true)?.wait()?;
        ensure!(!good && said.contains("authenticate"), "{said}");
    }
    ensure!(http::get(&server.url("/live/tea"))?.status == 404, "nothing is there");
    let _encoder = on_air(&server, &rtmp)?;
    let (good, said) = publish(&format!("rtmp://{rtmp}/live/tea?key=hush"), true)?.wait()?;
    ensure!(!good && said.contains("in use"), "{said}");
    Ok(())
}

#[test]
fn the_key_may_be_the_last_part_of_the_path() -> Result<()> {
    let (server, rtmp) = serve()?;
    let _encoder = publish(&format!("rtmp://{rtmp}/live/tea/hush"), true)?;
    server.wait_live("/live/tea")?;
    let _by_token = publish(&format!("rtmp://{rtmp}/live/coffee?token=hush"), true)?;
    server.wait_live("/live/coffee")
}

#[test]
fn a_player_of_nothing_is_told_so() -> Result<()> {
    let (_server, rtmp) = serve()?;
    let player = Command::new("ffmpeg")
        .args(["-v", "error", "-i", &format!("rtmp://{rtmp}/live/none"), "-f", "null", "-"])
        .output()?;
    let said = String::from_utf8_lossy(&player.stderr);
    ensure!(!player.status.success() && said.contains("no such stream"), "{said}");
    Ok(())
}

#[test]
fn players_of_a_guarded_mount_show_its_token() -> Result<()> {
    let (server, rtmp) = serve()?;
    let _encoder = publish(&format!("rtmp://{rtmp}/live/kept?key=hush"), true)?;
    server.wait_live("/live/kept")?;
    let desk = Desk::new()?;
    let seen = desk.path("kept.flv");
    for query in ["", "?token=close-sesame", "?key=hush"] {
        let refused = save(&format!("rtmp://{rtmp}/live/kept{query}"), &seen).expect_err("it is guarded");
        ensure!(!seen.exists() && !format!("{refused:#}").contains("no such stream"), "{query}: {refused:#}");
    }
    save(&format!("rtmp://{rtmp}/live/kept?token=open-sesame"), &seen)?;
    ensure!(codecs(&seen)? == ["h264", "aac"], "{:?}", codecs(&seen)?);
    Ok(())
}

#[test]
fn players_end_well_when_the_publisher_leaves_for_good() -> Result<()> {
    let (server, rtmp) = serve()?;
    let mut encoder = on_air(&server, &rtmp)?;
    let desk = Desk::new()?;
    let url = format!("rtmp://{rtmp}/live/tea");
    let (by_rtmp, by_http, dumped) = (desk.path("rtmp.flv"), desk.path("http.flv"), desk.path("dump.flv"));
    let ffmpeg = |url: &str, file: &Path| {
        Program::start(Command::new("ffmpeg").args(["-v", "error", "-i", url, "-c", "copy"]).arg(file))
    };
    let dump = Program::start(Command::new("rtmpdump").args(["-q", "-v", "-r", &url, "-o"]).arg(&dumped))?;
    let players = [
        (ffmpeg(&url, &by_rtmp)?, by_rtmp),
        (ffmpeg(&server.url("/live/tea.flv"), &by_http)?, by_http),
        (dump, dumped),
    ];
    eventually("all to receive", || {
        let grown = |file: &Path| std::fs::metadata(file).is_ok_and(|file| file.len() > 50_000);
        Ok(players.iter().all(|(_, file)| grown(file)).then_some(()))
    })?;
    encoder.stop();
    for (mut player, file) in players {
        let (good, said) = player.wait()?;
        ensure!(good, "{} ended badly: {said}", file.display());
        ensure!(codecs(&file)? == ["h264", "aac"], "{:?}", codecs(&file)?);
    }
    Ok(())
}

#[test]
fn a_publisher_that_begins_anew_sends_nobody_back() -> Result<()> {
    let (server, rtmp) = serve()?;
    let mut encoder = on_air(&server, &rtmp)?;
    let desk = Desk::new()?;
    let files = [desk.path("rtmp.flv"), desk.path("http.flv")];
    let urls = [format!("rtmp://{rtmp}/live/tea"), server.url("/live/tea.flv")];
    let mut players = Vec::new();
    for (url, file) in urls.iter().zip(&files) {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-copyts", "-i", url, "-c", "copy"]).arg(file);
        players.push(Program::start(&mut command)?);
    }
    eventually("both to receive", || {
        let grown = |file: &Path| std::fs::metadata(file).is_ok_and(|file| file.len() > 100_000);
        Ok(files.iter().all(|file| grown(file)).then_some(()))
    })?;
    encoder.stop();
    let before: Vec<u64> = files.iter().filter_map(|file| Some(file.metadata().ok()?.len())).collect();
    let mut again = on_air(&server, &rtmp)?;
    eventually("both to go on", || {
        let grown = files.iter().zip(&before);
        let grown =
            grown.map(|(file, before)| file.metadata().is_ok_and(|file| file.len() > before + 100_000));
        Ok(grown.into_iter().all(|grown| grown).then_some(()))
    })?;
    again.stop();
    for (mut player, file) in players.into_iter().zip(&files) {
        let (good, said) = player.wait()?;
        ensure!(good, "{said}");
        let times = times(file)?;
        ensure!(times.len() > 50 && times.is_sorted(), "{}: {times:?}", file.display());
    }
    Ok(())
}

#[test]
fn vlc_and_mpv_play_it() -> Result<()> {
    let (server, rtmp) = serve()?;
    let _encoder = on_air(&server, &rtmp)?;
    let desk = Desk::new()?;
    for url in [format!("rtmp://{rtmp}/live/tea"), server.url("/live/tea.flv")] {
        let saved = desk.path("vlc.ts");
        let chain = format!("#std{{access=file,mux=ts,dst={}}}", saved.display());
        let mut vlc =
            desk.vlc().args(["--run-time", "3", "--play-and-exit", "--sout"]).arg(chain).arg(&url).spawn()?;
        eventually("VLC to end", || Ok(vlc.try_wait()?))?;
        let seen = codecs(&saved)?; // twice: alone, and in its program
        ensure!(["h264", "aac"].iter().all(|codec| seen.iter().any(|seen| seen == codec)), "{url}: {seen:?}");
        std::fs::remove_file(&saved)?;
        let mpv = Command::new("mpv")
            .args(["--no-config", "--vo=null", "--ao=null", "--frames=30", "--msg-level=all=info", &url])
            .output()
            .context("mpv")?;
        let said = String::from_utf8_lossy(&mpv.stdout);
        ensure!(mpv.status.success() && said.contains("h264") && said.contains("aac"), "{url}: {said}");
    }
    Ok(())
}

#[test]
fn a_websocket_carries_flash_video() -> Result<()> {
    let (server, rtmp) = serve()?;
    let _encoder = on_air(&server, &rtmp)?;
    let mut socket = TcpStream::connect(&server.address)?;
    socket.set_read_timeout(Some(kit::PATIENCE))?;
    let fields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    write!(socket, "GET /live/tea.flv HTTP/1.1\r\nHost: x\r\n{fields}{key}\r\n")?;
    let mut reader = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(reader.read_line(&mut head)? > 0, "{head}");
    }
    ensure!(head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    let mut video = Vec::new();
    while video.len() < 200_000 {
        video.extend(message(&mut reader)?);
    }
    let desk = Desk::new()?;
    let saved = desk.path("socket.flv");
    std::fs::write(&saved, &video)?;
    ensure!(codecs(&saved)? == ["h264", "aac"], "{:?}", codecs(&saved)?);
    Ok(())
}

/// Joins of which each must see both streams; fifty and more with `LEVADA_FAULTS`.
const JOINS: usize = 24;

/// The next binary message of a server.
fn message(from: &mut impl Read) -> Result<Vec<u8>> {
    let mut head = [0; 2];
    from.read_exact(&mut head)?;
    ensure!(head[0] == 0x82, "a binary message, not {head:x?}");
    let mut long = [0; 8];
    let length = match head[1] {
        126 => {
            from.read_exact(&mut long[6..])?;
            u64::from_be_bytes(long)
        }
        127 => {
            from.read_exact(&mut long)?;
            u64::from_be_bytes(long)
        }
        short => u64::from(short),
    };
    let mut payload = vec![0; usize::try_from(length)?];
    from.read_exact(&mut payload)?;
    Ok(payload)
}

#[test]
fn other_formats_with_codecs_that_fit_become_flash_video() -> Result<()> {
    let (server, rtmp) = serve()?;
    let _mp3 = kit::push(&server, "chords.mp3", "/chords.mp3")?;
    let _aac = kit::push(&server, "speech.aac", "/speech.aac")?;
    let _theora = kit::push(&server, "testcard.ogv", "/testcard.ogv")?;
    let desk = Desk::new()?;
    for (mount, codec) in [("/chords.mp3", "mp3"), ("/speech.aac", "aac")] {
        for url in [server.url(&format!("{mount}.flv")), format!("rtmp://{rtmp}{mount}")] {
            let file = desk.path("saved.flv");
            save(&url, &file)?;
            ensure!(codecs(&file)? == [codec], "{url}: {:?}", codecs(&file)?);
            std::fs::remove_file(&file)?;
        }
    }
    let reply = http::get(&server.url("/testcard.ogv.flv"))?;
    ensure!(reply.status == 404 && reply.text().contains("does not fit"), "{}", reply.text());
    Ok(())
}
