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
        command.args(["--set", "mount=[{ name = '/live/*', linger = '20s' }, { name = '/live/kept', play_token = 'open-sesame' }]"]);
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
fn viewers_of_a_guarded_mount_show_its_token() -> Result<()> {
    let (server, ..) = serve()?;
    let browser = Browser::start()?;
    browser.open(&server.url("/"))?;
    browser.run(
        "import('/assets/whip.js').then((whip) => whip.publish(whip.testPicture(), '/whip/live/kept', 'hush'))
           .then(() => { window.published = true; })",
    )?;
    browser.wait_until("the publisher", "return !!window.published")?;
    server.wait_live("/live/kept")?;
    for (name, query) in [("none", ""), ("wrong", "?token=close-sesame"), ("source", "?key=hush")] {
        watch(&browser, name, &format!("/live/kept{query}"))?;
        browser.wait_until(
            "it to be turned away",
            &format!("return /password|let you in/.test(window.state?.{name}?.error)"),
        )?;
    }
    watch(&browser, "good", "/live/kept?token=open-sesame")?;
    moves(&browser, "good", true)
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
fn a_person_publishes_from_the_page_and_sees_how_late_it_comes_back() -> Result<()> {
    let (server, ..) = serve()?;
    let browser = Browser::start()?;
    browser.open(&server.url("/"))?;
    browser.wait_until("the form", "return !!document.querySelector('.publish')?.dataset.dressed")?;
    for (what, mount) in [("picture", "/live/canvas"), ("camera", "/live/camera")] {
        browser.run(&format!(
            "const form = document.querySelector('.publish form'); form.closest('details').open = true;
             form.mount.value = '{mount}'; form.key.value = 'hush'; form.what.value = '{what}';
             form.querySelector('button').click()"
        ))?;
        browser.wait_until(
            "the form to say so",
            &format!(
                "return document.querySelector('.publish output').textContent === 'On the air at {mount}.'"
            ),
        )?;
        let card = format!("document.querySelector('[data-name=\"{mount}\"]')");
        browser.wait_until("a button to play", &format!("return !!{card}?.querySelector('.stage .go')"))?;
        browser.run(&format!("{card}.querySelector('.go').click()"))?;
        let moves = format!(
            "const video = {card}.querySelector('video');
             return video.videoWidth > 0 && video.currentTime > 2
               && /^Playing live by/.test({card}.querySelector('.say').textContent)"
        );
        browser.wait_until("it to be seen on the same page", &moves)?;
        if what == "picture" {
            let late = format!(
                "return /^[0-9.]+ s glass to glass$/.test({card}.querySelector('.delay').textContent)"
            );
            browser.wait_until("the clock in the picture to be read", &late)?;
        }
        browser.run("document.querySelector('.publish form button').click()")?;
        let stopped = "return document.querySelector('.publish output').textContent === 'Stopped.'";
        browser.wait_until("it to stop", stopped)?;
    }
    Ok(())
}

/// For a second; for as many as `LEVADA_FAULTS` says.
#[test]
fn junk_gets_no_answer_and_costs_no_memory() -> Result<()> {
    let (server, _, webrtc) = serve()?;
    let seconds = std::env::var("LEVADA_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let resident = || -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.program.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no memory")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    };
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(&webrtc)?;
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    let mut request = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    request.extend([7; 12]);
    request.extend([0, 6, 0, 7]);
    request.extend(b"abc:def\0");
    let mut flood = |time: Duration| {
        let (began, mut sent) = (Instant::now(), 0_u32);
        while began.elapsed() < time {
            for first in [0, 1, 20, 22, 63, 128, 200, 255] {
                request[0] = first;
                let _full = socket.send(&request[..usize::from(first) % 29 + 4]);
                sent += 1;
            }
            request[0] = 0;
            let _full = socket.send(&request);
            sent += 1;
        }
        sent
    };
    flood(Duration::from_millis(300));
    http::get(&server.url("/metrics"))?; // what is made once is made
    let before = resident()?;
    let sent = flood(Duration::from_secs(seconds));
    let mut answer = [0; 2_000];
    ensure!(socket.recv(&mut answer).is_err(), "nobody asked who may");
    let metrics = http::get(&server.url("/metrics"))?.text();
    let counted = metrics.lines().find_map(|line| line.strip_prefix("levada_webrtc_stray_datagrams_total "));
    let counted: u64 = counted.context("strays are not counted")?.parse()?;
    ensure!(sent > 1_000 && counted > 1_000, "{sent} sent, {counted} counted");
    let grown = resident()?.saturating_sub(before);
    ensure!(grown < 2_048, "{grown} KiB more after {counted} datagrams");
    println!("{sent} datagrams sent in {seconds} s, {counted} counted, {grown} KiB more");
    Ok(())
}
