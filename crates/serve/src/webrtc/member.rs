//! A browser in a room: its voice goes to the room as it is sealed, and every other member comes to it as a stream of its own.

use super::{
    ear::{Ear, TICKS},
    peer::{Gone, Peer},
};
use crate::{Station, room::Seat};
use bytes::{BufMut, Bytes, BytesMut};
use levada_link::room::{
    PARTICIPANTS,
    wire::{FRAME_HEAD, Heard},
};
use std::{collections::VecDeque, sync::Arc, time::Instant};
use str0m::{
    Event,
    channel::{ChannelData, ChannelId},
    format::Codec,
    media::{MediaKind, Mid, Pt},
    rtp::RtpPacket,
};
use tokio_util::sync::CancellationToken;

/// One browser.
pub(super) struct Member {
    peer: Peer,
    seat: Seat,
    /// Whether it cannot seal: what it sends and hears is bare Opus.
    is_open: bool,
    /// Whether it is there yet; frames before that are for nobody.
    is_here: bool,
    /// The others in the order of their numbers.
    ears: Vec<Ear>,
    /// Whose stay each number is.
    stays: [Option<u32>; PARTICIPANTS + 1],
    channel: Option<ChannelId>,
    /// What is to go through the channel; beyond [`MOST_WAITING`] the oldest leave, as all of it is said again or outdated.
    waiting: VecDeque<Bytes>,
    /// The time of its first packet of sound.
    first: Option<u32>,
}

impl Member {
    /// A browser that has had its answer, and took a seat.
    pub(super) fn new(peer: Peer, ears: Vec<Ear>, seat: Seat, is_open: bool) -> Member {
        let (stays, waiting) = ([None; PARTICIPANTS + 1], VecDeque::new());
        Member { peer, seat, is_open, is_here: false, ears, stays, channel: None, waiting, first: None }
    }

    /// Carries until one of them ends it.
    pub(super) async fn run(mut self, kick: CancellationToken, station: Arc<Station>) {
        let end = tokio::select! {
            why = self.carry() => why,
            () = kick.cancelled() => "left",
            () = station.stop.cancelled() => "server stops",
        };
        tracing::info!(number = self.seat.number, end, "browser left its room");
        self.peer.close();
    }

