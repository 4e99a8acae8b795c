//! Mounts as HLS: what ffmpeg hears of them, and what requests get that are early, late or nonsense.

use crate::kit::{PATIENCE, Rig, until};
use anyhow::{Context, Result, ensure};
use std::process::Stdio;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

#[tokio::test]
async fn ffmpeg_plays_what_ffmpeg_publishes() -> Result<()> {
    let rig = Rig::start("").await?;
    for source in [VIDEO_FLV, VIDEO_TS, MP3, AAC, OPUS] {
        let _publisher = publish(&rig, source).await?;
        let heard = play(&rig, source.mount).await?;
        assert_eq!(heard, source.codecs, "{}", source.mount);
    }
    Ok(())
}

#[tokio::test]
async fn a_blocked_playlist_comes_when_it_has_what_was_asked_for() -> Result<()> {
    let rig = Rig::start("").await?;
    let _publisher = publish(&rig, MP3).await?;
    let first = list(&rig, "").await?;
    let (number, part) = hint(&first)?;
    let next = list(&rig, &format!("?_HLS_msn={number}&_HLS_part={part}")).await?;
    ensure!(next.contains(&format!("URI=\"part-{number}.{part}.m4s\",INDEPENDENT=YES")), "{next}");
    let whole = list(&rig, &format!("?_HLS_msn={number}")).await?;
    ensure!(whole.contains(&format!("\nseg-{number}.m4s")), "{whole}");
    Ok(())
}

#[tokio::test]
async fn a_part_can_be_asked_for_before_it_is_there_and_parts_are_the_segment() -> Result<()> {
    let rig = Rig::start("").await?;
    let _publisher = publish(&rig, MP3).await?;
    let (number, part) = hint(&list(&rig, "").await?)?;
    let early = rig.get(&format!("{}/part-{number}.{part}.m4s", MP3.mount)).await?;
    assert_eq!((early.status, early.field("content-type")), (200, Some("video/mp4")));
    assert_eq!(early.field("access-control-allow-origin"), Some("*"));
    assert!(early.field("cache-control").unwrap().contains("immutable"));
    let told = list(&rig, &format!("?_HLS_msn={number}")).await?;
    let mut parts = Vec::new();
    for index in 0..told.matches(&format!("part-{number}.")).count() {
        parts.extend(rig.get(&format!("{}/part-{number}.{index}.m4s", MP3.mount)).await?.body);
    }
    let segment = rig.get(&format!("{}/seg-{number}.m4s", MP3.mount)).await?;
    assert!(segment.status == 200 && segment.body == parts && parts.len() > 1000);
    Ok(())
}

