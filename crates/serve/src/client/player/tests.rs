//! What a player hands out, and when.

use super::*;
use bytes::Bytes;

/// `count` frames of MPEG-1 layer III, 64 kbit/s, 44.1 kHz: 208 bytes and 26.1 ms each, numbered in their body.
fn frames(count: usize) -> Bytes {
    let frame = |number: usize| {
        let mut frame = vec![0xff, 0xfb, 0x50, 0xc0];
        frame.resize(208, 0);
        frame[200] = number as u8;
        frame
    };
    (0..count).flat_map(frame).collect()
}

fn memory(name: &str, bytes: &Bytes) -> Medium {
    Medium::Memory(name.into(), bytes.clone())
}

async fn all(mut player: Player, most: usize) -> Vec<Page> {
    let mut pages = Vec::new();
    while pages.len() < most
        && let Some(page) = player.page().await.unwrap()
    {
        pages.push(page);
    }
    pages
}

fn joined(pages: &[Page]) -> Bytes {
    pages.iter().flat_map(|page| page.bytes.clone()).collect()
}

#[tokio::test]
async fn a_file_played_once_passes_byte_for_byte() {
    let file = frames(400);
    let player = Player::open(vec![memory("a.mp3", &file)], Options::default()).await.unwrap();
    assert_eq!(player.kind().content_type, "audio/mpeg");
    let pages = all(player, usize::MAX).await;
    assert_eq!(joined(&pages), file);
    assert_eq!(pages[0].tags.as_deref(), Some(&Tags::titled("a")));
}

#[tokio::test]
async fn a_looped_file_goes_on_with_growing_time() {
    let player =
        Player::open(vec![memory("a.mp3", &frames(50))], Options { looping: true, ..Options::default() });
    let pages = all(player.await.unwrap(), 500).await;
    let times: Vec<_> = pages.iter().filter_map(|page| page.at).collect();
    assert!(times.is_sorted() && times.len() == 500);
    assert_eq!(pages.iter().filter(|page| page.tags.is_some()).count(), 1, "the title is told once");
}

#[tokio::test]
async fn several_files_follow_each_other_with_their_titles() {
    let (a, b, odd) = (frames(50), frames(60), Bytes::from_static(b"OggS\0\0"));
    let media = vec![memory("a.mp3", &a), memory("odd.ogg", &odd), memory("b.mp3", &b)];
    let pages = all(Player::open(media, Options::default()).await.unwrap(), usize::MAX).await;
    assert_eq!(joined(&pages), [&a[..], &b[..]].concat());
    let titles: Vec<_> = pages.iter().filter_map(|page| page.tags.as_ref()).map(|tags| tags.line()).collect();
    assert_eq!(titles, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn pages_come_in_real_time() {
    let options = Options { lead: Duration::ZERO, ..Options::default() };
    let mut player = Player::open(vec![memory("a.mp3", &frames(383))], options).await.unwrap();
    let began = Instant::now();
    while player.next().await.unwrap().is_some() {}
    let took = began.elapsed().as_secs_f64();
    assert!((9.9..10.1).contains(&took), "383 frames last 10 s, not {took}");
}

#[tokio::test(start_paused = true)]
async fn a_bit_rate_paces_what_has_no_time() {
    let bytes = Bytes::from(vec![1; 100_000]);
    let options = Options { bitrate: Some(80_000), lead: Duration::ZERO, ..Options::default() };
    let mut player = Player::open(vec![memory("a.bin", &bytes)], options).await.unwrap();
    let began = Instant::now();
    let mut sum = 0;
    while let Some(page) = player.next().await.unwrap() {
        sum += page.bytes.len();
    }
    assert_eq!(sum, 100_000);
    assert!((2.0..10.1).contains(&began.elapsed().as_secs_f64()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_cannot_be_played_says_why() {
    let open = |name: &str, bytes: &'static [u8]| {
        Player::open(
            vec![memory(name, &Bytes::from_static(bytes))],
            Options { looping: true, ..Options::default() },
        )
    };
    assert!(matches!(open("a.mp4", b"\0\0\0\x20ftypisom").await, Err(Error::Mp4(_))));
    assert!(matches!(open("a.bin", b"abc").await, Err(Error::NoTime(_))));
    assert!(matches!(open("a.ogg", b"").await, Err(Error::Barren(_))));
    assert!(matches!(Player::open(Vec::new(), Options::default()).await, Err(Error::Nothing)));
    let missing = Player::open(vec![Medium::File("/nowhere/a.ogg".into())], Options::default());
    assert!(matches!(missing.await, Err(Error::Open { .. })));
    let mut hollow = open("a.mp3", b"\xff\xfb\x50\xc0 this is no frame").await.unwrap();
    assert!(matches!(hollow.page().await, Err(Error::Barren(_))), "a loop over nothing ends");
}
