//! A server for tests that says what it is told and remembers what it heard.

use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

/// Serves one connection after the other, each with its answer.
pub(super) struct Script {
    pub(super) address: SocketAddr,
    heard: JoinHandle<Vec<String>>,
}

impl Script {
    /// A server whose nth connection is answered with the nth of `answers` after its request's head, then read to its
    /// end; `None` closes it at once.
    pub(super) async fn of(answers: Vec<Option<String>>) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = tokio::spawn(async move {
            let mut heard = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                    assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the client left");
                }
                if let Some(answer) = answer {
                    let answer = answer.replace("HOST", &address.to_string());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if answer.starts_with("HTTP/1.1 100") || request.starts_with(b"SOURCE") {
                        let _rest = stream.read_to_end(&mut request).await;
                    }
                }
                heard.push(String::from_utf8_lossy(&request).into_owned());
            }
            heard
        });
        Script { address, heard }
    }

    /// What came in on each connection, once all of them are over.
    pub(super) async fn heard(self) -> Vec<String> {
        tokio::time::timeout(Duration::from_secs(20), self.heard).await.unwrap().unwrap()
    }
}