#[tokio::test]
async fn nonsense_is_refused() -> Result<()> {
    let rig = Rig::start("").await?;
    let _publisher = publish(&rig, MP3).await?;
    let (number, _) = hint(&list(&rig, "").await?)?;
    let ask = async |path: &str| rig.get(&format!("{}/{path}", MP3.mount)).await.map(|reply| reply.status);
    assert_eq!(ask("index.m3u8?_HLS_part=1").await?, 400);
    assert_eq!(ask("index.m3u8?_HLS_msn=x").await?, 400);
    assert_eq!(ask(&format!("index.m3u8?_HLS_msn={}", number + 1000)).await?, 400);
    for path in ["seg-0.m4s", "part-0.0.m4s", "init-0.mp4", "seg-18446744073709551615.m4s", "part-1.x.m4s"] {
        assert_eq!(ask(path).await?, 404, "{path}");
    }
    assert_eq!(ask(&format!("part-{}.999.m4s", number)).await?, 404);
    assert_eq!(rig.get("/nothing/index.m3u8").await?.status, 404);
    let _vorbis = rig.feed("/odd", "application/x-odd", "", b"anything").await?;
    assert_eq!(rig.get("/odd/index.m3u8").await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn a_source_that_comes_again_is_a_discontinuity_and_titles_are_told() -> Result<()> {
    let rig = Rig::start("").await?;
    let publisher = publish(&rig, MP3).await?;
    let (number, _) = hint(&list(&rig, "").await?)?;
    let renamed = rig.admin(&format!("/admin/metadata?mount={}&mode=updinfo&song=A+-+B", MP3.mount)).await?;
    assert_eq!(renamed.status, 200);
    drop(publisher);
    let name = MP3.mount.parse()?;
    let silent = || rig.server.station().mounts.find(&name).is_some_and(|mount| mount.source().is_none());
    until("the source has left", silent).await?;
    let _publisher = publish(&rig, MP3).await?;
    // the segment that was open ends early, and the next one is the new source's
    let mut told = String::new();
    for next in number..number + 4 {
        told = list(&rig, &format!("?_HLS_msn={next}")).await?;
        if told.contains("#EXT-X-DISCONTINUITY\n") {
            break;
        }
    }
    ensure!(told.contains("#EXT-X-DISCONTINUITY\n"), "{told}");
    ensure!(told.contains("X-TITLE=\"A - B\""), "{told}");
    Ok(())
}

/// What a player asks for, with fields that say who it is.
async fn ask(rig: &Rig, path: &str, fields: &str) -> Result<crate::kit::Reply> {
    rig.ask("GET", &format!("{}/{path}", MP3.mount), fields, "").await
}

#[tokio::test]
async fn players_are_counted_once_each_and_leave_when_shown_the_door() -> Result<()> {
    let rig = Rig::start(&format!("[[mount]]\nname = '{}'\nmax_listeners = 2\n", MP3.mount)).await?;
    let _publisher = publish(&rig, MP3).await?;
    let mount = rig.server.station().mounts.find(&MP3.mount.parse()?).context("no mount")?;
    for who in ["X-Playback-Session-Id: a\r\n", "CMCD-Session: sid=\"b\"\r\n", "X-Playback-Session-Id: a\r\n"]
    {
        assert_eq!(ask(&rig, "index.m3u8", who).await?.status, 200);
    }
    assert_eq!(mount.listeners(), 2);
    let third = ask(&rig, "index.m3u8", "User-Agent: c\r\n").await?;
    assert_eq!(third.status, 503, "the mount is full");
    let status = rig.get("/status-json.xsl").await?.text();
    ensure!(status.contains("\"listeners\":2"), "{status}");
    let (number, _) = hint(&list_as(&rig, "a").await?)?;
    let segment = ask(&rig, &format!("seg-{}.m4s", number - 1), "X-Playback-Session-Id: a\r\n").await?;
    let sessions = rig.server.station().sessions.of(&mount.name);
    let first = sessions.first().context("no session")?;
    ensure!(first.sent.load(std::sync::atomic::Ordering::Relaxed) > segment.body.len() as u64);
    let kicked = rig.admin(&format!("/admin/killclient?mount={}&id={}", MP3.mount, first.id.0)).await?;
    assert_eq!(kicked.status, 200);
    assert_eq!(mount.listeners(), 1);
    assert_eq!(ask(&rig, "index.m3u8", "X-Playback-Session-Id: a\r\n").await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn a_guarded_mount_carries_what_lets_in_behind_every_address() -> Result<()> {
    let rig = Rig::start(&format!("[[mount]]\nname = '{}'\nsigning_key = 'key'\n", MP3.mount)).await?;
    let _publisher = publish(&rig, MP3).await?;
    for odd in ["", "?exp=1&sig=x", "?sig=x"] {
        assert_eq!(ask(&rig, &format!("index.m3u8{odd}"), "").await?.status, 403, "{odd}");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let signed = levada_serve::auth::sign(b"key", &MP3.mount.parse()?, now + 60);
    let reply = ask(&rig, &format!("index.m3u8?{signed}"), "").await?;
    let told = reply.text();
    assert_eq!((reply.status, reply.field("cache-control")), (200, Some("private, max-age=1")), "{told}");
    let addresses = told.matches(".m4s").count() + told.matches(".mp4").count();
    assert_eq!(told.matches(&signed).count(), addresses, "{told}");
    let segment = told.lines().find(|line| line.starts_with("seg-")).context("no segment")?;
    assert_eq!(ask(&rig, segment, "").await?.status, 200);
    let bare = segment.split('?').next().unwrap_or_default();
    assert_eq!(ask(&rig, bare, "").await?.status, 403);
    let relay = crate::kit::basic("relay", "rel");
    assert_eq!(ask(&rig, bare, &relay).await?.status, 200, "relays may everywhere");
    Ok(())
}

#[tokio::test]
async fn a_playlist_is_compressed_for_who_can_read_that() -> Result<()> {
    let rig = Rig::start("").await?;
    let _publisher = publish(&rig, MP3).await?;
    list(&rig, "").await?;
    let zipped = ask(&rig, "index.m3u8", "Accept-Encoding: gzip\r\n").await?;
    assert_eq!((zipped.status, zipped.field("content-encoding")), (200, Some("gzip")));
    assert_eq!(zipped.field("vary"), Some("Accept-Encoding"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&zipped.body[..]), &mut text)?;
    ensure!(text.starts_with("#EXTM3U") && text.len() > zipped.body.len(), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_mount_to_rewind_is_made_before_anybody_asks() -> Result<()> {
    let rig = Rig::start(&format!("[[mount]]\nname = '{}'\nhls_rewind = '10m'\n", MP3.mount)).await?;
    let _publisher = publish(&rig, MP3).await?;
    until("segments are made", || rig.server.station().hls.count() == 1).await?;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await; // what has passed can be heard
    let first = list(&rig, "").await?;
    ensure!(first.contains("\nseg-"), "{first}");
    Ok(())
}

/// What ffmpeg publishes.
#[derive(Clone, Copy)]
struct Source {
    mount: &'static str,
    arguments: &'static str,
    /// What a player finds.
    codecs: &'static str,
}

const VIDEO_FLV: Source = Source {
    mount: "/live/cam",
    arguments: "-c:v libx264 -preset ultrafast -g 25 -c:a aac -f flv -content_type video/x-flv",
    codecs: "aac,h264",
};
const VIDEO_TS: Source = Source {
    mount: "/live/ts",
    arguments: "-c:v libx264 -preset ultrafast -bf 2 -g 25 -c:a aac -f mpegts -content_type video/mp2t",
    codecs: "aac,h264",
};
const MP3: Source = Source {
    mount: "/radio.mp3",
    arguments: "-vn -c:a libmp3lame -f mp3 -content_type audio/mpeg",
    codecs: "mp3",
};
const AAC: Source =
    Source { mount: "/radio.aac", arguments: "-vn -c:a aac -f adts -content_type audio/aac", codecs: "aac" };
const OPUS: Source = Source {
    mount: "/radio.opus",
    arguments: "-vn -c:a libopus -f ogg -page_duration 100000 -content_type application/ogg",
    codecs: "opus",
};

/// ffmpeg, which publishes for as long as it is kept.
async fn publish(rig: &Rig, source: Source) -> Result<Child> {
    let url = format!("icecast://source:hush@{}{}", rig.address, source.mount);
    let publisher = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25"])
        .args(["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"])
        .args(source.arguments.split(' '))
        .arg(url)
        .kill_on_drop(true)
        .spawn()
        .context("ffmpeg is needed for this test")?;
    let name = source.mount.parse()?;
    let there = || rig.server.station().mounts.find(&name).is_some_and(|mount| mount.source().is_some());
    until("the source is there", there).await?;
    Ok(publisher)
}

/// What ffmpeg decodes of four seconds of a mount without a complaint: the codecs, in the order of their names.
async fn play(rig: &Rig, mount: &str) -> Result<String> {
    let url = format!("http://{}{mount}/index.m3u8", rig.address);
    let run = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "warning", "-t", "4", "-i", &url, "-f", "null", "-"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE * 4, run).await.context("ffmpeg is not done")??;
    let words = String::from_utf8_lossy(&output.stderr);
    // ffmpeg reads the initialization anew with every playlist, and complains about that itself
    let its_own = |line: &&str| line.contains("duplicated MOOV") || line.contains("Last message repeated");
    let words: Vec<&str> = words.lines().filter(|line| !its_own(line)).collect();
    ensure!(output.status.success() && words.is_empty(), "{mount}: {words:?}");
    let told = rig.get(&format!("{mount}/index.m3u8")).await?.text();
    ensure!(told.matches("EXT-X-MAP").count() == 1 && !told.contains("EXT-X-DISCONTINUITY\n"), "{told}");
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", &url])
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE * 2, probe).await.context("ffprobe is not done")??;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let codecs: std::collections::BTreeSet<&str> = text.split_whitespace().collect();
    Ok(codecs.into_iter().collect::<Vec<_>>().join(","))
}

/// A playlist of the MP3 mount, which takes a segment's time to come at first.
async fn list(rig: &Rig, query: &str) -> Result<String> {
    let reply = rig.get(&format!("{}/index.m3u8{query}", MP3.mount)).await?;
    ensure!(reply.status == 200, "{}", reply.text());
    assert_eq!(reply.field("content-type"), Some("application/vnd.apple.mpegurl"));
    m3u8_rs::parse_media_playlist_res(&reply.body).map_err(|why| anyhow::anyhow!("{why}"))?;
    Ok(reply.text())
}

/// The playlist as a player called `tag` gets it.
async fn list_as(rig: &Rig, tag: &str) -> Result<String> {
    Ok(ask(rig, "index.m3u8", &format!("X-Playback-Session-Id: {tag}\r\n")).await?.text())
}

/// The part that comes next.
fn hint(playlist: &str) -> Result<(u64, usize)> {
    let (_, rest) = playlist.split_once("PRELOAD-HINT:TYPE=PART,URI=\"part-").context("no hint")?;
    let (number, rest) = rest.split_once('.').context("no number")?;
    let (part, _) = rest.split_once('.').context("no part")?;
    Ok((number.parse()?, part.parse()?))
}
