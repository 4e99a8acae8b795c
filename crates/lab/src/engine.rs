//! The engine's hold on the kernel: one packet socket for all core ends, its ring of received packets, and what makes a
//! thread punctual.
//!
//! One socket, because closing one takes milliseconds and a lab has many interfaces; a ring, because then a packet that
//! has come costs no system call and a full receive buffer cannot depend on what the system allows ordinary users.
#![allow(unsafe_code)] // a shared ring and sendmmsg(2)

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// All interfaces of the engine's namespace, through one socket.
///
/// Holds as many received packets as its ring has places; the kernel drops those that come when it is full, and counts
/// them.
pub(crate) struct Wires {
    socket: OwnedFd,
    ring: Ring,
    wake: Arc<OwnedFd>,
    batch: Batch,
}

/// A packet that came.
pub(crate) struct Arrival<'a> {
    /// On which interface.
    pub index: u32,
    /// When, by the kernel's clock of the day.
    pub at: Duration,
    /// It, from its Ethernet header on.
    pub bytes: &'a [u8],
}

/// A packet to send, and through which interface.
pub(crate) type Departure = (u32, Arc<[u8]>);

/// Memory shared with the kernel.
struct Ring {
    start: *mut u8,
    length: usize,
    frame: usize,
    frames: usize,
    next: usize,
}

// SAFETY: the mapping belongs to the process, and a `Ring` is the only one who reads it.
unsafe impl Send for Ring {}

/// The arguments of sendmmsg(2), kept to be used again.
#[derive(Default)]
struct Batch {
    addresses: Vec<libc::sockaddr_ll>,
    pieces: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
}

// SAFETY: its pointers are set anew before each use and followed only during it.
unsafe impl Send for Batch {}

/// Wakes an engine that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<OwnedFd>);

impl Wires {
    /// Opens the socket in the calling thread's namespace, for packets of at most `mtu` bytes beside their header.
    pub(crate) fn open(mtu: u32) -> io::Result<Wires> {
        let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // Deaf until everything is set, so protocol 0.
        // SAFETY: socket(2) takes no pointers.
        let fd = check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        // SAFETY: the descriptor is new and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        set(&socket, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V2 as libc::c_int))?;
        set(&socket, PACKET_IGNORE_OUTGOING, &1)?;
        set(&socket, libc::PACKET_QDISC_BYPASS, &1)?;
        let ring = Ring::map(&socket, mtu)?;
        let address = address(0);
        // SAFETY: pointer and length are those of a live address.
        check(unsafe {
            libc::bind(
                socket.as_raw_fd(),
                ptr::from_ref(&address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        })?;
        Ok(Wires { socket, ring, wake, batch: Batch::default() })
    }

    /// What wakes [`wait`](Wires::wait).
    pub(crate) fn waker(&self) -> Waker {
        Waker(self.wake.clone())
    }

    /// Gives the next packet that has come to `take`; whether there was one.
    pub(crate) fn receive(&mut self, take: impl FnOnce(Arrival<'_>)) -> bool {
        self.ring.next(take)
    }

    /// Whether a packet has come.
    pub(crate) fn has_come(&self) -> bool {
        self.ring.is_ready()
    }

    /// Sends packets; how many the kernel would not take.
    pub(crate) fn send(&mut self, packets: &[Departure]) -> u64 {
        let mut refused = 0;
        for group in packets.chunks(MOST_AT_ONCE) {
            refused += self.batch.send(&self.socket, group);
        }
        refused
    }

    /// Waits until a packet comes, somebody wakes it, or `time` is over.
    pub(crate) fn wait(&self, time: Option<Duration>) {
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&*self.wake, PollFlags::IN)];
        let time = time.map(|time| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        });
        let _interrupted = poll(&mut fds, time.as_ref());
        if !fds[1].revents().is_empty() {
            let _nothing_in_it = rustix::io::read(&*self.wake, &mut [0u8; 8]);
        }
    }

    /// How many packets the kernel dropped because the ring was full, since the last call.
    pub(crate) fn overruns(&self) -> u64 {
        // SAFETY: all of it may be zero.
        let mut stats: libc::tpacket_stats = unsafe { zeroed() };
        let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: pointer and length are those of a live value of the type that the option has.
        let done = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                ptr::from_mut(&mut stats).cast(),
                &raw mut length,
            )
        };
        if done == 0 { stats.tp_drops.into() } else { 0 }
    }
}

impl Waker {
    /// Wakes the engine, now or when it goes to wait.
    pub(crate) fn wake(&self) {
        let _it_will_wake = rustix::io::write(self.0.as_fd(), &1u64.to_ne_bytes());
    }
}

