//! The page in a real browser: what it shows, that its players play, and that it says why where they do not.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Serve, browser::Browser, http, push};
use std::{thread, time::Duration};

#[test]
fn players_play_in_a_browser_or_say_why() -> Result<()> {
    let server = Serve::start(&[])?;
    let clips =
        [("chords.mp3", false), ("fractal.webm", true), ("speech.opus", false), ("speech.aac", false)];
    let mut sources = Vec::new();
    for (clip, _) in clips {
        sources.push(push(&server, clip, &format!("/{clip}"))?);
    }
    sources.push(push(&server, "testcard.ogv", "/testcard.ogv")?);
    let browser = Browser::start()?;
    browser.open(&server.url("/"))?;
    for (clip, picture) in clips {
        plays(&browser, &format!("/{clip}"), picture).context(clip)?;
    }
    browser.wait_until(
        "the page to say that Theora has no picture",
        "const say = document.querySelector('[data-name=\"/testcard.ogv\"] .say').textContent;
         return say.includes('theora') && say.includes('VLC')",
    )?;
    let bad = browser.complaints()?.into_iter().filter(|line| !line.contains("favicon")).collect::<Vec<_>>();
    ensure!(bad.is_empty(), "the page complains: {bad:#?}");
    Ok(())
}

/// `currentTime` follows the wall clock, and pictures have a width.
fn plays(browser: &Browser, mount: &str, picture: bool) -> Result<()> {
    let element = format!("document.querySelector('[data-name=\"{mount}\"]').querySelector('audio, video')");
    browser.run(&format!("{element}.play().catch(() => 0)"))?;
    browser.wait_until(
        "sound to move",
        &format!("return {element}.currentTime > 0 && {element}.readyState >= 3"),
    )?;
    if picture {
        browser.wait_until("a picture", &format!("return {element}.videoWidth > 0"))?;
    }
    let read = format!("return [{element}.currentTime, performance.now() / 1000]");
    let at = |browser: &Browser| -> Result<(f64, f64)> {
        let both = browser.run(&read)?;
        Ok((both[0].as_f64().context("no time")?, both[1].as_f64().context("no clock")?))
    };
    kit::eventually("media time to follow the wall clock", || {
        let (media, wall) = at(browser)?;
        thread::sleep(Duration::from_secs(2));
        let (media_later, wall_later) = at(browser)?;
        let ratio = (media_later - media) / (wall_later - wall);
        Ok((0.9..1.1).contains(&ratio).then_some(()))
    })?;
    browser.run(&format!("{element}.pause()")).map(drop)
}

#[test]
fn titles_and_listeners_change_on_the_page_by_themselves() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = push(&server, "chords.mp3", "/radio.mp3")?;
    let browser = Browser::start()?;
    browser.open(&server.url("/"))?;
    let evil = "%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D%27pwned%27%22%3E";
    let changed = server.admin(&format!("/admin/metadata?mount=/radio.mp3&mode=updinfo&song={evil}"))?;
    ensure!(changed.status == 200, "{}", changed.text());
    browser.wait_until(
        "the title as text, not as HTML",
        "return document.querySelector('.title').textContent.includes('<img src=x') && document.title !== 'pwned'
         && !document.querySelector('.title img')",
    )?;
    let _listener = http::Listener::open(&server.url("/radio.mp3"), "")?;
    browser
        .wait_until("one listener", "return document.querySelector('.count').textContent === '1 listener'")?;
    let _second = push(&server, "speech.opus", "/talk.opus")?;
    browser
        .wait_until("the new mount", "return !!document.querySelector('[data-name=\"/talk.opus\"] audio')")?;
    browser.run("document.querySelector('details').open = true")?;
    browser.wait_until("a chart", "return !!document.querySelector('.plot canvas')")
}

#[test]
fn the_page_fits_a_phone_and_works_without_scripts() -> Result<()> {
    let server = Serve::start(&[])?;
    let empty = http::get(&server.url("/"))?.text();
    ensure!(empty.contains("ffmpeg -re"), "an empty page says what to do");
    let _source = push(&server, "chords.mp3", "/radio.mp3")?;
    let html = http::get(&server.url("/"))?;
    ensure!(html.text().contains("<audio controls"), "the player is there before any script");
    ensure!(
        html.head.to_lowercase().contains("content-security-policy: default-src 'self'"),
        "{}",
        html.head
    );
    let browser = Browser::start()?;
    browser.resize(390, 800)?;
    browser.open(&server.url("/"))?;
    let fits = browser.run("return document.documentElement.scrollWidth <= window.innerWidth")?;
    ensure!(fits == true, "the page is wider than a phone");
    let labelled =
        browser.run("return [...document.querySelectorAll('audio, video')].every(p => p.ariaLabel)")?;
    ensure!(labelled == true, "every player has a name for who cannot see it");
    Ok(())
}
