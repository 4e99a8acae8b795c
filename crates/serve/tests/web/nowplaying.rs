//! What now-playing collectors (AzuraCast's and its like) rely on: their rules of reading, applied to our answers.

use crate::kit::{Rig, Wire, basic, mp3};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What such a collector knows of one mount afterwards.
#[derive(Debug, PartialEq)]
struct NowPlaying {
    text: String,
    listeners: u64,
    bitrate: String,
    format: String,
}

/// From the public JSON: the source may be missing, one object, or a list; the mount is found by the end of its address;
/// the text is artist and title, or the title alone; missing bit rates are taken from what the stream says.
fn from_json(doc: &Value, mount: &str) -> Option<NowPlaying> {
    let source = doc.get("icestats")?.get("source")?;
    let rows: Vec<&Value> =
        if source.get("listenurl").is_some() { vec![source] } else { source.as_array()?.iter().collect() };
    let row =
        rows.into_iter().find(|row| row["listenurl"].as_str().is_some_and(|url| url.ends_with(mount)))?;
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (artist, title) = (text("artist"), text("title"));
    let bitrate = ["bitrate", "ice-bitrate"].iter().find_map(|key| row.get(*key)).map(Value::to_string);
    Some(NowPlaying {
        text: if artist.is_empty() { title } else { format!("{artist} - {title}") },
        listeners: row["listeners"].as_u64()?,
        bitrate: bitrate.unwrap_or_default(),
        format: row["server_type"].as_str()?.to_owned(),
    })
}

/// From the administrator's XML, as those who hold the password read it: `source[@mount]`, then its elements.
fn from_xml(doc: &str, mount: &str) -> Option<NowPlaying> {
    let (_, rest) = doc.split_once(&format!("<source mount=\"{mount}\">"))?;
    let (source, _) = rest.split_once("</source>")?;
    let text = |key: &str| {
        let (_, rest) = source.split_once(&format!("<{key}>"))?;
        Some(rest.split_once("</")?.0.replace("&lt;", "<").replace("&amp;", "&"))
    };
    let (artist, title) = (text("artist").unwrap_or_default(), text("title").unwrap_or_default());
    Some(NowPlaying {
        text: if artist.is_empty() { title } else { format!("{artist} - {title}") },
        listeners: text("listeners")?.parse().ok()?,
        bitrate: text("bitrate").or(text("ice-bitrate")).unwrap_or_default(),
        format: text("server_type")?,
    })
}

/// Listeners one by one: address, agent, seconds, id.
fn clients(doc: &str) -> Vec<[String; 4]> {
    let text = |listener: &str, key: &str| {
        let rest = listener.split_once(&format!("<{key}>")).map_or("", |(_, rest)| rest);
        rest.split_once("</").map_or("", |(text, _)| text).to_owned()
    };
    let listeners = doc.split("<listener>").skip(1);
    listeners.map(|one| ["IP", "UserAgent", "Connected", "ID"].map(|key| text(one, key))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_read_one_mount_many_and_none() -> Result<()> {
    let rig = Rig::start("").await?;
    ensure!(from_json(&rig.get("/status-json.xsl").await?.json()?, "/radio.mp3").is_none());
    let fields = "ice-audio-info: bitrate=128;samplerate=44100;channels=2\r\n";
    let _one = rig.feed("/radio.mp3", "audio/mpeg", fields, &mp3(50)).await?;
    let credentials = basic("source", "hush");
    let title = "/admin/metadata?mount=/radio.mp3&mode=updinfo&song=A%20-%20T%20%26%20%3Cx&charset=UTF-8";
    ensure!(rig.ask("GET", title, &credentials, "").await?.text().contains("<return>1</return>"));
    let _listener = rig.listen("/radio.mp3").await?;
    let playing = NowPlaying {
        text: "A - T & <x".into(),
        listeners: 1,
        bitrate: "128".into(),
        format: "audio/mpeg".into(),
    };
    let read = |doc: Value| from_json(&doc, "/radio.mp3").context("the mount is missing");
    assert_eq!(read(rig.get("/status-json.xsl").await?.json()?)?, playing);
    let _two = rig.feed("/autodj.aac", "audio/aac", "", &[0xff, 0xf1]).await?;
    assert_eq!(read(rig.get("/status-json.xsl").await?.json()?)?, playing);
    let xml = rig.admin("/admin/stats").await?.text();
    assert_eq!(from_xml(&xml, "/radio.mp3"), Some(playing));
    let other = from_xml(&xml, "/autodj.aac").context("the other mount is missing")?;
    assert_eq!((other.text.as_str(), other.listeners), ("", 0));
    let listeners = clients(&rig.admin("/admin/listclients?mount=/radio.mp3").await?.text());
    assert_eq!(listeners.len(), 1);
    assert_eq!((listeners[0][0].as_str(), listeners[0][1].as_str()), ("127.0.0.1", "agent &lt;1&gt;"));
    ensure!(listeners[0][2].parse::<u64>().is_ok() && listeners[0][3].parse::<u64>().is_ok());
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_speaks_http_1_0_and_keeps_asking_is_served() -> Result<()> {
    let rig = Rig::start("").await?;
    let mut wire = Wire::connect(rig.address).await?;
    for _ in 0..20 {
        wire.send("GET /status-json.xsl HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await?;
        ensure!(wire.reply("GET").await?.json()?["icestats"]["dummy"].is_null());
    }
    rig.server.stop().await;
    Ok(())
}
