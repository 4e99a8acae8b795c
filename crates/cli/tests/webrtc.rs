//! WebRTC with a real browser: it watches and publishes, and says why where it cannot.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, browser::Browser, codecs, eventually, http, programs::Desk};
use serde_json::Value;
use std::{
    net::UdpSocket,
    process::Command,
    time::{Duration, Instant},
};

/// `levada serve` with RTMP and WebRTC on free ports; the addresses of both.
fn serve() -> Result<(Serve, String, String)> {
    let mut server = Serve::with(|command| {
        command.args(["--rtmp", "127.0.0.1:0", "--webrtc", "127.0.0.1:0"]);
        command.args(["--set", "mount=[{ name = '/live/*', linger = '20s' }]"]);
    })?;
    let rtmp = server.program.wait_for("serving on rtmp://")?.trim_end_matches('/').to_owned();
    let webrtc = server.program.wait_for("serving WebRTC on udp://")?;
    Ok((server, rtmp, webrtc))
}

/// ffmpeg publishes a moving picture and a tone, encoded as `how` says.
fn publish(rtmp: &str, how: &[&str]) -> Result<Program> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"]);
    command.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100", "-c:v", "libx264"]);
    command.args(["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50"]).args(how);
    command.args(["-c:a", "aac", "-f", "flv", &format!("rtmp://{rtmp}/live/tea?key=hush")]);
    Program::start(&mut command)
}

const STRAIGHT: &[&str] = &["-bf", "0"];

/// Begins to watch `mount` in a new `<video>` called `name`; how it goes is in `state.NAME`.
fn watch(browser: &Browser, name: &str, mount: &str) -> Result<()> {
    browser.run(&format!(
        "window.state ||= {{}};
         const video = Object.assign(document.createElement('video'), {{ id: '{name}', muted: false }});
         document.body.append(video);
         import('/assets/whep.js').then((whep) => whep.play(video, '/whep{mount}')).then((handle) => {{
           state.{name} = {{ handle }};
           handle.ended.then((why) => {{ state.{name}.ended = why; }});
         }}, (why) => {{ state.{name} = {{ error: why.message }}; }});"
    ))?;
    Ok(())
}

/// Waits until what is watched as `name` moves and, if so, sounds.
fn moves(browser: &Browser, name: &str, sounds: bool) -> Result<()> {
    let state = |field: &str| browser.run(&format!("return state.{name}?.{field} ?? null"));
    eventually("the session", || {
        let error = state("error")?;
        ensure!(error.is_null(), "{name}: {error}");
        Ok((!state("handle")?.is_null()).then_some(()))
    })?;
    let video = format!("document.getElementById('{name}')");
    browser.wait_until("a picture", &format!("return {video}.videoWidth > 0"))?;
    let read = |browser: &Browser| -> Result<Vec<f64>> {
        browser.run(&format!(
            "window.seen ||= {{}};
             state.{name}.handle.stats().then((stats) => {{ seen.{name} = stats; }});
             return [{video}.currentTime, seen.{name}?.video?.framesDecoded || 0, seen.{name}?.audio?.totalAudioEnergy || 0]"
        ))?
        .as_array()
        .context("no figures")?
        .iter()
        .map(|figure| figure.as_f64().context("no figure"))
        .collect()
    };
    let first = read(browser)?;
    eventually("picture and sound to go on", || {
        let now = read(browser)?;
        let seen = now[0] > first[0] + 1.0 && now[1] > first[1] + 10.0;
        Ok((seen && (!sounds || now[2] > first[2].max(0.0001))).then_some(()))
    })
}

#[test]
fn a_browser_watches_what_an_encoder_publishes_and_stays_when_it_comes_back() -> Result<()> {
    let (server, rtmp, _) = serve()?;
    let mut encoder = publish(&rtmp, STRAIGHT)?;
    server.wait_live("/live/tea")?;
    let browser = Browser::start()?;
    browser.open(&server.url("/"))?;
    watch(&browser, "one", "/live/tea")?;
    moves(&browser, "one", true)?;
    let status = http::get(&server.url("/status-json.xsl"))?.json()?;
    ensure!(status["icestats"]["source"]["listeners"] == 1, "a viewer is a listener: {status}");
    encoder.stop();
    let _again = publish(&rtmp, STRAIGHT)?;
    server.wait_live("/live/tea")?;
    moves(&browser, "one", true)?;
    ensure!(browser.run("return state.one.ended ?? null")? == Value::Null, "it never ended");
    browser.run("state.one.handle.close()")?;
    eventually("the viewer to be counted out", || {
        let status = http::get(&server.url("/status-json.xsl"))?.json()?;
        Ok((status["icestats"]["source"]["listeners"] == 0).then_some(()))
    })
}

