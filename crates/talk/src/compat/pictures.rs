//! The pictures of `minimal_video`: raw, in numbered pieces, on a port of their own.

use bytes::Bytes;
use levada_codec::compat::video::{Cut, Picture};
use levada_link::{Input, Machine, Output, Transmit};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How pictures are exchanged: both ends must be told the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PicturesConfig {
    /// Where the other end's pictures are received.
    pub peer: SocketAddr,
    /// Their size. Default 320 by 240.
    pub picture: Picture,
    /// How they are cut. Default: runs of 1398 bytes.
    pub cut: Cut,
    /// Pictures a second. Default 30.
    pub rate: f64,
}

impl PicturesConfig {
    /// The seminar's defaults.
    pub fn new(peer: SocketAddr) -> PicturesConfig {
        let picture = Picture { width: 320, height: 240 };
        PicturesConfig { peer, picture, cut: Cut::Runs(1_398), rate: 30.0 }
    }
}

/// What was exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PicturesStats {
    /// Pictures whose pieces were all sent.
    pub sent: u64,
    /// Bytes in datagrams sent.
    pub sent_bytes: u64,
    /// Pictures given out.
    pub received: u64,
    /// Bytes in good datagrams.
    pub received_bytes: u64,
    /// Datagrams that were no piece of such a picture.
    pub refused: u64,
    /// Datagrams of somebody else than the peer.
    pub strangers: u64,
}

/// One end. Its events are pictures as they are seen: rows of blue, green and red bytes.
///
/// The programs send a picture's pieces as fast as they can; here they are spread over its time. A picture is seen when its last piece came or
/// when the next one's begin, so that the two are not torn; what did not come stays as it was, since pieces do not say of which picture they are. Of
/// pictures to send the newest one is kept, and sent again while there is no newer one.
#[derive(Debug)]
pub struct RawPictures {
    config: PicturesConfig,
    /// The newest, the one that is on its way, and how many of its pieces left.
    next: Option<Vec<u8>>,
    now: Vec<u8>,
    left: usize,
    /// When the one on its way began.
    began: Option<Instant>,
    seen: Vec<u8>,
    /// Pieces since the last picture that was given out, and the highest of them.
    fresh: usize,
    highest: Option<u16>,
    given: Option<Bytes>,
    other: Option<(SocketAddr, Instant)>,
    stats: PicturesStats,
}

impl RawPictures {
    /// None where pictures of that size, so cut, have no pieces or more than can be numbered; or where the rate is none.
    pub fn new(config: PicturesConfig) -> Option<RawPictures> {
        let PicturesConfig { picture, cut, rate, .. } = config;
        let longest = match cut {
            Cut::Runs(bytes) => bytes,
            Cut::Squares(side) => side.saturating_mul(side).saturating_mul(3),
        };
        let sides = [picture.width, picture.height].into_iter().all(|side| (1..=4_096).contains(&side));
        let fits = sides && (1..=1 << 16).contains(&picture.pieces(cut)) && longest <= LONGEST;
        (fits && (0.1..=1_000.0).contains(&rate)).then(|| RawPictures {
            next: None,
            now: Vec::new(),
            left: 0,
            began: None,
            seen: vec![0; picture.bytes()],
            fresh: 0,
            highest: None,
            given: None,
            other: None,
            stats: PicturesStats::default(),
            config,
        })
    }

    /// What was exchanged so far.
    pub fn stats(&self) -> PicturesStats {
        self.stats
    }

    /// A picture to be sent, in place of any that was not begun yet; false where its size is another.
    pub fn give(&mut self, pixels: Vec<u8>) -> bool {
        let fits = pixels.len() == self.config.picture.bytes();
        if fits {
            self.next = Some(pixels);
        }
        fits
    }

    fn pieces(&self) -> usize {
        self.config.picture.pieces(self.config.cut)
    }

    /// When the next piece, or the next picture, is due.
    fn due(&self) -> Option<Instant> {
        let began = self.began?;
        let share = self.left as f64 / self.pieces() as f64;
        Some(began + Duration::from_secs_f64(share / self.config.rate))
    }

    /// Begins the next picture when it is time.
    fn begin(&mut self, now: Instant) {
        if self.began.is_some() && (self.left < self.pieces() || self.due().is_some_and(|due| due > now)) {
            return;
        }
        if let Some(next) = self.next.take() {
            self.now = next;
        }
        if self.now.is_empty() {
            return;
        }
        // one that should have begun long ago begins now
        let due = self.due().filter(|due| now.duration_since(*due) < Duration::from_millis(100));
        (self.began, self.left) = (Some(due.unwrap_or(now)), 0);
    }

    fn arrive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let lately = |(other, at): (SocketAddr, Instant)| other != from && now.duration_since(at) < FORGET;
        if from != self.config.peer && self.other.is_some_and(lately) {
            self.stats.strangers += 1;
            return;
        }
        let Some(index) = datagram.first_chunk().map(|index| u16::from_be_bytes(*index)) else {
            self.stats.refused += 1;
            return;
        };
        // the first piece of the next picture: all that came before is seen
        if self
            .highest
            .is_some_and(|highest| index <= highest && usize::from(highest - index) > self.pieces() / 2)
        {
            self.give_out();
        }
        if !self.config.picture.read(self.config.cut, datagram, &mut self.seen) {
            self.stats.refused += 1;
            return;
        }
        self.other = Some((from, now));
        self.stats.received_bytes += datagram.len() as u64;
        self.fresh += 1;
        self.highest = Some(self.highest.map_or(index, |highest| highest.max(index)));
        if usize::from(index) + 1 == self.pieces() && self.fresh >= self.pieces() {
            self.give_out();
        }
    }

    fn give_out(&mut self) {
        if self.fresh > 0 {
            self.stats.received += 1;
            self.given = Some(Bytes::copy_from_slice(&self.seen));
        }
        (self.fresh, self.highest) = (0, None);
    }
}

