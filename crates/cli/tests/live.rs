//! Live video on bad days: servers that stop, clients that talk nonsense; and GStreamer as a player.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, clip, codecs, decode, eventually, http, levada, programs::Desk};
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
};

fn serve_at(rtmp: &str) -> Result<Serve> {
    Serve::with(|command| {
        command.args(["--rtmp", rtmp, "--set", "mount=[{ name = '/live/*', linger = '2s' }]"]);
    })
}

fn serve() -> Result<(Serve, String)> {
    let mut server = serve_at("127.0.0.1:0")?;
    let rtmp = server.program.wait_for("serving on rtmp://")?.trim_end_matches('/').to_owned();
    Ok((server, rtmp))
}

fn push(server: &Serve, rtmp: &str) -> Result<Program> {
    let mut push = levada();
    push.args(["push", "--loop"]).arg(clip("testcard.flv")).arg(format!("rtmp://{rtmp}/live/tea?key=hush"));
    let push = Program::start(&mut push)?;
    server.wait_live("/live/tea")?;
    Ok(push)
}

#[test]
fn push_and_pull_go_on_at_the_server_that_takes_over() -> Result<()> {
    let rtmp = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut first = serve_at(&rtmp)?;
    let mut push = push(&first, &rtmp)?;
    let folder = tempfile::tempdir()?;
    let film = folder.path().join("film.flv");
    let mut pull = levada();
    pull.arg("pull").arg(format!("rtmp://{rtmp}/live/tea?start=fast")).arg("-o").arg(&film);
    let mut pull = Program::start(&mut pull)?;
    let grows = |what: &str, beyond: u64| {
        eventually(what, || Ok(fs::metadata(&film).is_ok_and(|file| file.len() > beyond).then_some(())))
    };
    grows("the film to begin", 50_000)?;
    first.program.signal("TERM")?;
    let (good, said) = first.program.wait()?;
    ensure!(
        good && said.contains("source was asked to connect anew") && said.contains("in_time=true"),
        "{said}"
    );
    let second = serve_at(&rtmp)?;
    second.wait_live("/live/tea")?;
    let before = fs::metadata(&film)?.len();
    grows("the film to go on", before + 50_000)?;
    pull.signal("INT")?;
    let (good, said) = pull.wait()?;
    ensure!(good && said.contains("going on at rtmp://"), "{said}");
    push.signal("INT")?;
    ensure!(push.wait()?.0, "{}", push.said());
    ensure!(codecs(&film)? == ["h264", "aac"], "{:?}", codecs(&film)?);
    // the seam is a millisecond, for which a null output at 25 pictures a second has no place
    let said = decode(&film)?;
    ensure!(said.lines().all(|line| line.contains("non monotonically increasing dts to muxer")), "{said}");
    let times = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=dts_time", "-of", "csv=p=0"])
        .arg(&film)
        .output()?;
    let times = String::from_utf8_lossy(&times.stdout).into_owned();
    let times: Vec<f64> = times.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect();
    ensure!(times.len() > 20 && times.is_sorted_by(|before, after| before < after), "{times:?}");
    Ok(())
}

/// Greets, says `bytes`, and waits to be hung up on.
fn say(rtmp: &str, greeting: &[u8], bytes: &[u8]) -> Result<()> {
    let mut socket = TcpStream::connect(rtmp)?;
    socket.set_read_timeout(Some(kit::PATIENCE))?;
    socket.write_all(greeting)?;
    if greeting[0] == 3 {
        let mut answer = vec![0; 1 + 2 * 1536];
        socket.read_exact(&mut answer)?;
        let _hung_up = socket.write_all(&[&answer[1..1537], bytes].concat());
    }
    let mut rest = Vec::new();
    let _reset = socket.read_to_end(&mut rest);
    Ok(())
}

#[test]
fn nonsense_closes_one_connection_with_a_reason_and_a_count() -> Result<()> {
    let (server, rtmp) = serve()?;
    let _push = push(&server, &rtmp)?;
    let hello = [&[3][..], &[0; 8], &[7; 1528]].concat();
    let chunk = |size: u32, kind: u8, body: &[u8]| {
        [&[3, 0, 0, 0][..], &size.to_be_bytes()[1..], &[kind, 0, 0, 0, 0], body].concat()
    };
    for (greeting, bytes) in [
        (&[&[9][..], &hello[1..]].concat(), Vec::new()), // no version of RTMP
        (&hello, chunk(0xff_ffff, 20, &[1; 128])),       // a message larger than a stranger may send
        (&hello, chunk(4, 20, &[2, 0xff, 0xff, 7])),     // a text that is longer than its message
        (&hello, vec![0xc3; 64]),                        // a message that goes on before it began
    ] {
        say(&rtmp, greeting, &bytes)?;
    }
    let reasons = eventually("reasons in the log", || {
        let said = server.program.said();
        let lines = said.lines().filter(|line| line.contains("RTMP connection closed"));
        let lines: Vec<_> = lines.filter_map(|line| Some(line.split_once("why=")?.1.to_owned())).collect();
        Ok((lines.len() >= 4).then_some(lines))
    })?;
    let distinct: std::collections::HashSet<_> = reasons.iter().collect();
    ensure!(distinct.len() == 4, "{reasons:?}");
    let metrics = http::get(&server.url("/metrics"))?.text();
    ensure!(metrics.contains("levada_refusals_total{reason=\"malformed\"} 4\n"), "{metrics}");
    ensure!(metrics.contains("levada_mount_up{mount=\"/live/tea\"} 1\n"), "the others go on: {metrics}");
    Ok(())
}

#[test]
fn gstreamer_plays_over_rtmp_and_over_http() -> Result<()> {
    let (server, rtmp) = serve()?;
    let _push = push(&server, &rtmp)?;
    let desk = Desk::new()?;
    let http = server.url("/live/tea.flv");
    for source in [
        format!("rtmp2src location=rtmp://{rtmp}/live/tea num-buffers=150"),
        format!("rtmpsrc location=rtmp://{rtmp}/live/tea num-buffers=150"),
        format!("souphttpsrc location={http} is-live=true num-buffers=60"),
    ] {
        let saved = desk.path("gstreamer.mkv");
        let pipeline = format!(
            "{source} ! flvdemux name=d matroskamux name=m ! filesink location={} \
             d.video ! queue ! h264parse ! m. d.audio ! queue ! aacparse ! m.",
            saved.display()
        );
        let mut player =
            Program::start(Command::new("gst-launch-1.0").arg("-q").args(pipeline.split_whitespace()))
                .context("gst-launch-1.0")?;
        let (good, said) = player.wait()?;
        ensure!(good, "{source}: {said}");
        let mut seen = codecs(&saved)?;
        seen.sort();
        ensure!(seen == ["aac", "h264"], "{source}: {seen:?}");
        fs::remove_file(&saved)?;
    }
    Ok(())
}