#[test]
fn who_cannot_be_served_is_told_why_and_what_else_there_is() -> Result<()> {
    let (server, rtmp, _) = serve()?;
    let _encoder = publish(&rtmp, &["-bf", "2"])?;
    server.wait_live("/live/tea")?;
    let browser = Browser::start()?;
    browser.open(&server.url("/"))?;
    for (name, mount, why) in [("b", "/live/tea", "B-frames"), ("none", "/live/none", "no such stream")] {
        watch(&browser, name, mount)?;
        browser.wait_until(
            "the reason",
            &format!("return (window.state?.{name}?.error ?? '').includes('{why}')"),
        )?;
    }
    let script = "window.reply = null; (async () => {
        const peer = new RTCPeerConnection(); peer.addTransceiver('video', { direction: 'recvonly' });
        const { sdp } = await peer.createOffer();
        const headers = { 'Content-Type': 'application/sdp' };
        const reply = await fetch('/whep/live/tea', { method: 'POST', headers, body: sdp });
        window.reply = `${reply.status} ${reply.headers.get('Link')}`; })()";
    browser.run(script)?;
    browser
        .wait_until("HLS to be offered", "return window.reply?.startsWith('406 </live/tea/index.m3u8>')")?;
    for (method, path, body, status) in [
        ("POST", "/whep/live/tea", "v=0", 415),
        ("GET", "/whep/live/tea", "", 405),
        ("DELETE", "/webrtc/guessed", "", 404),
        ("OPTIONS", "/whep/live/tea", "", 204),
    ] {
        let reply = http::request(method, &server.url(path), None, (!body.is_empty()).then_some(body))?;
        ensure!(reply.status == status, "{method} {path}: {}", reply.status);
    }
    Ok(())
}

#[test]
fn a_browser_publishes_and_everybody_sees_it() -> Result<()> {
    let (server, ..) = serve()?;
    let browser = Browser::start()?;
    browser.open(&server.url("/"))?;
    let publish = |mount: &str, key: &str, options: &str| {
        browser.run(&format!(
            "window.published = null;
             import('/assets/whip.js').then((whip) => {{
               window.picture ||= whip.testPicture({{ width: 640, height: 360 }});
               return whip.publish(picture, '/whip{mount}', '{key}', {options}); }})
             .then((handle) => {{ window.published = handle; }}, (why) => {{ window.published = why.message; }})"
        ))
    };
    publish("/live/me", "wrong", "{}")?;
    browser.wait_until("a wrong key to be refused", "return /password/.test(window.published)")?;
    publish("/live/me", "hush", "{}")?;
    browser.wait_until("the publisher", "return !!window.published?.close")?;
    server.wait_live("/live/me")?;
    browser.run("window.first = published")?;
    watch(&browser, "me", "/live/me")?;
    moves(&browser, "me", true)?;
    let desk = Desk::new()?;
    for (url, name) in [(server.url("/live/me.flv"), "flv"), (server.url("/live/me/index.m3u8"), "mp4")] {
        let file = desk.path(&format!("me.{name}"));
        eventually("ffmpeg to see it", || {
            let mut save = Command::new("ffmpeg");
            // it does not know the sound (Opus in FLV), and would look for it for long
            save.args([
                "-y",
                "-v",
                "error",
                "-analyzeduration",
                "1000000",
                "-probesize",
                "100000",
                "-t",
                "1",
            ]);
            save.args(["-i", &url, "-map", "0:v", "-c", "copy"]).arg(&file);
            let saved = save.output()?.status.success();
            Ok((saved && codecs(&file)? == ["h264"]).then_some(()))
        })?;
    }
    publish("/live/vp8", "hush", "{ codec: 'vp8' }")?;
    browser.wait_until("the second publisher", "return !!window.published?.close")?;
    watch(&browser, "vp8", "/live/vp8")?;
    moves(&browser, "vp8", true)?;
    browser.run("first.close()")?;
    eventually("the mount to have no source", || {
        let status = http::get(&server.url("/status-json.xsl"))?.text();
        Ok((!status.contains("/live/me\"")).then_some(()))
    })
}

#[test]
fn junk_gets_no_answer_and_does_no_harm() -> Result<()> {
    let (server, _, webrtc) = serve()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(&webrtc)?;
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    let mut request = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    request.extend([7; 12]);
    request.extend([0, 6, 0, 7]);
    request.extend(b"abc:def\0");
    let began = Instant::now();
    let mut sent = 0_u32;
    while began.elapsed() < Duration::from_secs(1) {
        for first in [0, 1, 20, 22, 63, 128, 200, 255] {
            request[0] = first;
            let _full = socket.send(&request[..usize::from(first) % 29 + 4]);
            sent += 1;
        }
        request[0] = 0;
        let _full = socket.send(&request);
    }
    let mut answer = [0; 2_000];
    ensure!(socket.recv(&mut answer).is_err(), "nobody asked who may");
    let status = http::get(&server.url("/status-json.xsl"))?;
    ensure!(status.status == 200 && sent > 1_000, "{sent} sent, then {}", status.status);
    Ok(())
}
