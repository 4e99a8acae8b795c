//! Sends many datagrams with few system calls: one for all, and of those of a kind to one address one datagram of the kernel's.

use bytes::Bytes;
use std::net::SocketAddr;

/// Datagrams that leave a socket together.
///
/// Those to one address keep their order; others may overtake them. It holds what is put in until it is flushed, which the
/// owner does after every batch of input. On Linux all leave with one `sendmmsg`, and those of one length to one address as
/// one datagram that the kernel or the network card cuts up (UDP GSO), where they can.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Vec<(SocketAddr, Bytes)>,
    /// How often in a row the system did not take joined ones.
    #[cfg(target_os = "linux")]
    refused: u32,
}

/// What became of datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Those that the system took.
    pub sent: u64,
    /// Those that it did not take.
    pub unsent: u64,
}

impl Outbox {
    /// Nothing waits.
    pub fn new() -> Outbox {
        Outbox::default()
    }

    /// One more is to leave.
    pub fn push(&mut self, to: SocketAddr, bytes: Bytes) {
        self.waiting.push((to, bytes));
    }

    /// None is to leave any longer.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(not(target_os = "linux"))]
impl Outbox {
    /// Sends all that wait. Where the system takes no more, `full` says whether to try again; if not, the rest goes on
    /// waiting.
    pub fn flush(&mut self, socket: &impl super::Port, mut full: impl FnMut() -> bool) -> Sent {
        let mut done = Sent::default();
        let mut at = 0;
        while let Some((to, bytes)) = self.waiting.get(at) {
            match socket.send(bytes, *to) {
                Ok(_) => done.sent += 1,
                Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => match full() {
                    true => continue,
                    false => break,
                },
                // A way that is not there loses a datagram, as networks do.
                Err(_) => done.unsent += 1,
            }
            at += 1;
        }
        self.waiting.drain(..at);
        done
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use nix::{
        cmsg_space,
        errno::Errno,
        sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg, sendmsg},
    };
    use std::{
        io::IoSlice,
        ops::Range,
        os::fd::{AsRawFd, RawFd},
    };

    impl Outbox {
        /// Sends all that wait. Where the system takes no more, `full` says whether to try again; if not, the rest goes on
        /// waiting.
        pub fn flush(&mut self, socket: &impl AsRawFd, mut full: impl FnMut() -> bool) -> Sent {
            let socket = socket.as_raw_fd();
            if self.waiting.len() > 1 {
                self.waiting.sort_by_key(|(to, _)| *to);
            }
            let mut segment = if self.refused < GIVES_UP { segment(&self.waiting) } else { 0 };
            let mut messages = messages(&self.waiting, segment);
            let mut done = Sent::default();
            let mut at = 0;
            while at < messages.len() {
                let fits = |message: &Range<usize>| self.waiting[message.start].1.len() <= segment;
                let first = fits(&messages[at]);
                let batch = messages[at..].iter().take(AT_ONCE).take_while(|message| fits(message) == first);
                let batch = &messages[at..at + batch.count()];
                match send(socket, &self.waiting, batch, first.then_some(segment as u16)) {
                    Ok(count) => {
                        let taken = batch[..count].iter();
                        done.sent += taken.map(|message| message.len() as u64).sum::<u64>();
                        self.refused = if first { 0 } else { self.refused };
                        at += count;
                    }
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) if full() => {}
                    Err(Errno::EAGAIN) => break,
                    // This system, or this way, takes none that are joined.
                    Err(_) if first => {
                        self.refused += 1;
                        let rest = messages[at].start..self.waiting.len();
                        segment = 0;
                        messages.truncate(at);
                        messages.extend(rest.map(|one| one..one + 1));
                    }
                    // A way that is not there loses a datagram, as networks do.
                    Err(_) => {
                        done.unsent += 1;
                        at += 1;
                    }
                }
            }
            self.waiting.drain(..messages.get(at).map_or(self.waiting.len(), |message| message.start));
            done
        }
    }