    async fn carry(&mut self) -> &'static str {
        loop {
            let done = tokio::select! {
                event = self.peer.next() => match event {
                    Ok(event) => self.event(event),
                    Err(why) => Err(why),
                },
                message = self.seat.next() => match message {
                    Some(message) => self.message(message),
                    None => return "put out",
                },
            };
            match done {
                Ok(()) => {}
                Err(Gone::Left) => return "left",
                Err(_) => return "disconnected",
            }
        }
    }

    fn event(&mut self, event: Event) -> Result<(), Gone> {
        match event {
            Event::Connected => self.is_here = true,
            Event::RtpPacket(packet) => self.voice(&packet),
            Event::ChannelOpen(id, _) if self.channel.is_none() => {
                self.channel = Some(id);
                return self.flush();
            }
            Event::ChannelBufferedAmountLow(_) => return self.flush(),
            Event::ChannelClose(id) if self.channel == Some(id) => return Err(Gone::Left),
            Event::ChannelData(ChannelData { id, data, .. }) if self.channel == Some(id) => {
                // frames come as sound alone, and whoever leaves closes the session
                if matches!(data.first(), Some(&(CONTROL | KNOWN))) {
                    self.seat.send(&data);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A packet of the browser's sound is a frame already where it can seal.
    fn voice(&mut self, packet: &RtpPacket) {
        if !self.is_open {
            self.seat.frame(&packet.payload);
            return;
        }
        let time = packet.header.timestamp;
        let first = *self.first.get_or_insert(time);
        let mut frame = BytesMut::with_capacity(FRAME_HEAD + packet.payload.len());
        frame.put_u8(0);
        frame.put_u32(time.wrapping_sub(first) / TICKS);
        frame.put_slice(&packet.payload);
        self.seat.frame(&frame);
    }

    /// What the room says: frames become sound, everything else goes through the channel.
    fn message(&mut self, message: Bytes) -> Result<(), Gone> {
        match Heard::read(&message) {
            Some(Heard::Frame { from, frame }) => return self.hear(from, frame),
            Some(Heard::Roster(roster)) => {
                self.stays = [None; PARTICIPANTS + 1];
                for member in &roster.participants {
                    if let Some(stay) = self.stays.get_mut(usize::from(member.number)) {
                        *stay = Some(member.stay);
                    }
                }
            }
            Some(Heard::Control { .. }) => {}
            _ => return Ok(()),
        }
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(message);
        self.flush()
    }

    fn hear(&mut self, from: u8, frame: &[u8]) -> Result<(), Gone> {
        let slot = usize::from(from).checked_sub(if from < self.seat.number { 1 } else { 2 });
        let stay = self.stays.get(usize::from(from)).copied().flatten();
        let ear = slot.and_then(|slot| self.ears.get_mut(slot));
        let (Some(ear), Some(stay), Some(head)) = (ear, stay, frame.first_chunk::<FRAME_HEAD>()) else {
            return Ok(());
        };
        let [generation, counter @ ..] = *head;
        let payload = match (self.is_open, generation) {
            (false, _) => frame,
            (true, 0) => &frame[FRAME_HEAD..],
            (true, _) => return Ok(()), // it could not open it
        };
        if !self.is_here || payload.len() > LONGEST {
            return Ok(());
        }
        match ear.packet(stay, u32::from_be_bytes(counter), payload, Instant::now()) {
            Some(packet) => self.peer.write(ear.mid, packet),
            None => Ok(()),
        }
    }

    /// Writes what the channel takes now.
    fn flush(&mut self) -> Result<(), Gone> {
        let Some(id) = self.channel else { return Ok(()) };
        while let Some(message) = self.waiting.front() {
            let written = self.peer.change(|rtc| {
                rtc.channel(id).is_none_or(|mut channel| channel.write(true, message).unwrap_or(true))
            })?;
            if !written {
                return Ok(());
            }
            self.waiting.pop_front();
        }
        Ok(())
    }
}

/// The streams on which a browser hears others; `None` where it has agreed on none to be heard on itself.
pub(super) fn ears(peer: &Peer) -> Option<Vec<Ear>> {
    let audio = peer.streams().iter().filter(|(kind, _)| *kind == MediaKind::Audio);
    let ways: Vec<(Mid, Pt, bool)> = audio.filter_map(|(_, mid)| way(peer, *mid)).collect();
    ways.iter().find(|(.., hears)| !hears)?;
    let ears = ways.iter().filter(|(.., hears)| *hears).take(PARTICIPANTS - 1);
    Some(ears.map(|(mid, pt, _)| Ear::new(*mid, *pt, chance())).collect())
}

/// How the stream called `mid` was agreed on: its payload type, and whether it is one that the browser hears.
fn way(peer: &Peer, mid: Mid) -> Option<(Mid, Pt, bool)> {
    let media = peer.rtc().media(mid)?;
    let agreed = media.remote_pts();
    let params = peer.rtc().codec_config().params().iter();
    let opus = params
        .filter(|params| params.spec().codec == Codec::Opus)
        .find(|params| agreed.contains(&params.pt()))?;
    let direction = media.direction();
    (direction.is_sending() != direction.is_receiving()).then_some((mid, opus.pt(), direction.is_sending()))
}

fn chance() -> [u8; 6] {
    let mut random = [0; 6];
    getrandom::fill(&mut random).expect("the system gives random bytes");
    random
}

/// Kinds of messages that a browser sends through its channel.
const CONTROL: u8 = 16;
const KNOWN: u8 = 18;
/// Bytes of a frame that fits a datagram.
const LONGEST: usize = 1_200;
/// Messages that wait for the channel.
const MOST_WAITING: usize = 256;
