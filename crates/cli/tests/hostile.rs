//! What strangers may send: refused with a sentence, counted, and nobody else notices.

mod kit;

use anyhow::{Result, ensure};
use kit::{
    Serve, http,
    programs::Desk,
    push,
    wire::{Wire, metric, until_metric},
};

const MALFORMED: &str = "levada_refusals_total{reason=\"malformed\"}";

#[test]
fn what_is_no_request_is_refused_with_one_sentence_and_counted() -> Result<()> {
    let server = Serve::start(&[])?;
    let (long, fields) = ("a".repeat(9_000), "a: b\r\n".repeat(65));
    let cases: &[(Vec<u8>, u16)] = &[
        (b"GET / HTTP/7.5\r\n\r\n".to_vec(), 400),
        (b"\x01\x02\x03\x04 / HTTP/1.1\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/1.1\r\nno colon here\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n".to_vec(), 400),
        (b"GET /\0 HTTP/1.1\r\n\r\n".to_vec(), 400),
        (format!("GET /{long} HTTP/1.1\r\n\r\n").into_bytes(), 431),
        (format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n").into_bytes(), 431),
        (format!("GET / HTTP/1.1\r\n{fields}\r\n").into_bytes(), 431),
        (b"\r\n".repeat(5_000), 431),
    ];
    for (number, (bytes, status)) in (1..).zip(cases) {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        let said = Wire::say(&server, bytes)?.hear()?;
        // what was not read when the server closed may take the answer with it
        if bytes.len() < 9_000 || !said.is_empty() {
            let (head, body) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
            ensure!(head.contains(&format!(" {status} ")), "{shown:?}: {said}");
            ensure!(head.contains("Connection: close"), "{shown:?}: {said}");
            ensure!(body.trim().lines().count() == 1, "{shown:?}: not one sentence: {body:?}");
        }
        until_metric(&server, MALFORMED, |count| count == number)?;
    }
    Ok(())
}

#[test]
fn heads_that_never_end_are_cut_off_while_others_are_served() -> Result<()> {
    let server = Serve::with(|command| {
        command.env("LEVADA__LIMITS__HEAD_TIMEOUT", "1s");
    })?;
    let mut slow = (0..60).map(|_| Wire::say(&server, b"G")).collect::<Result<Vec<_>>>()?;
    let mut letters = b"ET /status-json.xsl HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'y'));
    kit::eventually("slow heads to be cut off", || {
        let letter = letters.next().copied().unwrap_or(b'y');
        slow.iter_mut().for_each(|wire| drop(wire.send(&[letter])));
        ensure!(http::get(&server.url("/status-json.xsl"))?.status == 200);
        let mut open = 0;
        for wire in &mut slow {
            open += usize::from(!wire.is_closed()?);
        }
        Ok((open == 0).then_some(()))
    })?;
    ensure!(metric(&server, MALFORMED)? == 60);
    Ok(())
}

#[test]
fn garbage_in_a_container_is_skipped_and_counted_and_the_mount_goes_on() -> Result<()> {
    let server = Serve::start(&[])?;
    let mut state = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(6_000)
    .collect();
    for (file, mount, content_type) in [
        ("chords.mp3", "/n.mp3", "audio/mpeg"),
        ("speech.aac", "/n.aac", "audio/aac"),
        ("chords.ogg", "/n.ogg", "application/ogg"),
        ("fractal.webm", "/n.webm", "video/webm"),
    ] {
        let clip = std::fs::read(kit::clip(file))?;
        let (first, second) = clip.split_at(clip.len() / 2);
        let mut source = Wire::source(&server, mount, content_type, "")?;
        source.send(first)?;
        server.wait_live(mount)?;
        let mut listener = http::Listener::open(&server.url(mount), "")?;
        source.send(&noise)?;
        source.send(second)?;
        let garbage = format!("levada_mount_garbage_bytes_total{{mount=\"{mount}\"}}");
        until_metric(&server, &garbage, |bytes| bytes > 5_000)?;
        let heard = listener.body.len();
        source.send(&clip)?;
        listener.until("what follows the garbage", |body| body.len() > heard + 10_000)?;
        let up = format!("levada_mount_up{{mount=\"{mount}\"}}");
        ensure!(metric(&server, &up)? == 1, "{mount} is gone");
    }
    Ok(())
}

#[test]
fn a_source_that_falls_silent_makes_room_for_the_fallback() -> Result<()> {
    let desk = Desk::new()?;
    let config = desk.write(
        "levada.toml",
        "[[mount]]\nname = '/main.mp3'\nfallback = '/spare.mp3'\nsource_timeout = '1s'\nlinger = '1s'\n",
    )?;
    let server = Serve::start(&["--config", &config.display().to_string()])?;
    let _spare = push(&server, "chords.mp3", "/spare.mp3")?;
    let mut silent = Wire::source(&server, "/main.mp3", "audio/mpeg", "")?;
    silent.send(&std::fs::read(kit::clip("chords.mp3"))?[..20_000])?;
    let mut listener = http::Listener::open(&server.url("/main.mp3"), "")?;
    listener.until("the fallback", |body| body.len() > 60_000)?;
    until_metric(&server, "levada_mount_up{mount=\"/main.mp3\"}", |up| up == 0)?;
    ensure!(silent.is_closed()?, "the silent source is still connected");
    Ok(())
}

#[test]
fn no_path_leads_out_of_what_is_served() -> Result<()> {
    let desk = Desk::new()?;
    let secret = desk.write("secret.txt", "the-secret\n")?;
    let files = desk.path("files");
    std::fs::create_dir(&files)?;
    std::fs::write(files.join("open.txt"), "for everybody\n")?;
    std::fs::write(files.join(".hidden"), "the-secret\n")?;
    std::os::unix::fs::symlink(&secret, files.join("link.txt"))?;
    let server = Serve::with(|command| {
        command.env("LEVADA__HTTP__FILES", &files);
    })?;
    ensure!(http::get(&server.url("/open.txt"))?.text() == "for everybody\n");
    let whole = secret.display();
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/open.txt/../../secret.txt",
        "/%5c..%5csecret.txt",
        "/.hidden",
        "/%2ehidden",
        "/link.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/assets/..",
        "/assets//etc/passwd",
        "//etc/passwd",
        "/etc/passwd%00.txt",
        "/%c0%ae%c0%ae/secret.txt",
        &format!("/{whole}"),
        &format!("{whole}"),
        &format!("http://h{whole}"),
        "/admin/../secret.txt",
        "/api/v1/mounts/..%2f..%2fsecret.txt",
    ] {
        let said =
            Wire::say(&server, format!("GET {path} HTTP/1.0\r\nHost: h\r\n\r\n").as_bytes())?.hear()?;
        let status = said.split(' ').nth(1).unwrap_or_default();
        ensure!(status.starts_with('4'), "{path}: {said}");
        ensure!(!said.contains("the-secret") && !said.contains("root:"), "{path}: {said}");
    }
    for mount in ["/../a", "/a/../b", "/%2e%2e/a", "/a b", "//a", "/~fallback/a", "/a\"b", "a", "/"] {
        let refused = Wire::source(&server, mount, "audio/mpeg", "");
        ensure!(refused.is_err(), "a source got in at {mount:?}");
    }
    Ok(())
}

