//! The real programs on the other side.

use super::{Program, Serve, clip};
use anyhow::{Result, ensure};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// A folder that other users can read, for programs that refuse to be root.
pub struct Desk(tempfile::TempDir);

impl Desk {
    /// An empty one.
    pub fn new() -> Result<Desk> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
        Ok(Desk(folder))
    }

    /// Where a file of this name is, or will be.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A copy of a clip.
    pub fn clip(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::copy(clip(name), &path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        Ok(path)
    }

    /// A file with this text.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// VLC without a window; as nobody when the test is root, as VLC insists.
    pub fn vlc(&self) -> Command {
        let mut command = if is_root() { Command::new("runuser") } else { Command::new("cvlc") };
        if is_root() {
            command.args(["-u", "nobody", "--", "cvlc"]);
        }
        command.env("HOME", self.0.path()).args(["-I", "dummy", "--no-plugins-cache"]);
        command
    }
}

/// VLC shows pictures and plays sound of a stream, for a while, and must not complain of it.
pub fn vlc_plays(desk: &Desk, url: &str) -> Result<()> {
    let mut vlc = Program::start(desk.vlc().args(["-vv", "--vout=vdummy", "--aout=adummy", url]))?;
    vlc.wait_for("Opening vout display")?;
    vlc.wait_for("audio output debug: input ")?;
    std::thread::sleep(std::time::Duration::from_secs(2));
    vlc.stop();
    // What a desk without a desktop lacks, and that a busy machine shows pictures late, is not the stream's fault.
    let elsewhere = |line: &&str| {
        !["interface", "dbus", "buffer deadlock prevented"].iter().any(|known| line.contains(known))
    };
    let said = vlc.said();
    let wrong: Vec<_> = said.lines().filter(|line| line.contains(" error: ")).filter(elsewhere).collect();
    ensure!(wrong.is_empty(), "VLC on {url}: {wrong:#?}");
    Ok(())
}

/// Whether the test runs as root.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.starts_with(b"0\n"))
}

/// ffmpeg sends a clip in a loop without touching its packets. Vorbis and Theora it encodes anew: of the seam between one
/// round's packets and the next's another ffmpeg complains.
pub fn ffmpeg_source(server: &Serve, file: &str, mount: &str, more: &[&str]) -> Result<Program> {
    let (format, kind) = match Path::new(file).extension().and_then(|e| e.to_str()) {
        Some("mp3") => ("mp3", "audio/mpeg"),
        Some("aac") => ("adts", "audio/aac"),
        Some("webm") => ("webm", "video/webm"),
        _ => ("ogg", "application/ogg"),
    };
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-re", "-stream_loop", "-1", "-i"]).arg(clip(file));
    let codecs: &[&str] = match file.ends_with(".ogv") || file.ends_with(".ogg") {
        true => &[
            "-c:v",
            "libtheora",
            "-g",
            "25",
            "-b:v",
            "160k",
            "-c:a",
            "libvorbis",
            "-af",
            "aresample=async=1",
        ],
        false => &["-c", "copy"],
    };
    command.args(codecs);
    command.args(["-f", format, "-content_type", kind]).args(more).arg(server.source(mount));
    let program = Program::start(&mut command)?;
    server.wait_live(mount)?;
    Ok(program)
}

/// A player reads a few seconds of a stream and must not complain.
pub fn ffmpeg_plays(url: &str, seconds: &str) -> Result<()> {
    let out =
        Command::new("ffmpeg").args(["-v", "error", "-t", seconds, "-i", url, "-f", "null", "-"]).output()?;
    let said = super::complaints(&out.stderr);
    ensure!(out.status.success() && said.is_empty(), "ffmpeg on {url}: {said}");
    Ok(())
}
