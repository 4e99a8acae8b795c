//! Announcements to a directory.

use crate::kit::{PATIENCE, Rig, mp3};
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

/// A directory that says yes to everything and tells what it was told.
struct Directory {
    address: SocketAddr,
    forms: mpsc::UnboundedReceiver<String>,
    _tasks: JoinSet<()>,
}

impl Directory {
    async fn open() -> Result<Directory> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, (told, forms)) = (listener.local_addr()?, mpsc::unbounded_channel());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(form) = answer(stream).await {
                    let _closed = told.send(form);
                }
            }
        });
        Ok(Directory { address, forms, _tasks: tasks })
    }

    async fn told(&mut self) -> Result<String> {
        timeout(PATIENCE, self.forms.recv())
            .await
            .context("the directory was told nothing")?
            .context("closed")
    }
}

async fn answer(stream: TcpStream) -> Result<String> {
    let mut stream = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    while stream.read_line(&mut line).await? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
        line.clear();
    }
    let mut form = vec![0; length];
    stream.read_exact(&mut form).await?;
    let yes = b"HTTP/1.1 200 OK\r\nYPResponse: 1\r\nYPMessage: OK\r\nSID: 42\r\nTouchFreq: 200\r\n\r\n";
    stream.write_all(yes).await?;
    Ok(String::from_utf8(form)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn public_mounts_are_added_touched_and_taken_back() -> Result<()> {
    let mut directory = Directory::open().await?;
    let rig = Rig::start(&format!(
        "[server]\nhostname = 'radio.example:80'\n[[directory]]\nurl = 'http://{}/cgi'\n\
         [[mount]]\nname = '/h.mp3'\nhidden = true\n[[mount]]\nname = '/p.mp3'\npublic = false\n",
        directory.address
    ))
    .await?;
    let public = "ice-public: 1\r\nice-name: N & m\r\n";
    let _hidden = rig.feed("/h.mp3", "audio/mpeg", public, &mp3(1)).await?;
    let _private = rig.feed("/p.mp3", "audio/mpeg", public, &mp3(1)).await?;
    let _silent = rig.feed("/s.mp3", "audio/mpeg", "", &mp3(1)).await?;
    let _source = rig.feed("/a.mp3", "audio/mpeg", public, &mp3(1)).await?;
    let add = directory.told().await?;
    ensure!(add.starts_with("action=add&sn=N%20%26%20m&genre=various&"), "{add}");
    ensure!(add.contains("&listenurl=http%3a%2f%2fradio%2eexample%3a80%2fa%2emp3&"), "{add}");
    rig.admin("/admin/metadata?mount=/a.mp3&mode=updinfo&song=T").await?;
    let touch = directory.told().await?;
    ensure!(touch.starts_with("action=touch&sid=42&st=T&listeners=0&"), "{touch}");
    rig.server.stop().await;
    ensure!(directory.told().await? == "action=remove&sid=42");
    ensure!(directory.forms.try_recv().is_err(), "nothing else was told");
    Ok(())
}
