//! Every real source client feeds a mount, and what it feeds can be played.

mod kit;

use anyhow::{Result, ensure};
use kit::{
    Program, Serve, http,
    programs::{Desk, ffmpeg_plays, ffmpeg_source},
};
use std::process::Command;

#[test]
fn ffmpeg_feeds_every_format_both_ways() -> Result<()> {
    let server = Serve::start(&[])?;
    let mut sources = Vec::new();
    for (clip, mount, legacy) in [
        ("chords.mp3", "/put.mp3", "0"),
        ("chords.mp3", "/legacy.mp3", "1"),
        ("speech.aac", "/put.aac", "0"),
        ("chords.ogg", "/put.ogg", "0"),
        ("testcard.ogv", "/put.ogv", "0"),
        ("fractal.webm", "/put.webm", "0"),
    ] {
        sources.push((ffmpeg_source(&server, clip, mount, &["-legacy_icecast", legacy])?, mount));
    }
    for (_, mount) in &sources {
        ffmpeg_plays(&server.url(mount), "2")?;
    }
    Ok(())
}

#[test]
fn ffmpeg_is_told_of_a_wrong_password() -> Result<()> {
    let server = Serve::start(&[])?;
    let mut source = Program::start(
        Command::new("ffmpeg")
            .args(["-v", "error", "-re", "-i"])
            .arg(kit::clip("chords.mp3"))
            .args(["-c", "copy", "-f", "mp3", "-content_type", "audio/mpeg"])
            .arg(format!("icecast://source:wrong@{}/x.mp3", server.address)),
    )?;
    let (good, said) = source.wait()?;
    ensure!(!good && said.contains("401"), "{said}");
    ensure!(http::get(&server.url("/x.mp3"))?.status == 404, "nothing is there");
    Ok(())
}

#[test]
fn vlc_feeds_theora_by_its_shout_output() -> Result<()> {
    let server = Serve::start(&[])?;
    let desk = Desk::new()?;
    let clip = desk.clip("testcard.ogv")?;
    let chain = format!("#std{{access=shout,mux=ogg,dst=source:hush@{}/BBB.ogv}}", server.address);
    let _vlc = Program::start(desk.vlc().arg("--loop").arg(&clip).arg("--sout").arg(chain))?;
    server.wait_live("/BBB.ogv")?;
    let heard = http::listen(&server.url("/BBB.ogv"), "", 60_000)?;
    let saved = desk.path("heard.ogv");
    std::fs::write(&saved, &heard.body)?;
    ensure!(kit::codecs(&saved)? == ["theora", "vorbis"], "{:?}", kit::codecs(&saved)?);
    let status = http::get(&server.url("/status-json.xsl"))?.json()?;
    ensure!(status["icestats"]["source"]["server_name"] == "VLC media player - Live stream", "{status}");
    Ok(())
}

#[test]
fn ices2_feeds_vorbis() -> Result<()> {
    let server = Serve::start(&[])?;
    let desk = Desk::new()?;
    let clip = desk.clip("chords.ogg")?.display().to_string();
    let list = desk.write("list.txt", &format!("{clip}\n{clip}\n"))?;
    let (_, port) = server.address.split_once(':').unwrap_or_default();
    let config = desk.write(
        "ices.xml",
        &format!(
            "<?xml version=\"1.0\"?><ices><background>0</background><logpath>{}</logpath><logfile>ices.log</logfile>\
             <stream><metadata><name>ices</name></metadata><input><module>playlist</module>\
             <param name=\"type\">basic</param><param name=\"file\">{}</param><param name=\"random\">0</param></input>\
             <instance><hostname>127.0.0.1</hostname><port>{port}</port><password>hush</password>\
             <mount>/ices.ogg</mount></instance></stream></ices>",
            desk.path("").display(),
            list.display()
        ),
    )?;
    let _ices = Program::start(Command::new("ices2").arg(config))?;
    server.wait_live("/ices.ogg")?;
    ffmpeg_plays(&server.url("/ices.ogg"), "2")
}

#[test]
fn ezstream_feeds_mp3_by_libshout() -> Result<()> {
    let server = Serve::start(&[])?;
    let desk = Desk::new()?;
    let clip = desk.clip("chords.mp3")?;
    let list = desk.write("list.m3u", &format!("{}\n", clip.display()))?;
    let (_, port) = server.address.split_once(':').unwrap_or_default();
    let config = desk.write(
        "ezstream.xml",
        &format!(
            "<ezstream><servers><server><protocol>HTTP</protocol><hostname>127.0.0.1</hostname><port>{port}</port>\
             <user>source</user><password>hush</password></server></servers><streams><stream>\
             <mountpoint>/ez.mp3</mountpoint><format>MP3</format><stream_name>ez</stream_name></stream></streams>\
             <intakes><intake><type>playlist</type><filename>{}</filename></intake></intakes></ezstream>",
            list.display()
        ),
    )?;
    let _ezstream = Program::start(Command::new("ezstream").arg("-c").arg(config))?;
    server.wait_live("/ez.mp3")?;
    kit::eventually("the title that libshout sends", || {
        let status = http::get(&server.url("/status-json.xsl"))?.text();
        Ok(status.contains("Chords in MP3").then_some(()))
    })?;
    ffmpeg_plays(&server.url("/ez.mp3"), "2")
}

#[test]
fn liquidsoap_feeds_vorbis_with_titles() -> Result<()> {
    let server = Serve::start(&[])?;
    let desk = Desk::new()?;
    let clip = desk.clip("chords.ogg")?;
    let (_, port) = server.address.split_once(':').unwrap_or_default();
    let script = desk.write(
        "radio.liq",
        &format!(
            "settings.init.allow_root.set(true)\ns = mksafe(single(\"{}\"))\n\
             output.icecast(%vorbis, host=\"127.0.0.1\", port={port}, password=\"hush\", mount=\"lq.ogg\", s)\n",
            clip.display()
        ),
    )?;
    let _liquidsoap = Program::start(Command::new("liquidsoap").arg(script))?;
    server.wait_live("/lq.ogg")?;
    ffmpeg_plays(&server.url("/lq.ogg"), "2")
}
