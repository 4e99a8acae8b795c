//! Files of a folder.

use crate::kit::Rig;
use anyhow::{Result, ensure};
use std::{fs, os::unix::fs::symlink};

#[tokio::test(flavor = "multi_thread")]
async fn files_are_served_whole_in_parts_or_not_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("sub"))?;
    let big: Vec<u8> = (0..200_000u32).map(|at| at as u8).collect();
    fs::write(folder.path().join("sub/a b.mp3"), &big)?;
    let rig = Rig::start(&format!("[http]\nfiles = '{}'\n", folder.path().display())).await?;
    let whole = rig.get("/sub/a%20b.mp3").await?;
    ensure!(whole.status == 200 && whole.body == big);
    ensure!(
        whole.field("content-type") == Some("audio/mpeg") && whole.field("accept-ranges") == Some("bytes")
    );
    let tag = whole.field("etag").unwrap_or_default().to_owned();
    let part = rig.ask("GET", "/sub/a%20b.mp3", "Range: bytes=70000-199999\r\n", "").await?;
    ensure!(part.status == 206 && part.body == big[70_000..]);
    ensure!(part.field("content-range") == Some("bytes 70000-199999/200000"), "{:?}", part.fields);
    let stale = "Range: bytes=1-2\r\nIf-Range: \"other\"\r\n";
    ensure!(rig.ask("GET", "/sub/a%20b.mp3", stale, "").await?.body.len() == big.len());
    let beyond = rig.ask("GET", "/sub/a%20b.mp3", "Range: bytes=200000-\r\n", "").await?;
    ensure!((beyond.status, beyond.field("content-range")) == (416, Some("bytes */200000")), "{beyond:?}");
    let known = rig.ask("GET", "/sub/a%20b.mp3", &format!("If-None-Match: {tag}\r\n"), "").await?;
    ensure!((known.status, known.field("etag")) == (304, Some(tag.as_str())), "{known:?}");
    let head = rig.ask("HEAD", "/sub/a%20b.mp3", "", "").await?;
    ensure!((head.status, head.field("content-length")) == (200, Some("200000")), "{head:?}");
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_the_folder_or_behind_a_dot_is_served() -> Result<()> {
    let outside = tempfile::tempdir()?;
    fs::write(outside.path().join("secret"), "secret")?;
    let root = outside.path().join("root");
    fs::create_dir_all(root.join(".git"))?;
    fs::write(root.join(".git/config"), "secret")?;
    fs::write(root.join("open"), "open")?;
    symlink(outside.path().join("secret"), root.join("link"))?;
    symlink(outside.path(), root.join("dir"))?;
    symlink(root.join(".git/config"), root.join("dotted"))?;
    symlink(root.join("open"), root.join("inside"))?;
    let rig = Rig::start(&format!("[http]\nfiles = '{}'\n", root.display())).await?;
    for path in ["/open", "/inside"] {
        ensure!(rig.get(path).await?.text() == "open", "{path}");
    }
    for path in [
        "/link",
        "/dir/secret",
        "/dotted",
        "/.git/config",
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "//secret",
        "/open/",
        "/open%00",
        "/dir",
        "/nothing",
    ] {
        let reply = rig.get(path).await?;
        ensure!(reply.status == 404 && !reply.text().contains("secret"), "{path} {reply:?}");
    }
    rig.server.stop().await;
    Ok(())
}
