//! Enhanced RTMP through a server: new codecs to those who know them, one old track to those who do not.

use crate::kit::{Client, HttpPlayer, Rig, announcing, tag};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use levada_media::{
    Format, Item, Mux,
    container::flv::{
        self,
        tag::{Kind, Tag, View, What, packets},
    },
};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// What ffmpeg makes of a second of a test picture or of a tone, as the tags of an encoder of enhanced RTMP.
fn encoded(arguments: &str, format: Format) -> Result<Vec<Tag>> {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi"])
        .args(arguments.split(' '))
        .arg("-")
        .stdin(Stdio::null())
        .output()
        .context("ffmpeg")?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut demux = format.demuxer().context("a container that can be opened")?;
    let mut mux = flv::Mux::new(View::Enhanced);
    demux.push(&made.stdout);
    demux.finish();
    let mut tags = Vec::new();
    while let Some(item) = demux.poll()? {
        if !matches!(item, Item::Tags(_)) {
            mux.push(&item)?;
        }
        tags.extend(std::iter::from_fn(|| mux.poll()).filter_map(|page| flv::unwrap(&page.bytes)));
    }
    tags.retain(|tag| tag.kind != Kind::Script);
    Ok(tags)
}

/// The frames in tags, and what their decoder must know first.
fn contents(tags: &[Tag]) -> (Option<Bytes>, Vec<Bytes>) {
    let all: Vec<_> = tags.iter().flat_map(packets).filter_map(Result::ok).collect();
    let setup = all.iter().find(|packet| packet.what == What::Setup).map(|packet| packet.data.clone());
    let frames = all.iter().filter(|packet| matches!(packet.what, What::Frame { .. }));
    (setup, frames.map(|packet| packet.data.clone()).collect())
}

/// Publishes `tags`, and gives what a player over RTMP and one over HTTP got of them.
async fn through(tags: &[Tag]) -> Result<[Vec<Tag>; 2]> {
    let rig = Rig::start("").await?;
    let mut encoder = rig.publish("/live/tea").await?;
    let begin = tags.iter().position(|tag| !tag.is_setup()).context("no frame")? + 1;
    encoder.send(&[announcing(tags[0].kind)]).await?;
    encoder.send(&tags[..begin]).await?;
    rig.live("/live/tea").await?;
    let mut rtmp: Client = rig.play("/live/tea?start=fast").await?;
    let mut http: HttpPlayer = rig.get("/live/tea.flv?start=fast").await?;
    let (first, other) = (rtmp.tag().await?, http.tag().await?);
    let mut got = [vec![first], vec![other]];
    encoder.send(&tags[begin..]).await?;
    let frames = contents(tags).1.len();
    while contents(&got[0]).1.len() < frames {
        got[0].push(rtmp.tag().await?);
    }
    while contents(&got[1]).1.len() < frames {
        got[1].push(http.tag().await?);
    }
    drop(encoder);
    rig.server.stop().await;
    Ok(got)
}

/// Frames and codec of a file, as ffprobe counts them when it has decoded all.
fn probe(file: &Path) -> Result<(String, usize)> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames"])
        .args(["-of", "csv=p=0"])
        .arg(file)
        .output()
        .context("ffprobe")?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    ensure!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let (codec, frames) = text.trim().split_once(',').with_context(|| text.clone())?;
    Ok((codec.to_owned(), frames.trim_matches(',').parse()?))
}

/// Pictures in the simplest file there is.
fn ivf(fourcc: &[u8; 4], frames: &[Bytes]) -> Vec<u8> {
    let mut file =
        [&b"DKIF\0\0\x20\0"[..], fourcc, &[160, 0, 120, 0], &25u32.to_le_bytes(), &1u32.to_le_bytes()]
            .concat();
    file.extend([frames.len() as u32, 0].iter().flat_map(|word| word.to_le_bytes()));
    for (number, frame) in frames.iter().enumerate() {
        file.extend((frame.len() as u32).to_le_bytes());
        file.extend((number as u64).to_le_bytes());
        file.extend_from_slice(frame);
    }
    file
}

/// H.265 with start codes: the parameter sets of its configuration (ISO/IEC 14496-15 §8.3.2), then the pictures.
fn annex_b(setup: &[u8], frames: &[Bytes]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut rest = &setup[23..];
    for _ in 0..setup[22] {
        let count = u16::from_be_bytes([rest[1], rest[2]]);
        rest = &rest[3..];
        for _ in 0..count {
            let size = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            file.extend([0, 0, 0, 1]);
            file.extend_from_slice(&rest[2..2 + size]);
            rest = &rest[2 + size..];
        }
    }
    for frame in frames {
        let mut rest = &frame[..];
        while let Some((size, tail)) = rest.split_first_chunk::<4>() {
            let (unit, tail) = tail.split_at(u32::from_be_bytes(*size) as usize);
            file.extend([0, 0, 0, 1]);
            file.extend_from_slice(unit);
            rest = tail;
        }
    }
    file
}

const PICTURE: &str = "-i testsrc2=s=160x120:r=25:d=1 -pix_fmt yuv420p -g 25";