impl Ring {
    fn map(socket: &OwnedFd, mtu: u32) -> io::Result<Ring> {
        let frame = (mtu as usize + ROOM_FOR_HEADERS).next_power_of_two().max(2048);
        let block = frame.max(1 << 16);
        let blocks = RING / block;
        let request = libc::tpacket_req {
            tp_block_size: block as libc::c_uint,
            tp_block_nr: blocks as libc::c_uint,
            tp_frame_size: frame as libc::c_uint,
            tp_frame_nr: (RING / frame) as libc::c_uint,
        };
        set(socket, libc::PACKET_RX_RING, &request)?;
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { libc::mmap(ptr::null_mut(), RING, protection, flags, socket.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Ring { start: start.cast(), length: RING, frame, frames: RING / frame, next: 0 })
    }

    /// The word by which the kernel and we hand the next frame to each other.
    fn status(&self) -> &AtomicU32 {
        // SAFETY: a frame begins with its aligned status, inside of the mapping, which lives as long as `self`.
        unsafe { &*self.start.add(self.next * self.frame).cast::<AtomicU32>() }
    }

    fn is_ready(&self) -> bool {
        self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    fn next(&mut self, take: impl FnOnce(Arrival<'_>)) -> bool {
        if !self.is_ready() {
            return false;
        }
        // SAFETY: frame `next` is inside of the mapping.
        let frame = unsafe { self.start.add(self.next * self.frame) };
        // SAFETY: the kernel has handed the frame over, and writes no more in it; it begins with this header.
        let header = unsafe { &*frame.cast::<libc::tpacket2_hdr>() };
        let from = HEADER.next_multiple_of(16);
        // SAFETY: the sender's address follows the header at the next multiple of 16.
        let address = unsafe { &*frame.add(from).cast::<libc::sockaddr_ll>() };
        let start = usize::from(header.tp_mac).min(self.frame);
        let length = (header.tp_snaplen as usize).min(self.frame - start);
        // SAFETY: start and length are inside of the frame, which nobody writes while it is ours.
        let bytes = unsafe { std::slice::from_raw_parts(frame.add(start), length) };
        let at = Duration::new(header.tp_sec.into(), header.tp_nsec.min(999_999_999));
        take(Arrival { index: address.sll_ifindex as u32, at, bytes });
        self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % self.frames;
        true
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing that refers to it is left.
        unsafe { libc::munmap(self.start.cast(), self.length) };
    }
}

impl Batch {
    /// Sends at most [`MOST_AT_ONCE`] packets; how many the kernel would not take.
    fn send(&mut self, socket: &OwnedFd, packets: &[Departure]) -> u64 {
        self.addresses.clear();
        self.pieces.clear();
        self.messages.clear();
        for (index, bytes) in packets {
            self.addresses.push(address(*index));
            self.pieces
                .push(libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() });
        }
        for (address, piece) in self.addresses.iter_mut().zip(&mut self.pieces) {
            // SAFETY: all of it may be zero.
            let mut message: libc::mmsghdr = unsafe { zeroed() };
            message.msg_hdr.msg_name = ptr::from_mut(address).cast();
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            message.msg_hdr.msg_iov = piece;
            message.msg_hdr.msg_iovlen = 1;
            self.messages.push(message);
        }
        let (mut done, mut refused, mut patience) = (0, 0, 20);
        while done < self.messages.len() {
            let rest = &mut self.messages[done..];
            // SAFETY: pointer and length are those of live messages, whose addresses and pieces are alive as well and are
            // only read.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    rest.as_mut_ptr(),
                    rest.len() as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            match sent {
                1.. => done += sent as usize,
                _ if patience > 0 && is_busy(&io::Error::last_os_error()) => {
                    patience -= 1;
                    std::thread::yield_now();
                }
                // An interface that is down, or no memory: this one is lost.
                _ => (done, refused) = (done + 1, refused + 1),
            }
        }
        refused
    }
}

/// What scheduling the calling thread got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Real-time, first in first out, of this priority.
    Fifo(u8),
    /// Normal, preferred by so much.
    Nice(i8),
    /// Normal.
    Normal,
}

/// Asks for real-time priority for the calling thread, else for a better place among the normal ones, and for exact
/// timers.
pub(crate) fn hurry(wanted: u8) -> Priority {
    let _default_slack = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    for priority in [wanted, 1] {
        let parameters = libc::sched_param { sched_priority: priority.into() };
        let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
        // SAFETY: the parameters are alive.
        if unsafe { libc::sched_setscheduler(0, policy, &parameters) } == 0 {
            return Priority::Fifo(priority);
        }
    }
    match rustix::process::setpriority_process(None, -10) {
        Ok(()) => Priority::Nice(-10),
        Err(_) => Priority::Normal,
    }
}

/// Gives the calling thread, and what it starts, real-time priority; whether it may.
pub(crate) fn urge(priority: u8) -> bool {
    let parameters = libc::sched_param { sched_priority: priority.into() };
    // SAFETY: the parameters are alive.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameters) == 0 }
}

/// Whether the calling thread has real-time priority.
pub(crate) fn is_urgent() -> bool {
    // SAFETY: no pointers.
    let policy = unsafe { libc::sched_getscheduler(0) };
    policy & !libc::SCHED_RESET_ON_FORK == libc::SCHED_FIFO
}

/// Gives the calling thread normal priority.
pub(crate) fn relax() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the parameters are alive. Less is always allowed.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &parameters) };
}

fn address(index: u32) -> libc::sockaddr_ll {
    // SAFETY: all of it may be zero.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index as libc::c_int;
    address
}

fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: pointer and length are those of a live value, of the type that the option has.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    check(done).map(drop)
}

fn is_busy(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS | libc::EINTR))
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The ring in bytes: 4,096 packets of an Ethernet's size.
const RING: usize = 8 << 20;
/// What stands before a packet in its frame of the ring, with room to align it, and its Ethernet header.
const ROOM_FOR_HEADERS: usize = 160;
const HEADER: usize = size_of::<libc::tpacket2_hdr>();
const MOST_AT_ONCE: usize = 64;
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
