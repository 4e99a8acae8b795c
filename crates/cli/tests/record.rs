//! Recordings: every format, rotation, retention, kill -9, a publisher that restarts, a full disk.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, clip, codecs, eventually, http, levada, programs::Desk, push};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Files of a folder that end with `ending`, by name.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    found.sort();
    Ok(found)
}

/// Seconds of a file's first track, from its first packet to its last.
fn seconds(file: &Path) -> Result<(f64, f64)> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "0", "-show_entries", "packet=dts_time", "-of", "csv=p=0"])
        .arg(file)
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let times: Vec<f64> = text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    ensure!(times.is_sorted(), "{}: {times:?}", file.display());
    Ok((*times.first().context("no packets")?, *times.last().context("no packets")?))
}

/// Decodes without an error. Bare sound and Ogg that begins in the middle make ffmpeg say things that are none.
fn is_good(file: &Path) -> Result<()> {
    let out =
        Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(file).args(["-f", "null", "-"]).output()?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success() && said.is_empty(), "{}: {said}", file.display());
    Ok(())
}

fn record_view(server: &Serve, mount: &str) -> Result<String> {
    Ok(server.admin(&format!("/api/v1/mounts/{mount}/record"))?.text())
}

#[test]
fn a_killed_server_leaves_files_that_play_in_every_format() -> Result<()> {
    let desk = Desk::new()?;
    let rec = desk.path("rec");
    let mount = |name: &str, file: &str, format: &str, more: &str| {
        format!(
            "[[mount]]\nname = '{name}'\nfile = '{}'\nrecord = {{ path = '{}/{{mount}}/%Y%m%d-%H%M%S', format = '{format}'{more} }}\n",
            clip(file).display(),
            rec.display()
        )
    };
    let config = [
        mount("/native.flv", "testcard.flv", "native", ", rotate = '2s'"),
        mount("/flv", "testcard.flv", "flv", ", rotate = '2s', keep = 2"),
        mount("/fmp4", "testcard.flv", "fmp4", ", rotate = '2s'"),
        mount("/ogg", "speech.opus", "native", ", rotate = '2s'"),
        mount("/mp3", "chords.mp3", "fmp4", ""),
        mount("/webm", "fractal.webm", "native", ", rotate = '64kB', keep = '1h'"),
    ]
    .concat();
    let config = desk.write("record.toml", &config)?;
    let mut server = Serve::with(|command| {
        command.arg("--config").arg(&config);
    })?;
    let folders = [
        ("native.flv", ".flv", "h264"),
        ("flv", ".flv", "h264"),
        ("fmp4", ".mp4", "h264"),
        ("ogg", ".ogg", "opus"),
        ("mp3", ".mp4", "mp3"),
        ("webm", ".webm", "vp8"),
    ];
    eventually("three files of each that rotates", || {
        let mut enough = true;
        for (folder, ending, _) in folders {
            let view = record_view(&server, folder)?;
            let count: u64 = view
                .split("\"files\":")
                .nth(1)
                .and_then(|rest| rest.split(',').next()?.parse().ok())
                .unwrap_or(0);
            let big = files(&rec.join(folder), ending)?
                .iter()
                .all(|file| fs::metadata(file).is_ok_and(|about| about.len() > 2_000));
            enough &= big && count >= if folder == "mp3" { 1 } else { 3 };
        }
        Ok(enough.then_some(()))
    })?;
    server.program.signal("KILL")?;
    eventually("the server's end", || Ok((!server.program.runs()).then_some(())))?;
    for (folder, ending, codec) in folders {
        let found = files(&rec.join(folder), ending)?;
        ensure!(folder != "flv" || found.len() <= 2, "two are kept: {found:?}");
        for (at, file) in found.iter().enumerate() {
            ensure!(
                codecs(file)?.iter().any(|seen| seen == codec),
                "{}: {:?}",
                file.display(),
                codecs(file)?
            );
            // the last moment of the last file may be half a picture
            if at + 1 < found.len() {
                is_good(file)?;
            }
            let (first, last) = seconds(file)?;
            let made = matches!(folder, "flv" | "fmp4" | "mp3");
            ensure!(!made || first < 0.5, "{} begins at {first} s", file.display());
            ensure!(last > first || at + 1 == found.len(), "{}: {first} to {last} s", file.display());
        }
        // VLC plays the first one to its end
        let file = found.first().context("no file")?;
        let saved = desk.path("vlc.ts");
        let mut vlc = desk.vlc();
        vlc.args(["--play-and-exit", "--sout"])
            .arg(format!("#std{{access=file,mux=ts,dst={}}}", saved.display()));
        if !matches!(folder, "webm" | "ogg") {
            let (good, said) = Program::start(vlc.arg(file))?.wait()?;
            ensure!(good, "{said}");
            ensure!(
                codecs(&saved)?.iter().any(|seen| seen == codec),
                "VLC on {}: {:?}",
                file.display(),
                codecs(&saved)?
            );
            fs::remove_file(&saved)?;
        }
    }
    Ok(())
}