#[tokio::test(flavor = "multi_thread")]
async fn h265_av1_and_vp9_arrive_as_they_were_published_and_decode() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (name, arguments, format) in [
        (
            "hevc",
            "-c:v libx265 -preset ultrafast -x265-params log-level=error:bframes=0 -f mpegts",
            Format::MpegTs,
        ),
        ("av1", "-c:v libsvtav1 -preset 12 -f webm", Format::WebM),
        ("vp9", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 0 -f webm", Format::WebM),
    ] {
        let tags = encoded(&format!("{PICTURE} {arguments}"), format).context(name)?;
        let (setup, frames) = contents(&tags);
        ensure!(frames.len() >= 24, "{name}: {} frames", frames.len());
        for (way, got) in through(&tags).await.context(name)?.iter().enumerate() {
            let (heard, arrived) = contents(got);
            ensure!(heard == setup && arrived == frames, "{name} by way {way}");
            let file = folder.path().join(format!("{way}.{name}"));
            let bytes = match name {
                "hevc" => annex_b(&heard.context("hvcC")?, &arrived),
                "av1" => ivf(b"AV01", &arrived),
                _ => ivf(b"VP90", &arrived),
            };
            fs::write(&file, bytes)?;
            assert_eq!(probe(&file)?, (name.to_owned(), frames.len()), "way {way}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn opus_and_flac_arrive_as_they_were_published() -> Result<()> {
    for (name, arguments) in [
        ("opus", "-i sine=d=1:r=48000 -c:a libopus -f ogg"),
        ("flac", "-i sine=d=1:r=48000 -c:a flac -f ogg"),
    ] {
        let tags = encoded(arguments, Format::Ogg).context(name)?;
        let (setup, frames) = contents(&tags);
        ensure!(frames.len() > 10 && setup.is_some(), "{name}: {} frames", frames.len());
        for got in through(&tags).await.context(name)? {
            assert_eq!(contents(&got), (setup.clone(), frames.clone()), "{name}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_no_new_codec_is_told_so() -> Result<()> {
    let rig = Rig::start("").await?;
    let mut encoder = rig.publish("/live/tea").await?;
    let vp9 = [&[0x90][..], b"vp09", &[1, 0, 0, 0, 0, 0x10, 8, 0, 0, 0, 0, 0]].concat();
    encoder
        .send(&[announcing(Kind::Video), tag(Kind::Video, 0, &vp9), tag(Kind::Video, 0, b"\x93vp09picture")])
        .await?;
    rig.live("/live/tea").await?;
    let why = rig.play_old("/live/tea").await.err().context("it was let in")?;
    ensure!(why.to_string().contains("cannot show"), "{why}");
    drop(encoder);
    rig.server.stop().await;
    Ok(())
}

/// A tag of two tracks of H.264 with this packet type, its bodies behind an extension that gives nanoseconds.
fn two_tracks(at: u32, packet_type: u8, bodies: [&[u8]; 2]) -> Tag {
    // key frame, extension; three bytes of nanoseconds; then multitrack: several tracks of one codec
    let mut payload = vec![0x80 | 0x10 | 7, 2, 0, 0, 7, 6, 0x10 | packet_type];
    payload.extend(b"avc1");
    for (track, body) in bodies.iter().enumerate() {
        payload.push(track as u8);
        payload.extend(&(body.len() as u32).to_be_bytes()[1..]);
        payload.extend_from_slice(body);
    }
    tag(Kind::Video, at, &payload)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_tracks_with_extensions_an_old_player_gets_track_zero_in_old_words() -> Result<()> {
    let rig = Rig::start("").await?;
    let mut encoder = rig.publish("/live/tea").await?;
    let avcc = |level| [1, 66, 0, level, 0xff, 0xe0, 0];
    let picture =
        |name: &[u8]| [&[0, 0, 0][..], &(name.len() as u32 + 1).to_be_bytes(), &[0x65], name].concat();
    encoder
        .send(&[
            announcing(Kind::Video),
            two_tracks(0, 0, [&avcc(30), &avcc(31)]),
            two_tracks(0, 1, [&picture(b"one"), &picture(b"two")]),
            two_tracks(40, 1, [&picture(b"three"), &picture(b"four")]),
        ])
        .await?;
    rig.live("/live/tea").await?;
    let (mut old, mut new) = (rig.play_old("/live/tea").await?, rig.play("/live/tea").await?);
    let setup = old.tag().await?;
    assert_eq!(&setup.payload[..], [&[0x17, 0, 0, 0, 0][..], &avcc(30)].concat());
    for name in [&b"three"[..]] {
        assert_eq!(&old.tag().await?.payload[..], [&[0x17, 1][..], &picture(name)].concat());
    }
    let mut tracks = Vec::new();
    while tracks.len() < 4 {
        let tag = new.tag().await?;
        tracks.extend(packets(&tag).filter_map(Result::ok).map(|packet| (packet.track, packet.what)));
    }
    let frame = What::Frame { key: true, composition: 0 };
    for packet in [(0, What::Setup), (1, What::Setup), (0, frame), (1, frame)] {
        ensure!(tracks.contains(&packet), "{packet:?} is not in {tracks:?}");
    }
    drop(encoder);
    rig.server.stop().await;
    Ok(())
}