#[test]
fn nothing_that_is_said_becomes_a_field_a_title_or_a_line_of_its_own() -> Result<()> {
    let desk = Desk::new()?;
    let log = desk.path("access.log");
    let server = Serve::with(|command| {
        command.env("LEVADA__HTTP__ACCESS_LOG", &log);
    })?;
    let evil = "n\u{85}\u{9b}31m\u{2028}'\";</script><b>";
    let mut source =
        Wire::source(&server, "/e.mp3", "audio/mpeg", &format!("ice-name: {evil}\r\nice-url: {evil}\r\n"))?;
    let clip = std::fs::read(kit::clip("chords.mp3"))?;
    source.send(&clip)?;
    let untitled = &clip[clip.len() / 2..]; // the beginning has a title of its own
    server.wait_live("/e.mp3")?;
    let song = "a%0d%0aSet-Cookie:%20x%27;StreamUrl=%27evil%00%1b[31m";
    ensure!(server.admin(&format!("/admin/metadata?mode=updinfo&mount=/e.mp3&song={song}"))?.status == 200);
    source.send(untitled)?;

    let asked = "Icy-MetaData: 1\r\nUser-Agent: a\" \\ \u{9b}b\r\nReferer: \"x\" [y] z\r\n";
    let mut listener = http::Listener::open(&server.url("/e.mp3"), asked)?;
    for line in listener.head.lines().skip(1) {
        let (name, _) = line.split_once(':').unwrap_or_default();
        ensure!(name.starts_with("ic") || KNOWN.contains(&name), "a field of somebody else: {line:?}");
        ensure!(!line.contains(char::is_control), "{line:?}");
    }
    source.send(untitled)?;
    let title = |body: &[u8]| {
        let text = String::from_utf8_lossy(body).into_owned();
        Some(text.split_once("StreamTitle='a")?.1.split_once("';")?.0.to_owned())
    };
    listener.until("a title", |body| title(body).is_some())?;
    let title = title(&listener.body).unwrap_or_default();
    ensure!(title.contains("StreamUrl=") && !title.contains(char::is_control), "{title:?}");
    drop(listener);

    let status = http::get(&server.url("/status-json.xsl"))?.json()?;
    ensure!(status["icestats"]["source"]["title"].is_string(), "{status}");
    let page = http::get(&server.url("/"))?.text();
    ensure!(!page.contains("</script><b>"), "the page shows markup of the source");
    for xml in ["/admin/stats", "/admin/listclients?mount=/e.mp3"] {
        ensure!(!server.admin(xml)?.text().contains("</script>"), "{xml} shows markup of the source");
    }

    let line = kit::eventually("the listener's line in the access log", || {
        let text = std::fs::read_to_string(&log)?;
        Ok(text.lines().find(|line| line.contains("/e.mp3 HTTP")).map(str::to_owned))
    })?;
    ensure!(line.matches('"').count() == 6 && !line.contains(char::is_control), "{line:?}");
    Ok(())
}

/// The fields of an answer to a listener, beside `ice-` and `icy-` ones.
const KNOWN: &[&str] = &[
    "Server",
    "Connection",
    "Date",
    "Content-Type",
    "Cache-Control",
    "Expires",
    "Pragma",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Expose-Headers",
    "X-Content-Type-Options",
    "Accept-Ranges",
];
