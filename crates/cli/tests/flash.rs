//! `levada push` and `levada pull` over RTMP, plain and behind TLS.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, clip, codecs, decode, eventually, levada};
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// `levada serve` with RTMP on a free port, and that port's address.
fn serve(more: impl FnOnce(&mut Command)) -> Result<(Serve, String)> {
    let mut server = Serve::with(|command| {
        command.args(["--rtmp", "127.0.0.1:0"]);
        more(command);
    })?;
    let rtmp = server.program.wait_for("serving on rtmp://")?.trim_end_matches('/').to_owned();
    Ok((server, rtmp))
}

/// The rows of a table of times, without their names.
fn rows(table: &Path) -> Result<Vec<Vec<String>>> {
    let text = fs::read_to_string(table)?;
    ensure!(text.starts_with("number,time_s,gap_ms,kind,timestamp_ms,bytes\n"), "{text}");
    Ok(text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect())
}

#[test]
fn what_is_pushed_in_a_loop_is_pulled_as_a_film_with_both_tables_of_times() -> Result<()> {
    let (server, rtmp) = serve(|_| {})?;
    let folder = tempfile::tempdir()?;
    let (sent, came, film) =
        (folder.path().join("sent.csv"), folder.path().join("came.csv"), folder.path().join("film.flv"));
    let mut push = levada();
    push.args(["push", "--loop", "--times"]).arg(&sent).arg(clip("testcard.flv"));
    let mut push = Program::start(push.arg(format!("rtmp://{rtmp}/live/tea?key=hush")))?;
    server.wait_live("/live/tea")?;
    let mut pull = levada();
    pull.args(["pull", "--json", "--for", "3s", "--times"]).arg(&came).arg("-o").arg(&film);
    let out = pull.arg(format!("rtmp://{rtmp}/live/tea")).output()?;
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    ensure!(out.status.success() && told.contains("\"ended\":\"time\""), "{told}");
    ensure!(codecs(&film)? == ["h264", "aac"] && decode(&film)?.is_empty(), "{}", decode(&film)?);
    push.signal("INT")?;
    ensure!(push.wait()?.0, "{}", push.said());
    for table in [&sent, &came] {
        let rows = rows(table)?;
        let of = |kind: &str| rows.iter().filter(|row| row[3] == kind).count();
        ensure!(of("video-header") >= 1 && of("audio-header") >= 1 && of("key") >= 1, "{rows:?}");
        ensure!(of("video") > 40 && of("audio") > 40, "{} rows", rows.len());
        ensure!(
            rows[0][2].is_empty() && rows[1..].iter().all(|row| row[2].parse::<f64>().is_ok()),
            "{rows:?}"
        );
    }
    Ok(())
}

#[test]
fn a_film_goes_on_over_a_publisher_that_leaves_and_ends_when_it_stays_away() -> Result<()> {
    let (server, rtmp) = serve(|command| {
        command.args(["--set", "mount=[{ name = '/live/*', linger = '3s' }]"]);
    })?;
    let to = format!("rtmp://{rtmp}/live/tea?key=hush");
    let once = || {
        let mut push = levada();
        push.args(["push", "--for", "2s"]).arg(clip("testcard.flv")).arg(&to);
        Program::start(&mut push)
    };
    let mut first = once()?;
    server.wait_live("/live/tea")?;
    let folder = tempfile::tempdir()?;
    let film = folder.path().join("film.flv");
    let mut pull = levada();
    let mut pull =
        Program::start(pull.arg("pull").arg(format!("rtmp://{rtmp}/live/tea")).arg("-o").arg(&film))?;
    ensure!(first.wait()?.0, "{}", first.said());
    let mut second = once()?;
    ensure!(second.wait()?.0, "{}", second.said());
    ensure!(pull.wait()?.0, "it ends well: {}", pull.said());
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=dts_time", "-of", "csv=p=0"])
        .arg(&film)
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let times: Vec<f64> = text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    ensure!(times.len() > 60 && times.is_sorted() && times[0] < 0.2, "{times:?}");
    Ok(())
}

