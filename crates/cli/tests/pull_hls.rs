//! `levada pull` of HLS: ours, and one of transport streams that ffmpeg made.

mod kit;

use anyhow::{Result, ensure};
use kit::{Program, Serve, codecs, decode, levada, push};
use std::process::Command;

#[test]
fn a_live_stream_is_saved_as_one_file_that_plays() -> Result<()> {
    let server = Serve::start(&[])?;
    let _source = push(&server, "speech.aac", "/talk.aac")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("heard.mp4");
    let mut pull = Program::start(
        levada().args(["pull", "--for", "7s", &server.url("/talk.aac/index.m3u8"), "-o"]).arg(&file),
    )?;
    let (well, said) = pull.wait()?;
    ensure!(well && said.contains("following HLS"), "{said}");
    ensure!(codecs(&file)? == ["aac"], "{said}");
    ensure!(decode(&file)?.is_empty(), "every frame decodes");
    Ok(())
}

#[test]
fn a_foreign_playlist_of_transport_streams_is_saved_whole_from_its_best_variant() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(kit::clip("testcard.flv"))
        .args(["-c", "copy", "-f", "hls", "-hls_time", "1", "-hls_list_size", "0"])
        .arg(folder.path().join("list.m3u8"))
        .status()?;
    ensure!(made.success(), "ffmpeg makes HLS");
    let master =
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nnone.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nlist.m3u8\n";
    std::fs::write(folder.path().join("main.m3u8"), master)?;
    let files = format!("http.files={}", folder.path().display());
    let server = Serve::start(&["--set", &files])?;
    let file = folder.path().join("saved.ts");
    let mut pull = Program::start(levada().args(["pull", &server.url("/main.m3u8"), "-o"]).arg(&file))?;
    let (well, said) = pull.wait()?;
    ensure!(well, "{said}");
    let mut found = codecs(&file)?;
    found.retain(|codec| !codec.is_empty());
    found.sort();
    found.dedup();
    ensure!(found == ["aac", "h264"], "{found:?}");
    ensure!(decode(&file)?.is_empty(), "every frame decodes");
    Ok(())
}
