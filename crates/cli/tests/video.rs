//! Video in a real browser: every way of the page moves, a publisher that comes again goes on, sound comes by HLS, the
//! tree of relays is there before any script.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, browser::Browser, http, push};
use std::process::Command;

#[test]
fn every_way_moves_pictures_and_survives_a_publisher_that_comes_again() -> Result<()> {
    let (server, rtmp) = serve()?;
    let mut encoder = on_air(&server, &rtmp, 1)?;
    let browser = Browser::start()?;
    browser.open(&server.url("/"))?;
    for (way, name) in [("hls", "Low-Latency HLS"), ("flv", "HTTP-FLV")] {
        play(&browser, way, name)?;
        moves(&browser).context(way)?;
        encoder.stop();
        encoder = on_air(&server, &rtmp, 2)?;
        moves(&browser).with_context(|| format!("{way}, after the publisher came again"))?;
    }
    Ok(())
}

#[test]
fn sound_comes_by_hls() -> Result<()> {
    let server = Serve::start(&[])?;
    let browser = Browser::start()?;
    browser.open(&server.url("/"))?;
    for clip in ["speech.opus", "speech.aac"] {
        let _source = push(&server, clip, &format!("/{clip}"))?;
        browser.run(&format!(
            "window.heard?.then((session) => session.stop());
             window.sound = document.createElement('audio');
             window.heard = import('/assets/ways.js').then(({{ WAYS }}) =>
               WAYS.hls.play(window.sound, '/{clip}', (why) => {{ window.failed = String(why); }}));
             window.sound.play().catch(() => 0)"
        ))?;
        browser
            .wait_until(&format!("{clip} to move"), "return window.sound.currentTime > 1 || window.failed")?;
        ensure!(
            browser.run("return window.failed ?? null")?.is_null(),
            "{:?}",
            browser.run("return window.failed")
        );
        let counted = "return fetch('/status-json.xsl').then((all) => all.text())";
        ensure!(
            browser.run(counted)?.to_string().contains("listeners\\\":1"),
            "a player by HLS is a listener"
        );
    }
    Ok(())
}

#[test]
fn relays_are_a_tree_that_keys_reach_before_any_script() -> Result<()> {
    let parent = Serve::start(&[])?;
    let _source = push(&parent, "chords.mp3", "/radio.mp3")?;
    let relay = Serve::start(&["--relay", &parent.url("/radio.mp3")])?;
    relay.wait_live("/radio.mp3")?;
    kit::eventually("the parent to know its relay", || {
        let page = http::get(&parent.url("/"))?.text();
        Ok((page.matches("class=\"node").count() == 2 && page.contains("this server")).then_some(()))
    })?;
    let page = http::get(&relay.url("/"))?.text();
    ensure!(page.contains("<svg class=\"tree\"") && page.contains("tabindex=\"0\""), "{page}");
    let browser = Browser::start()?;
    browser.resize(390, 800)?;
    browser.open(&relay.url("/"))?;
    browser.wait_until(
        "the tree to be reached by keys and to fit a phone",
        "const nodes = [...document.querySelectorAll('.tree .node')]; nodes[0]?.focus();
         return nodes.length === 2 && document.activeElement === nodes[0]
           && document.documentElement.scrollWidth <= window.innerWidth",
    )
}

fn serve() -> Result<(Serve, String)> {
    let mut server = Serve::start(&["--rtmp", "127.0.0.1:0"])?;
    let rtmp = server.program.wait_for("serving on rtmp://")?.trim_end_matches('/').to_owned();
    Ok((server, rtmp))
}

/// ffmpeg, which publishes moving pictures with sound; `take` tells its pictures from another's.
fn on_air(server: &Serve, rtmp: &str, take: u32) -> Result<Program> {
    let picture = if take == 1 { "testsrc2=size=320x180:rate=30" } else { "testsrc=size=320x180:rate=30" };
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", picture]);
    command.args(["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "30", "-pix_fmt"]);
    command.args(["yuv420p", "-c:a", "aac", "-f", "flv", &format!("rtmp://{rtmp}/live/cam?key=hush")]);
    let encoder = Program::start(&mut command)?;
    server.wait_live("/live/cam")?;
    Ok(encoder)
}

/// Presses the page's button, with one way chosen.
fn play(browser: &Browser, way: &str, name: &str) -> Result<()> {
    browser.wait_until("a button to play", "return !!document.querySelector('.stage .go')")?;
    browser.run(&format!(
        "const way = document.querySelector('.way'); way.value = '{way}'; way.dispatchEvent(new Event('change'));
         const go = document.querySelector('.go'); if (!go.hidden) go.click()"
    ))?;
    let says = format!("return document.querySelector('.say').textContent === 'Playing live by {name}.'");
    browser.wait_until(&format!("{name} to play"), &says)
}

/// Two pictures of different content, a second of media apart, with a size.
fn moves(browser: &Browser) -> Result<()> {
    browser.run(
        "window.picture = () => {
           const video = document.querySelector('video');
           const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 36 });
           const context = canvas.getContext('2d');
           context.drawImage(video, 0, 0, 64, 36);
           return { at: video.currentTime, width: video.videoWidth, data: [...context.getImageData(0, 0, 64, 36).data] };
         };
         window.before = window.picture()",
    )?;
    browser.wait_until(
        "pictures to move",
        "const now = window.picture(), before = window.before;
         if (now.at < before.at) window.before = now;
         const changed = now.data.filter((value, n) => Math.abs(value - before.data[n]) > 16).length;
         return now.width === 320 && now.at > before.at + 3 && changed > 20",
    )
}
