//! Mounts that are relayed from foreign HLS: transport streams and fragmented MP4 that ffmpeg writes.

mod kit;

use anyhow::{Result, ensure};
use kit::{Program, Serve, clip, codecs, decode, eventually, programs::Desk};
use std::{fs, path::Path, process::Command};

/// ffmpeg writes a live playlist of the clip into `folder`, in segments of a second, as `how` says.
fn write(folder: &Path, how: &[&str]) -> Result<Program> {
    fs::create_dir_all(folder)?;
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-re", "-stream_loop", "-1", "-i"]).arg(clip("testcard.flv"));
    command.args(["-c", "copy", "-f", "hls", "-hls_time", "1", "-hls_list_size", "6", "-hls_flags"]);
    command.args(["delete_segments"]).args(how).arg(folder.join("list.m3u8"));
    Program::start(&mut command)
}

#[test]
fn what_ffmpeg_writes_as_hls_is_a_mount_like_all_others() -> Result<()> {
    let desk = Desk::new()?;
    let files = format!("http.files={}", desk.path("").display());
    let foreign = Serve::start(&["--set", &files])?;
    let _ts = write(&desk.path("ts"), &[])?;
    let _mp4 = write(&desk.path("mp4"), &["-hls_segment_type", "fmp4"])?;
    let relay = |kind: &str| format!("{{ from = ['{}'] }}", foreign.url(&format!("/{kind}/list.m3u8")));
    let server = Serve::start(&["--set", &format!("relay=[{}, {}]", relay("ts"), relay("mp4"))])?;
    for mount in ["/ts/list", "/mp4/list"] {
        server.wait_live(mount)?;
        let file = desk.path("saved.flv");
        eventually(&format!("{mount} to be saved"), || {
            let mut save = Command::new("ffmpeg");
            save.args([
                "-v",
                "error",
                "-y",
                "-t",
                "3",
                "-i",
                &server.url(&format!("{mount}.flv?start=fast")),
            ]);
            let saved = save.args(["-c", "copy"]).arg(&file).output()?.status.success();
            Ok((saved && codecs(&file)? == ["h264", "aac"]).then_some(()))
        })?;
        let said = decode(&file)?;
        ensure!(said.is_empty(), "{mount}: every frame decodes: {said}");
    }
    let list = eventually("our own HLS of it", || {
        let reply = kit::http::get(&server.url("/mp4/list/index.m3u8"))?;
        Ok((reply.status == 200 && reply.text().contains("#EXTINF")).then(|| reply.text()))
    })?;
    ensure!(list.contains("#EXT-X-MAP"), "{list}");
    Ok(())
}

#[test]
fn a_playlist_that_ends_or_is_none_is_asked_again() -> Result<()> {
    let desk = Desk::new()?;
    let files = format!("http.files={}", desk.path("").display());
    let foreign = Serve::start(&["--set", &files])?;
    desk.write("list.m3u8", "<html>not yet</html>")?;
    let url = foreign.url("/list.m3u8");
    let mut server = Serve::start(&["--set", &format!("relay=[{{ from = ['{url}'], mount = '/tea' }}]")])?;
    server.program.wait_for("this is no playlist of HLS")?;
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(clip("testcard.flv"))
        .args(["-c", "copy", "-f", "hls", "-hls_time", "1", "-hls_list_size", "0"])
        .arg(desk.path("list.m3u8"))
        .status()?;
    ensure!(made.success(), "ffmpeg makes HLS");
    server.wait_live("/tea")?;
    server.program.wait_for("the stream ended")?;
    server.wait_live("/tea") // again from its beginning
}