#[test]
fn a_publisher_that_restarts_begins_a_file_and_the_api_begins_and_ends_them() -> Result<()> {
    let desk = Desk::new()?;
    let rec = desk.path("rec");
    let config = desk.write(
        "record.toml",
        &format!("[[mount]]\nname = '/tea.mp3'\nrecord = {{ path = '{}/%s' }}\n", rec.display()),
    )?;
    let server = Serve::with(|command| {
        command.arg("--config").arg(&config);
    })?;
    let count = |wanted: usize| {
        eventually(&format!("{wanted} files"), || {
            let found = files(&rec, ".mp3")?;
            let big = found.iter().all(|file| fs::metadata(file).is_ok_and(|about| about.len() > 4_000));
            Ok((found.len() == wanted && big).then_some(()))
        })
    };
    let first = push(&server, "chords.mp3", "/tea.mp3")?;
    count(1)?;
    drop(first);
    eventually("the file's end", || {
        Ok(record_view(&server, "tea.mp3")?.contains("\"file\":null").then_some(()))
    })?;
    let _second = push(&server, "chords.mp3", "/tea.mp3")?;
    count(2)?;
    let wish = |record: bool| -> Result<()> {
        let body = format!("{{\"record\":{record}}}");
        let url = server.url("/api/v1/mounts/tea.mp3/record");
        let out = Command::new("curl")
            .args([
                "-s",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "-u",
                "admin:hush-admin",
                "-H",
                "Content-Type: application/json",
                "-d",
                &body,
                &url,
            ])
            .output()?;
        ensure!(out.stdout == b"204", "{}", String::from_utf8_lossy(&out.stdout));
        Ok(())
    };
    wish(false)?;
    eventually("the file's end", || {
        Ok(record_view(&server, "tea.mp3")?.contains("\"file\":null").then_some(()))
    })?;
    wish(true)?;
    count(3)?;
    for file in files(&rec, ".mp3")? {
        ensure!(codecs(&file)? == ["mp3"], "{}", file.display());
    }
    let other = http::get(&server.url("/api/v1/mounts/tea.mp3/record"))?;
    ensure!(other.status == 401, "only the administrator may look: {}", other.status);
    Ok(())
}

#[test]
fn a_full_disk_is_told_and_live_goes_on() -> Result<()> {
    let desk = Desk::new()?;
    let (disk, state) = (desk.path("disk"), desk.path("state"));
    fs::create_dir(&disk)?;
    let config = desk.write(
        "record.toml",
        &format!(
            "[[mount]]\nname = '/tea.flv'\nfile = '{}'\nrecord = {{ path = '{}/%s' }}\n",
            clip("testcard.flv").display(),
            disk.display()
        ),
    )?;
    // a disk of 128 kB, which only this server sees
    let script = "mount -t tmpfs -o size=128k none \"$1\" && shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(&disk);
    command.arg(levada().get_program()).args(["serve", "--http", "127.0.0.1:0", "--config"]).arg(&config);
    command
        .env("LEVADA__AUTH__SOURCE_PASSWORD", "hush-hush-hush")
        .env("LEVADA__AUTH__ADMIN_PASSWORD", "hush-admin");
    command.env("LEVADA__SERVER__STATE", &state);
    let mut server = Program::start(&mut command)?;
    let address = server.wait_for("serving on http://")?.trim_end_matches('/').to_owned();
    let view = || -> Result<String> {
        let url = format!("http://{address}/api/v1/mounts/tea.flv/record");
        Ok(http::request("GET", &url, Some(("admin", "hush-admin")), None)?.text())
    };
    let told = eventually("the full disk to be told", || {
        let view = view()?;
        Ok(view.contains("No space left").then_some(view))
    })?;
    ensure!(told.contains("\"file\":null"), "{told}");
    server.wait_for("cannot be recorded")?;
    // whoever listens has noticed nothing
    let saved = desk.path("live.flv");
    let url = format!("http://{address}/tea.flv");
    let out = Command::new("curl").args(["-s", "--max-time", "3", "-o"]).arg(&saved).arg(&url).output()?;
    ensure!(out.status.code() == Some(28), "it goes on for ever: {:?}", out.status);
    ensure!(codecs(&saved)? == ["h264", "aac"], "{:?}", codecs(&saved)?);
    Ok(())
}