impl Machine for RawPictures {
    type Event = Bytes;

    fn handle(&mut self, now: Instant, input: Input) {
        if let Input::Datagram { from, bytes } = input {
            self.arrive(now, from, &bytes);
        }
        self.begin(now);
    }

    fn poll(&mut self, now: Instant) -> Output<Bytes> {
        if let Some(given) = self.given.take() {
            return Output::Event(given);
        }
        self.begin(now);
        let Some(due) = self.due() else { return Output::Wait(None) };
        if due > now || self.left >= self.pieces() {
            return Output::Wait(Some(due));
        }
        let mut datagram = Vec::with_capacity(1_400);
        self.config.picture.write(self.config.cut, self.left as u16, &self.now, &mut datagram);
        self.left += 1;
        self.stats.sent_bytes += datagram.len() as u64;
        self.stats.sent += u64::from(self.left == self.pieces());
        Output::Send(Transmit::Datagram { to: self.config.peer, bytes: datagram.into() })
    }
}

/// A sender that has been silent so long may be another's program now.
const FORGET: Duration = Duration::from_secs(1);
/// Bytes of a piece, at most: what a datagram takes.
const LONGEST: usize = 65_000;

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // only here a clock is read
mod tests {
    use super::*;

    fn machine(cut: Cut) -> RawPictures {
        let peer = SocketAddr::from(([10, 0, 0, 2], 4_445));
        let picture = Picture { width: 20, height: 12 };
        RawPictures::new(PicturesConfig { picture, cut, ..PicturesConfig::new(peer) }).unwrap()
    }

    fn sent(machine: &mut RawPictures, now: Instant) -> Vec<Bytes> {
        let mut all = Vec::new();
        machine.handle(now, Input::Wake);
        while let Output::Send(Transmit::Datagram { bytes, .. }) = machine.poll(now) {
            all.push(bytes);
        }
        all
    }

    fn seen(machine: &mut RawPictures, now: Instant, datagram: &[u8], from: SocketAddr) -> Option<Bytes> {
        machine.handle(now, Input::Datagram { from, bytes: Bytes::copy_from_slice(datagram) });
        match machine.poll(now) {
            Output::Event(picture) => Some(picture),
            _ => None,
        }
    }

    #[test]
    fn pieces_are_spread_over_a_pictures_time_and_make_the_picture() {
        let began = Instant::now();
        for (cut, pieces) in [(Cut::Runs(100), 8), (Cut::Squares(8), 6)] {
            let (mut near, mut far) = (machine(cut), machine(cut));
            assert_eq!(sent(&mut near, began).len(), 0, "nothing was captured yet");
            let pixels: Vec<u8> = (0..720).map(|n| (n % 251) as u8).collect();
            assert!(!near.give(vec![1; 7]) && near.give(pixels.clone()));
            let mut now = began;
            let mut all = sent(&mut near, now);
            assert_eq!(all.len(), 1);
            while all.len() < pieces {
                now += Duration::from_micros(500);
                all.extend(sent(&mut near, now));
            }
            let took = now.duration_since(began).as_secs_f64();
            assert!((0.02..1.0 / 30.0).contains(&took), "{took}");
            // the same again while there is no other, one picture's time later
            assert!(sent(&mut near, began + Duration::from_millis(33)).is_empty());
            assert_eq!(sent(&mut near, began + Duration::from_millis(34)).len(), 1);
            let peer = SocketAddr::from(([10, 0, 0, 2], 4_445));
            let pictures: Vec<Bytes> =
                all.iter().filter_map(|piece| seen(&mut far, now, piece, peer)).collect();
            assert_eq!(pictures, [Bytes::from(pixels)]);
            assert_eq!((far.stats().received, far.stats().refused), (1, 0));
        }
    }

    #[test]
    fn a_picture_with_a_gap_is_seen_when_the_next_begins_and_strangers_draw_nothing() {
        let now = Instant::now();
        let mut far = machine(Cut::Runs(100));
        let [peer, stranger] = [2, 9].map(|last| SocketAddr::from(([10, 0, 0, last], 4_445)));
        let piece = |index: u16, value: u8| {
            let length = if index == 7 { 20 } else { 100 };
            [&index.to_be_bytes()[..], &vec![value; length]].concat()
        };
        for index in [0, 1, 2, 4, 5, 6, 7] {
            assert_eq!(seen(&mut far, now, &piece(index, 5), peer), None);
        }
        assert_eq!(seen(&mut far, now, &piece(3, 9), stranger), None);
        let picture = seen(&mut far, now, &piece(0, 6), peer).unwrap();
        assert!(picture[..300].iter().all(|x| *x == 5) && picture[300..400].iter().all(|x| *x == 0));
        for bad in [&[][..], &[0], &[0, 8, 1], &[0, 0, 1], &[255; 102]] {
            assert_eq!(seen(&mut far, now, bad, peer), None);
        }
        assert_eq!((far.stats().refused, far.stats().strangers), (5, 1));
        let none = PicturesConfig { cut: Cut::Runs(1), ..PicturesConfig::new(peer) };
        assert!(RawPictures::new(none).is_none(), "more pieces than numbers");
    }
}
