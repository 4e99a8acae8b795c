//! A page on this machine that shows the other end's pictures in a browser.

use super::Shared;
use crate::output::Console;
use anyhow::{Context, Result};
use levada_serve::http::{Answer, First, Head, HeadReader, Status};
use levada_serve::websocket;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// A server for this machine's browsers alone: it listens on 127.0.0.1, and answers no page but its own, whatever name it was found by.
/// A browser that is slow misses pictures; at most eight are served at once, further ones wait.
pub struct Page {
    to: watch::Sender<Option<Shared>>,
    serving: AbortHandle,
}

impl Page {
    /// Begins at a port, 0 for any that is free; to be called within a runtime.
    pub fn start(port: u16, console: Console) -> Result<Page> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("no page at port {port}"))?;
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Handle::try_current()?;
        let _within = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        let port = listener.local_addr()?.port();
        let (to, pictures) = watch::channel(None);
        let serving = runtime.spawn(serve(listener, port, pictures)).abort_handle();
        let line = format!("pictures are shown at http://127.0.0.1:{port}/");
        console.say(&line);
        if console.json() {
            eprintln!("{line}");
        }
        Ok(Page { to, serving })
    }

    /// From now on, this picture.
    pub fn show(&self, picture: &Shared) {
        self.to.send_replace(Some(picture.clone()));
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, port: u16, pictures: watch::Receiver<Option<Shared>>) {
    let room = std::sync::Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else { continue };
        let pictures = pictures.clone();
        tasks.spawn(async move {
            let _closed = answer(socket, port, pictures).await;
            drop(permit);
        });
        while tasks.try_join_next().is_some() {}
    }
}

async fn answer(
    mut socket: TcpStream,
    port: u16,
    pictures: watch::Receiver<Option<Shared>>,
) -> std::io::Result<()> {
    let reader = HeadReader::default();
    let mut bytes = Vec::new();
    let head = loop {
        let mut piece = [0; 2_048];
        let got = timeout(PATIENCE, socket.read(&mut piece)).await.unwrap_or(Ok(0))?;
        bytes.extend_from_slice(&piece[..got]);
        match reader.read(&bytes) {
            Ok(Some(First::Request(head, _))) => break head,
            Ok(None) if got > 0 => {}
            _ => return Ok(()),
        }
    };
    if !is_ours(&head, port) {
        let why = "this page is for this machine alone";
        return socket.write_all(&Answer::refuse(head.version, Status::FORBIDDEN, why)).await;
    }
    if let (Some("/pictures"), Some(key)) = (head.path().as_deref(), websocket::key(&head)) {
        let agreed = Answer::new(head.version, Status(101, "Switching Protocols"))
            .field("Upgrade", "websocket")
            .field("Connection", "Upgrade")
            .field("Sec-WebSocket-Accept", websocket::accept(key));
        socket.write_all(&agreed.head()).await?;
        return send(socket, pictures).await;
    }
    let (kind, body) = match head.path().as_deref() {
        Some("/") => ("text/html; charset=utf-8", PAGE),
        Some("/view.js") => ("text/javascript; charset=utf-8", SCRIPT),
        _ => {
            let none = Answer::refuse(head.version, Status::NOT_FOUND, "there is nothing here");
            return socket.write_all(&none).await;
        }
    };
    let found = Answer::new(head.version, Status::OK)
        .field("Connection", "close")
        .field("Cache-Control", "no-store")
        .field("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'")
        .field("Cross-Origin-Resource-Policy", "same-origin")
        .field("X-Content-Type-Options", "nosniff");
    socket.write_all(&found.body(kind, body)).await
}

/// Pictures as they come; those that came while one was on its way are left out, but for the last.
async fn send(mut socket: TcpStream, mut pictures: watch::Receiver<Option<Shared>>) -> std::io::Result<()> {
    pictures.mark_changed();
    let mut said = [0; 512];
    loop {
        tokio::select! {
            changed = pictures.changed() => {
                if changed.is_err() {
                    return socket.write_all(websocket::CLOSE).await;
                }
            }
            // nothing is to be said; the end is
            got = socket.read(&mut said) => match got? {
                0 => return Ok(()),
                _ if said[0] & 15 == 8 => return Ok(()),
                _ => continue,
            }
        }
        let Some(picture) = pictures.borrow_and_update().clone() else { continue };
        let mut message = Vec::with_capacity(4 + picture.width * picture.height * 3 / 2);
        for side in [picture.width, picture.height] {
            message.extend_from_slice(&(side as u16).to_be_bytes());
        }
        picture.planes.iter().for_each(|plane| message.extend_from_slice(plane));
        let sent = timeout(PATIENCE, socket.write_all(&websocket::message(&message))).await;
        sent.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))?;
    }
}

/// Whether a request is for this page by its own name, and, where a page makes it, from this page: another site's page, or a name that was
/// made to lead here, sees nothing.
fn is_ours(head: &Head, port: u16) -> bool {
    let names = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{port}"));
    let host = head.field("host").unwrap_or_default();
    let origin = head.field("origin").map(|origin| origin.strip_prefix("http://").unwrap_or("elsewhere"));
    let upgrades = head.field("upgrade").is_some();
    names.iter().any(|name| name == host)
        && head.method == "GET"
        && origin.map_or(!upgrades, |origin| origin == host)
}

const AT_ONCE: usize = 8;
/// How long a browser may take to ask, or to take a picture.
const PATIENCE: Duration = Duration::from_secs(10);
const PAGE: &str = include_str!("view.html");
const SCRIPT: &str = include_str!("view.js");

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lines: &str) -> Head {
        let request = format!("GET /pictures HTTP/1.1\r\n{lines}\r\n");
        match HeadReader::default().read(request.as_bytes()) {
            Ok(Some(First::Request(head, _))) => head,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn other_sites_and_names_that_lead_here_see_nothing() {
        let ours = |lines: &str| is_ours(&asked(lines), 80);
        let upgrade = "Upgrade: websocket\r\n";
        assert!(ours("Host: 127.0.0.1:80\r\n"));
        assert!(ours(&format!("Host: localhost:80\r\nOrigin: http://localhost:80\r\n{upgrade}")));
        assert!(!ours(&format!("Host: localhost:80\r\nOrigin: http://localhost:81\r\n{upgrade}")));
        assert!(!ours(&format!("Host: localhost:80\r\nOrigin: https://evil.example\r\n{upgrade}")));
        assert!(!ours(&format!("Host: localhost:80\r\nOrigin: null\r\n{upgrade}")));
        assert!(!ours(&format!("Host: localhost:80\r\n{upgrade}")), "a page always says where it is from");
        assert!(!ours("Host: evil.example:80\r\nOrigin: http://evil.example:80\r\n"));
        assert!(!ours("Accept: */*\r\n"));
    }
}
