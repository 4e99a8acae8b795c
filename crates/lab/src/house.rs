//! The processes of a lab: the one in front that was started by a person, process 1 in the lab's namespaces, and how others
//! speak to it.
//!
//! Process 1 is this very program once more, with the same arguments. It ends when the one in front does, and with it
//! the kernel ends everything else in the lab: nothing is left to clean up, whoever is killed.

use crate::netns::{self, Doors};
use crate::{LIFELINE, keeper};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};

/// Whether this process is process 1 of a lab.
pub fn is_inside() -> bool {
    std::process::id() == 1 && std::env::args_os().next() == Some(OsString::from(NAME))
}

/// Makes namespaces and runs this program once more as process 1 in them; how that ended, as a shell's exit status.
///
/// To be called while there is one thread. Signals that ask for an end are passed on.
///
/// # Errors
/// That the system refuses namespaces, or has no more processes.
pub fn front() -> io::Result<u8> {
    let inherits = netns::allow_priority(20) == 0 && keeper::take();
    netns::enter().map_err(io::Error::other)?;
    let (read, _write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::fcntl_setfd(&read, rustix::io::FdFlags::empty())?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).args(std::env::args_os().skip(1));
    command.env(LIFELINE, netns::number(&read).to_string());
    // There can be no second thread: its processes would be in another namespace.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let child = tokio::process::Command::from(command).spawn();
        if inherits {
            crate::engine::relax();
        }
        let mut child = child?;
        drop(read);
        let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(id as i32));
        let status = tokio::select! {
            status = child.wait() => return Ok(code(status?)),
            status = pass_on(pid) => status,
        };
        status?;
        Ok(code(child.wait().await?))
    })
}

/// Passes signals on for ever.
async fn pass_on(pid: Option<rustix::process::Pid>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        // A terminal sends its interrupt to process 1 as well; twice is once there.
        let signal = tokio::select! {
            _ = interrupt.recv() => rustix::process::Signal::INT,
            _ = terminate.recv() => rustix::process::Signal::TERM,
            _ = hangup.recv() => rustix::process::Signal::HUP,
        };
        if let Some(pid) = pid {
            let _ended_already = rustix::process::kill_process(pid, signal);
        }
    }
}

/// Ties this process to the one in front: when that ends, however, this one does. To be called while there is one thread.
///
/// # Errors
/// That there are no threads.
pub fn tie() -> io::Result<()> {
    keeper::keep()?;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let line = std::env::var(LIFELINE).ok().and_then(|fd| fd.parse().ok()).and_then(netns::adopt);
    if let Some(line) = line {
        std::thread::Builder::new().name("lifeline".into()).stack_size(64 << 10).spawn(move || {
            // Nobody writes; it ends when the writer is gone.
            let _end = rustix::io::read(&line, &mut [0u8; 1]);
            std::process::exit(137);
        })?;
    }
    Ok(())
}

/// A shell's exit status.
pub fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// What one may ask of a lab that is up.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Ask {
    /// To do what these words say.
    Words(Vec<String>),
    /// The way into a host.
    Enter(String),
}

/// What a lab says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Say {
    /// To the output.
    Out(String),
    /// To the error output.
    Err(String),
    /// That this was all, with an exit status.
    Status(u8),
}

/// Listens to those who want something of the lab `name`.
///
/// The name is an abstract one, so there is no file that could be left behind.
///
/// # Errors
/// That there is a lab of that name already.
pub fn listen(name: &str) -> io::Result<UnixListener> {
    UnixListener::bind_addr(&address(name)?)
}

/// Takes in what one who has come asks for; `None` for somebody else's user.
///
/// # Errors
/// That it went away.
pub fn hear(stream: &UnixStream) -> io::Result<Option<Ask>> {
    let peer = netns::peer(stream)?;
    if peer != rustix::process::geteuid().as_raw() && peer != 0 {
        return Ok(None);
    }
    let mut line = String::new();
    let mut limited = io::Read::take(stream, 1 << 20);
    BufReader::new(&mut limited).read_line(&mut line)?;
    Ok(serde_json::from_str(&line).ok())
}

/// Says something to one who asked.
///
/// # Errors
/// That it went away.
pub fn say(mut stream: &UnixStream, what: &Say) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Hands over the way into a host.
///
/// # Errors
/// That it went away.
pub fn hand_over(stream: &UnixStream, doors: &Doors) -> io::Result<()> {
    let fds = doors.0.each_ref().map(|fd| fd.as_fd());
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    rustix::net::sendmsg(stream, &[IoSlice::new(b"\n")], &mut control, SendFlags::empty())?;
    Ok(())
}

/// Asks the lab `name` to do what the words say; what it says goes to `tell`.
///
/// # Errors
/// That there is no such lab, or that it ended meanwhile.
pub fn ask(name: &str, words: &[String], mut tell: impl FnMut(&Say)) -> io::Result<u8> {
    let stream = connect(name, &Ask::Words(words.to_vec()))?;
    for line in BufReader::new(&stream).lines() {
        let say: Say = serde_json::from_str(&line?)?;
        if let Say::Status(status) = say {
            return Ok(status);
        }
        tell(&say);
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the lab has ended"))
}

/// The way into a host of the lab `name`; an error text where it has none of that name.
///
/// # Errors
/// That there is no such lab.
pub fn doors(name: &str, host: &str) -> io::Result<Result<Doors, String>> {
    let stream = connect(name, &Ask::Enter(host.into()))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut first = [0u8; 1];
    let flags = RecvFlags::CMSG_CLOEXEC;
    rustix::net::recvmsg(&stream, &mut [IoSliceMut::new(&mut first)], &mut control, flags)?;
    let mut fds: Vec<OwnedFd> = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if let Ok(fds) = fds.try_into() {
        return Ok(Ok(Doors(fds)));
    }
    let mut rest = String::from(char::from(first[0]));
    BufReader::new(&stream).read_line(&mut rest)?;
    match serde_json::from_str(&rest) {
        Ok(Say::Err(why)) => Ok(Err(why)),
        _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the lab has ended")),
    }
}

fn connect(name: &str, ask: &Ask) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect_addr(&address(name)?)?;
    let mut line = serde_json::to_vec(ask)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    Ok(stream)
}

fn address(name: &str) -> io::Result<SocketAddr> {
    let user = rustix::process::geteuid().as_raw();
    SocketAddr::from_abstract_name(format!("levada-lab-{user}-{name}"))
}

/// How process 1 of a lab is called.
const NAME: &str = "levada: lab";
