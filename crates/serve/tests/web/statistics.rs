//! The statistics, against a real Icecast beside us with the same sources.

use crate::kit::{PATIENCE, Reply, Rig, Wire, basic, mp3, put, until};
use anyhow::{Context, Result, ensure};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, sleep},
};

/// What each source says of itself, and the media that it sends.
const SOURCES: [(&str, &str, &str, &str); 5] = [
    (
        "/a.mp3",
        "audio/mpeg",
        "ice-name: N & <m> \"q\"\r\nice-genre: G\r\nice-url: http://x/\r\nice-public: 1\r\n",
        "",
    ),
    (
        "/butt.mp3",
        "audio/mpeg",
        "ice-bitrate: 96\r\nice-audio-info: ice-samplerate=44100;ice-bitrate=128;ice-channels=2\r\nUser-Agent: butt\r\n",
        "",
    ),
    ("/shout.mp3", "audio/mpeg", "ice-audio-info: quality=2;bitrate=128;samplerate=44100;channels=2\r\n", ""),
    ("/c.ogv", "application/ogg", "ice-description: D\r\nUser-Agent: v\r\n", "testcard.ogv"),
    ("/v.ogg", "application/ogg", "User-Agent: x\r\nice-name: \u{e9}\r\n", "chords.ogg"),
];

/// What the last of its threads says, in its debug log. An icecast2 2.4.4 that is spoken to before dies of it, one time
/// in twenty.
const STANDS: &str = "checking master stream list";

/// A real Icecast on a free port, ended when dropped.
struct Icecast {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Icecast {
    fn start() -> Result<Icecast> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let (path, port) = (folder.path().display(), address.port());
        let config = format!(
            "<icecast><location>Earth</location><admin>icemaster@localhost</admin>\
             <limits><clients>50</clients><sources>10</sources></limits>\
             <authentication><source-password>hush</source-password><relay-user>relay</relay-user>\
             <relay-password>rel</relay-password><admin-user>admin</admin-user>\
             <admin-password>adm</admin-password></authentication><hostname>127.0.0.1</hostname>\
             <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>\
             <fileserve>1</fileserve><paths><basedir>/usr/share/icecast2</basedir><logdir>{path}</logdir>\
             <webroot>/usr/share/icecast2/web</webroot><adminroot>/usr/share/icecast2/admin</adminroot></paths>\
             <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>4</loglevel></logging><security><chroot>0</chroot>\
             <changeowner><user>nobody</user><group>nogroup</group></changeowner></security></icecast>"
        );
        let file = folder.path().join("icecast.xml");
        fs::write(&file, config)?;
        let child = Command::new("icecast2")
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("said"))?)
            .spawn()
            .context("icecast2 is needed: make debian installs it")?;
        Ok(Icecast { child, address, folder })
    }

    fn stands(&self) -> bool {
        let said = fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
        said.contains(STANDS)
    }
}

impl Drop for Icecast {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A server that is asked, whichever it is.
struct Asked {
    address: SocketAddr,
    sources: Vec<TcpStream>,
}

impl Asked {
    async fn feed(address: SocketAddr, count: usize) -> Result<Asked> {
        let media = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../media");
        let mut sources = Vec::new();
        for (mount, content_type, fields, file) in &SOURCES[..count] {
            // Our titles come from ID3 and WebM's tags too, Icecast's do not: these have none.
            let bytes = if file.is_empty() { mp3(200) } else { fs::read(media.join(file))? };
            let fields = format!("Content-Type: {content_type}\r\n{fields}");
            sources.push(put(address, mount, &fields, &bytes).await?);
        }
        Ok(Asked { address, sources })
    }

    async fn get(&self, path: &str, fields: &str) -> Result<Reply> {
        let mut wire = Wire::connect(self.address).await?;
        wire.send(&format!("GET {path} HTTP/1.0\r\nHost: {}\r\n{fields}\r\n", self.address)).await?;
        wire.reply("GET").await
    }

    /// The body at `path` without what is another at each moment or on each server.
    async fn said(&self, path: &str) -> Result<String> {
        let text = self.get(path, &basic("admin", "adm")).await?.text();
        let text =
            text.replace(&self.address.to_string(), "HOST").replace(&self.address.port().to_string(), "PORT");
        Ok(CHANGING.iter().fold(text, |text, name| blank(&text, name)))
    }

