//! As much of a store that speaks S3 as putting objects needs, with its signatures checked.

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// One on a free port, until it is dropped.
pub struct Bucket {
    pub url: String,
    key: String,
    inside: Arc<Mutex<Inside>>,
    task: tokio::task::JoinHandle<()>,
}

/// How it answers those who put something.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Well,
    /// With 500.
    Failing,
    /// Not at all: it closes the connection.
    Silent,
}

#[derive(Default)]
struct Inside {
    secret: String,
    mood: Mood,
    /// Head of the request and body, by path.
    objects: HashMap<String, (String, Vec<u8>)>,
    refused: usize,
    unsigned: usize,
}

impl Bucket {
    /// A store that takes what is signed with `key` and `secret`.
    pub async fn start(key: &str, secret: &str) -> Result<Bucket> {
        let door = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", door.local_addr()?);
        let inside = Arc::new(Mutex::new(Inside { secret: secret.into(), ..Inside::default() }));
        let served = inside.clone();
        let task = tokio::spawn(async move {
            let mut tasks = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = door.accept().await {
                tasks.spawn(serve(stream, served.clone()));
            }
        });
        Ok(Bucket { url, key: key.into(), inside, task })
    }

    /// What a server needs to put everything below `/live/` here.
    pub fn config(&self, secret: &str) -> String {
        let Bucket { url, key, .. } = self;
        format!(
            "[store]\nendpoint = '{url}'\naccess_key = '{key}'\nsecret_key = '{secret}'\n\
             [[mount]]\nname = '/live/*'\nhls_store = 's3://bucket/tv'\n"
        )
    }

    pub fn is(&self, mood: Mood) {
        self.inside().mood = mood;
    }

    pub fn object(&self, path: &str) -> Option<Vec<u8>> {
        self.inside().objects.get(path).map(|(_, body)| body.clone())
    }

    /// What was said with the object.
    pub fn head(&self, path: &str) -> Option<String> {
        self.inside().objects.get(path).map(|(head, _)| head.clone())
    }

    pub fn text(&self, path: &str) -> String {
        String::from_utf8_lossy(&self.object(path).unwrap_or_default()).into_owned()
    }

    /// Requests that were not answered well in another mood.
    pub fn refused(&self) -> usize {
        self.inside().refused
    }

    /// Requests whose signature was not right.
    pub fn unsigned(&self) -> usize {
        self.inside().unsigned
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inside {
    /// The status, and what there is to read; `None` hangs up.
    fn answer(&mut self, method: &str, path: &str, head: &str, body: Vec<u8>) -> Option<(u16, Vec<u8>)> {
        if method == "GET" {
            let found = self.objects.get(path);
            return Some(found.map_or((404, Vec::new()), |(_, body)| (200, body.clone())));
        }
        if self.mood != Mood::Well {
            self.refused += 1;
            return (self.mood == Mood::Failing).then_some((500, Vec::new()));
        }
        if !signed(method, path, head, &body, &self.secret).unwrap_or(false) {
            self.unsigned += 1;
            return Some((403, Vec::new()));
        }
        match method {
            "PUT" => drop(self.objects.insert(path.to_owned(), (head.to_owned(), body))),
            _ => drop(self.objects.remove(path)),
        }
        Some((200, Vec::new()))
    }
}

async fn serve(mut stream: TcpStream, inside: Arc<Mutex<Inside>>) -> Result<()> {
    let mut ahead = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = ahead.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut ahead).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8(ahead.drain(..end).collect())?;
        let mut words = head.split(' ');
        let (method, path) = (words.next().context("no method")?, words.next().context("no path")?);
        let length = field(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        while ahead.len() < length {
            stream.read_buf(&mut ahead).await?;
        }
        let body = ahead.drain(..length).collect();
        let answer = inside.lock().unwrap_or_else(PoisonError::into_inner).answer(method, path, &head, body);
        let Some((status, body)) = answer else { return Ok(()) };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} So\r\nETag: \"x\"\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(&[answer.as_bytes(), &body].concat()).await?;
    }
}

/// Whether a request is signed with `secret` (AWS signature version 4, in the `Authorization` field).
fn signed(method: &str, path: &str, head: &str, body: &[u8], secret: &str) -> Option<bool> {
    let said = field(head, "authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let part = |name: &str| said.split(',').find_map(|part| part.trim().strip_prefix(name));
    let (scope, names) = (part("Credential=")?.split_once('/')?.1, part("SignedHeaders=")?);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let digest = hex(&Sha256::digest(body));
    let mut request = format!("{method}\n{path}\n{query}\n");
    for name in names.split(';') {
        request += &format!("{name}:{}\n", field(head, name)?);
    }
    request += &format!("\n{names}\n{digest}");
    let when = field(head, "x-amz-date")?;
    let text = format!("AWS4-HMAC-SHA256\n{when}\n{scope}\n{}", hex(&Sha256::digest(request)));
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| mac(&key, part));
    Some(hex(&mac(&key, &text)) == part("Signature=")? && field(head, "x-amz-content-sha256")? == digest)
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