    /// How long those are that can be joined: the longest that have another of the same length behind them; zero where none.
    fn segment(waiting: &[(SocketAddr, Bytes)]) -> usize {
        let pairs =
            waiting.windows(2).filter(|pair| pair[0].0 == pair[1].0 && pair[0].1.len() == pair[1].1.len());
        pairs.map(|pair| pair[0].1.len()).filter(|length| *length <= LONGEST_JOINED).max().unwrap_or(0)
    }

    /// What the kernel gets as one: runs to one address of datagrams of this length, the last of them as short as it likes.
    fn messages(waiting: &[(SocketAddr, Bytes)], segment: usize) -> Vec<Range<usize>> {
        let mut messages = Vec::<Range<usize>>::with_capacity(waiting.len());
        for (at, (to, bytes)) in waiting.iter().enumerate() {
            let joins = |run: &&mut Range<usize>| {
                let (before, last) = &waiting[run.end - 1];
                before == to
                    && last.len() == segment
                    && (1..=segment).contains(&bytes.len())
                    && run.len() < MOST_JOINED
            };
            match messages.last_mut().filter(joins) {
                Some(run) => run.end += 1,
                None => messages.push(at..at + 1),
            }
        }
        messages
    }

    /// How many of these messages the system took, at least the first.
    fn send(
        socket: RawFd,
        waiting: &[(SocketAddr, Bytes)],
        messages: &[Range<usize>],
        segment: Option<u16>,
    ) -> nix::Result<usize> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let control = segment.as_ref().map(ControlMessage::UdpGsoSegments);
        let first = messages.first().map_or(0, |message| message.start);
        let last = messages.last().map_or(0, |message| message.end);
        let bytes: Vec<_> = waiting[first..last].iter().map(|(_, bytes)| IoSlice::new(bytes)).collect();
        if let [message] = messages {
            let to = SockaddrStorage::from(waiting[message.start].0);
            return sendmsg(socket, &bytes, control.as_slice(), flags, Some(&to)).map(|_| 1);
        }
        let slices: Vec<_> = messages.iter().map(|run| &bytes[run.start - first..run.end - first]).collect();
        let to: Vec<_> =
            messages.iter().map(|run| Some(SockaddrStorage::from(waiting[run.start].0))).collect();
        let room = control.is_some().then(|| cmsg_space!(u16));
        let mut headers = MultiHeaders::preallocate(messages.len(), room);
        Ok(sendmmsg(socket, &mut headers, &slices, to, control.as_slice(), flags)?.count())
    }

    /// Messages given to the system at once, at most.
    const AT_ONCE: usize = 64;
    /// Datagrams in one message, at most: what every kernel takes, and fits into the longest IP packet.
    const MOST_JOINED: usize = 40;
    /// Datagrams that are longer are not joined: what they fit into of Ethernet, IPv6's header beside them.
    const LONGEST_JOINED: usize = 1_452;
    /// After so many refusals in a row none are joined any longer.
    const GIVES_UP: u32 = 8;

    #[cfg(test)]
    mod tests {
        use super::*;

        fn waiting(of: &[(u16, usize)]) -> Vec<(SocketAddr, Bytes)> {
            of.iter()
                .map(|(port, length)| (([127, 0, 0, 1], *port).into(), Bytes::from(vec![0; *length])))
                .collect()
        }

        #[test]
        fn what_is_of_one_length_to_one_address_is_joined_and_the_last_may_be_shorter() {
            let all =
                waiting(&[(1, 900), (1, 900), (1, 20), (1, 900), (2, 900), (2, 1_000), (3, 0), (3, 900)]);
            assert_eq!(segment(&all), 900);
            assert_eq!(messages(&all, 900), [0..3, 3..4, 4..5, 5..6, 6..7, 7..8]);
        }

        #[test]
        fn fragments_and_single_ones_are_not_joined() {
            assert_eq!(segment(&waiting(&[(1, 1_453), (1, 1_453), (2, 800), (3, 800)])), 0);
            assert_eq!(messages(&waiting(&[(1, 5), (1, 0), (1, 0)]), 0), [0..1, 1..2, 2..3]);
        }
    }
}