    /// The same when it holds `needle`: statistics follow what is fed.
    async fn said_with(&self, path: &str, needle: &str) -> Result<String> {
        let late = Instant::now() + PATIENCE;
        loop {
            let text = self.said(path).await?;
            if text.contains(needle) {
                return Ok(text);
            }
            ensure!(Instant::now() < late, "{path} never said {needle}: {text}");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Takes the value of `name` out of JSON and XML.
fn blank(text: &str, name: &str) -> String {
    let ends = [(format!("\"{name}\":\""), "\""), (format!("<{name}>"), "</")];
    ends.iter().fold(text.to_owned(), |text, (begin, end)| {
        let mut parts = text.split(begin.as_str());
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out.push_str(begin);
            out.push_str(part.find(end).map_or(part, |at| &part[at..]));
        }
        out
    })
}

const CHANGING: [&str; 15] = [
    "Connected",
    "ID",
    "client_connections",
    "clients",
    "connections",
    "listener_connections",
    "server_id",
    "server_start",
    "server_start_iso8601",
    "source_client_connections",
    "source_total_connections",
    "stream_start",
    "stream_start_iso8601",
    "total_bytes_read",
    "total_bytes_sent",
];

/// Both servers with the first `count` sources.
async fn both(count: usize) -> Result<(Rig, Asked, Icecast, Asked)> {
    let icecast = Icecast::start()?;
    until("icecast stands", || icecast.stands()).await?;
    let rig = Rig::start("").await?;
    let theirs = Asked::feed(icecast.address, count).await?;
    let ours = Asked::feed(rig.address, count).await?;
    ensure!(ours.sources.len() == theirs.sources.len());
    Ok((rig, ours, icecast, theirs))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statistics_are_icecasts_byte_for_byte() -> Result<()> {
    for count in [0, 1, 4, SOURCES.len()] {
        let (rig, mut ours, _icecast, mut theirs) = both(count).await?;
        let title =
            "/admin/metadata?mount=/a.mp3&mode=updinfo&song=A%C3%A9%20-%20%22%3CT%3E%22%20%5C&charset=UTF-8";
        let ready = match count {
            0 => "icemaster",
            1 => "<T>",
            4 => "Test card",
            _ => "Chords in Vorbis",
        };
        let mut listeners = Vec::new();
        theirs.said_with("/status-json.xsl", "icemaster").await?;
        if count > 0 {
            ensure!(ours.said(title).await? == theirs.said(title).await?, "the title's answers differ");
            for server in [&mut ours, &mut theirs] {
                // Icecast takes a title over with the next bytes of the source.
                server.sources[0].write_all(&mp3(20)).await?;
                let mut wire = Wire::connect(server.address).await?;
                wire.send("GET /a.mp3 HTTP/1.0\r\nUser-Agent: ear\r\n\r\n").await?;
                listeners.push(wire);
                server.said_with("/status-json.xsl", "listener_peak\":1").await?;
                server.said_with("/status-json.xsl", ready).await?;
                // Icecast sums its listeners up every few seconds.
                server.said_with("/admin/stats", "<listeners>1</listeners><location>").await?;
            }
        }
        for path in ["/status-json.xsl", "/admin/stats", "/admin/listmounts", "/admin/streamlist"] {
            let (ours, theirs) = (ours.said(path).await?, theirs.said(path).await?);
            assert_eq!(ours, theirs, "{path} with {count} sources");
        }
        for path in ["/status-json.xsl?mount=/a.mp3", "/status-json.xsl?mount=/nope"] {
            let (ours, theirs) = (ours.said(path).await?, theirs.said(path).await?);
            assert_eq!(ours, theirs, "{path} with {count} sources");
        }
        for path in ["/admin/listclients?mount=/a.mp3", "/admin/stats?mount=/a.mp3"] {
            let (ours, theirs) = (ours.said(path).await?, theirs.said(path).await?);
            assert_eq!(ours, theirs, "{path} with {count} sources");
        }
        let relay = basic("relay", "rel");
        let path = "/admin/streamlist.txt";
        assert_eq!(ours.get(path, &relay).await?.text(), theirs.get(path, &relay).await?.text());
        drop(listeners);
        rig.server.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_icecasts_too() -> Result<()> {
    let (rig, ours, _icecast, theirs) = both(2).await?;
    let (admin, nobody) = (basic("admin", "adm"), String::new());
    for (path, who) in [
        ("/nothing.mp3", &nobody),
        ("/admin/stats", &nobody),
        ("/admin/nosuch", &nobody),
        ("/admin/!POKE", &nobody),
        ("/admin/streamlist.txt", &nobody),
        ("/admin.cgi", &nobody),
        ("/admin.cgi?pass=hush&mode=updinfo&song=x&mount=/nope", &nobody),
        ("/admin/metadata?mount=/nope&mode=updinfo&song=x", &admin),
        ("/admin/metadata?mode=updinfo&song=x", &admin),
        ("/admin/metadata?mount=/a.mp3", &admin),
        ("/admin/metadata?mount=a.mp3&mode=updinfo&song=x", &admin),
        ("/admin/metadata?mount=/a.mp3&mode=foo&song=x", &admin),
        ("/admin/listclients", &admin),
        ("/admin/listclients?mount=/nope", &admin),
        ("/admin/listclients?mount=/a.mp3", &admin),
        ("/admin/killclient?mount=/a.mp3&id=999", &admin),
        ("/admin/killclient?mount=/a.mp3", &admin),
        ("/admin/killsource?mount=/nope", &admin),
        ("/admin/moveclients?mount=/a.mp3", &admin),
        ("/admin/moveclients?mount=/a.mp3&destination=/nope", &admin),
        ("/admin/moveclients?mount=/a.mp3&destination=/a.mp3", &admin),
        ("/admin/moveclients?mount=/a.mp3&destination=/butt.mp3", &admin),
        ("/admin/fallbacks?mount=/a.mp3", &admin),
        ("/admin/fallbacks?mount=/a.mp3&fallback=/butt.mp3", &admin),
        ("/admin/updatemetadata?mount=/a.mp3", &admin),
        ("/admin/buildm3u?mount=/a.mp3", &admin),
        ("/admin/killsource?mount=/butt.mp3", &admin),
    ] {
        let (here, there) = (ours.get(path, who).await?, theirs.get(path, who).await?);
        let text = |reply: &Reply| CHANGING.iter().fold(reply.text(), |text, name| blank(&text, name));
        assert_eq!((here.status, text(&here)), (there.status, text(&there)), "{path}");
        assert_eq!(here.field("www-authenticate"), there.field("www-authenticate"), "{path}");
        assert_eq!(here.field("content-type"), there.field("content-type"), "{path}");
    }
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_stays_text_whatever_it_looks_like() -> Result<()> {
    let rig = Rig::start("").await?;
    let _source = rig.feed("/a.mp3", "audio/mpeg", "ice-name: 1999\r\n", &[0xff]).await?;
    for title in ["2024", "true", "1e5", "null", "\"\\\u{1}"] {
        let query = utf8_percent_encode(title, NON_ALPHANUMERIC).to_string();
        rig.admin(&format!("/admin/metadata?mount=/a.mp3&mode=updinfo&song={query}")).await?;
        let source = &rig.get("/status-json.xsl").await?.json()?["icestats"]["source"];
        assert_eq!(
            (source["server_name"].as_str(), source["title"].as_str()),
            (Some("1999"), Some(title.trim_end_matches('\u{1}')))
        );
    }
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_mounts_and_what_is_private_stay_out_of_the_public_statistics() -> Result<()> {
    let rig = Rig::start("[[mount]]\nname = '/h.mp3'\nhidden = true\n").await?;
    let _hidden = rig.feed("/h.mp3", "audio/mpeg", "", &[0xff]).await?;
    ensure!(rig.get("/status-json.xsl").await?.json()?["icestats"].get("source").is_none());
    ensure!(rig.get("/metrics").await?.text().find("/h.mp3").is_none());
    let _open = rig.feed("/a.mp3", "audio/mpeg", "", &[0xff]).await?;
    let text = rig.get("/status-json.xsl").await?.text();
    for private in ["127.0.0.1\"", "source_ip", "user_agent", "total_bytes", "/h.mp3"] {
        let text = text.replace("\"host\":\"127.0.0.1\"", "");
        ensure!(!text.contains(private), "{private} in {text}");
    }
    ensure!(rig.admin("/admin/stats").await?.text().contains("<source mount=\"/h.mp3\">"));
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administrator_follows_what_changes_line_by_line() -> Result<()> {
    let rig = Rig::start("").await?;
    let mut stranger = Wire::connect(rig.address).await?;
    stranger.send("STATS / HTTP/1.0\r\n\r\n").await?;
    ensure!(stranger.head().await?.status == 401);
    let mut wire = Wire::connect(rig.address).await?;
    wire.send(&format!("STATS / HTTP/1.0\r\n{}\r\n", basic("admin", "adm"))).await?;
    ensure!(wire.head().await?.status == 200);
    wire.until("EVENT global listeners 0\n").await?;
    let source = rig.feed("/m.mp3", "audio/mpeg", "", &mp3(50)).await?;
    wire.until("EVENT /m.mp3 server_type audio/mpeg\n").await?;
    rig.admin("/admin/metadata?mount=/m.mp3&mode=updinfo&song=Air").await?;
    wire.until("EVENT /m.mp3 title Air\n").await?;
    drop(source);
    wire.until("EVENT /m.mp3 null null\n").await?;
    rig.server.stop().await;
    Ok(())
}