#[test]
fn a_wrong_key_and_a_missing_stream_are_told_apart() -> Result<()> {
    let (_server, rtmp) = serve(|_| {})?;
    let push = levada()
        .arg("push")
        .arg(clip("testcard.flv"))
        .arg(format!("rtmp://{rtmp}/live/tea?key=no"))
        .output()?;
    let said = String::from_utf8_lossy(&push.stderr);
    ensure!(push.status.code() == Some(5) && !said.contains("key=no"), "{said}");
    let pull = levada().args(["pull", "-o", "-"]).arg(format!("rtmp://{rtmp}/live/none")).output()?;
    let said = String::from_utf8_lossy(&pull.stderr);
    ensure!(pull.status.code() == Some(4) && said.contains("no such stream"), "{said}");
    Ok(())
}

#[test]
fn rtmps_goes_in_and_out_on_the_port_of_rtmp() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let pem = folder.path().join("both.pem");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    fs::write(&pem, made.cert.pem() + &made.key_pair.serialize_pem())?;
    let (server, rtmp) = serve(|command| {
        command.arg("--cert").arg(&pem);
    })?;
    let mut push = levada();
    push.env("SSL_CERT_FILE", &pem).args(["push", "--loop"]).arg(clip("testcard.flv"));
    let _push = Program::start(push.arg(format!("rtmps://{rtmp}/live/tea?key=hush")))?;
    server.wait_live("/live/tea")?;
    for scheme in ["rtmps", "rtmp"] {
        let film = folder.path().join(format!("{scheme}.flv"));
        let mut pull = levada();
        pull.env("SSL_CERT_FILE", &pem).args(["pull", "--for", "2s", "-o"]).arg(&film);
        let out = pull.arg(format!("{scheme}://{rtmp}/live/tea")).output()?;
        ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        ensure!(codecs(&film)? == ["h264", "aac"], "{:?}", codecs(&film)?);
    }
    let film = folder.path().join("ffmpeg.flv");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-t", "1", "-i"]).arg(format!("rtmps://{rtmp}/live/tea"));
    let out = ffmpeg.args(["-c", "copy"]).arg(&film).output()?;
    ensure!(out.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

#[test]
fn a_person_may_stop_with_q_and_is_asked_before_a_film_is_overwritten() -> Result<()> {
    let (server, rtmp) = serve(|_| {})?;
    let mut push = levada();
    push.args(["push", "--loop"]).arg(clip("testcard.flv")).arg(format!("rtmp://{rtmp}/live/tea?key=hush"));
    let _push = Program::start(&mut push)?;
    server.wait_live("/live/tea")?;
    let folder = tempfile::tempdir()?;
    let film = folder.path().join("film.flv");
    fs::write(&film, "precious")?;
    let line =
        format!("{} pull rtmp://{rtmp}/live/tea -o {}", levada().get_program().display(), film.display());
    // script gives it a terminal
    let terminal = |typed: &mut dyn FnMut(&mut dyn Write) -> Result<()>| -> Result<String> {
        let mut script = Command::new("script");
        script.args(["-q", "-e", "-c", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().context("script is missing")?;
        let mut keys = child.stdin.take().context("no keys")?;
        typed(&mut keys)?;
        let out = child.wait_with_output()?;
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    };
    let said = terminal(&mut |keys| Ok(keys.write_all(b"n\n")?))?;
    ensure!(said.contains("overwrite it?") && fs::read(&film)? == b"precious", "{said}");
    let said = terminal(&mut |keys| {
        keys.write_all(b"y\n")?;
        eventually("the film to grow", || Ok((fs::metadata(&film)?.len() > 100_000).then_some(())))?;
        Ok(keys.write_all(b"q")?)
    })?;
    ensure!(said.contains("kbit/s") && said.contains("received"), "{said}");
    ensure!(codecs(&film)? == ["h264", "aac"], "{:?}", codecs(&film)?);
    Ok(())
}
