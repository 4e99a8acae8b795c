//! Streams to and from a foreign RTMP server: nginx with its RTMP module.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, Serve, clip, codecs, eventually, levada, programs::Desk};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
};

/// Debian's nginx with the RTMP module, and its port. Application `in` hands every stream on to `ours`, `out` pulls
/// from there.
struct Nginx {
    _program: Program,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Nginx {
    fn start(ours: &str) -> Result<Nginx> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let conf = folder.path().join("nginx.conf");
        let at = folder.path().display();
        fs::write(
            &conf,
            format!(
                "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
                daemon off; master_process off; error_log stderr warn; pid {at}/nginx.pid;
                events {{ worker_connections 64; }}
                rtmp {{ server {{ listen 127.0.0.1:{port};
                    application in {{ live on; push rtmp://{ours}/live/back?key=hush; }}
                    application out {{ live on; pull rtmp://{ours}/live; }}
                }} }}"
            ),
        )?;
        let mut nginx = Command::new("/usr/sbin/nginx");
        let program = Program::start(nginx.arg("-p").arg(folder.path()).arg("-c").arg(&conf))?;
        eventually("nginx to listen", || Ok(TcpStream::connect(("127.0.0.1", port)).ok()))?;
        Ok(Nginx { _program: program, port, _folder: folder })
    }
}

fn save(url: &str, to: &Path) -> Result<()> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-y", "-t", "1", "-i", url, "-c", "copy", "-f", "flv"]);
    let out = ffmpeg.arg(to).output().context("ffmpeg")?;
    ensure!(out.status.success(), "ffmpeg on {url}: {}", String::from_utf8_lossy(&out.stderr));
    ensure!(codecs(to)? == ["h264", "aac"], "{url}: {:?}", codecs(to)?);
    Ok(())
}

#[test]
fn nginx_pushes_to_us_and_pulls_from_us_and_we_to_it_and_from_it() -> Result<()> {
    let rtmp = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let nginx = Nginx::start(&rtmp)?;
    let theirs = format!("rtmp://127.0.0.1:{}", nginx.port);
    let server = Serve::with(|command| {
        command.args(["--rtmp", &rtmp]);
        command.args(["--set", &format!("mount=[{{ name = '/live/tea', push = ['{theirs}/in/tea'] }}]")]);
        command.args(["--set", &format!("relay=[{{ from = ['{theirs}/in/tea'], mount = '/live/pulled' }}]")]);
    })?;
    let mut push = levada();
    push.args(["push", "--loop"]).arg(clip("testcard.flv")).arg(format!("rtmp://{rtmp}/live/tea?key=hush"));
    let _push = Program::start(&mut push)?;
    for mount in ["/live/tea", "/live/back", "/live/pulled"] {
        server.wait_live(mount)?;
    }
    let desk = Desk::new()?;
    let file = desk.path("saved.flv");
    save(&format!("{theirs}/in/tea"), &file)?; // what we push
    save(&format!("{theirs}/out/tea"), &file)?; // what it pulls
    let back = server.url("/live/back.flv"); // what it pushes, from its next key picture on
    eventually("what nginx pushes", || Ok(save(&back, &file).ok()))?;
    save(&format!("rtmp://{rtmp}/live/pulled"), &file)?; // what we pull
    let shown = levada()
        .args(["serve", "--print-config", "--set", "mount=[{ name = '/a', push = ['rtmp://h/a/secret'] }]"])
        .output()?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    ensure!(shown.contains("push") && !shown.contains("secret"), "{shown}");
    Ok(())
}
