//! Namespaces: how an ordinary user gets a machine room of their own, and network namespaces in it.
//!
//! The process that starts a lab calls [`enter`] while it has one thread. Its next child is process 1 of the lab: when
//! that dies, by whatever signal, the kernel ends all others in it, and with the last of them the namespaces are gone.
//! The lab itself stays in the network namespace it came from, so that it can publish ports; hosts and the engine have
//! network namespaces of their own, into which single threads go.
#![allow(unsafe_code)] // unshare(2), which rustix cannot vouch for

use crate::netlink::Netlink;
use rustix::process::{Resource, Rlimit};
use rustix::thread::{self as sys, CapabilitySet, LinkNameSpaceType, UnshareFlags};
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::thread;

/// Why there is no room for a lab here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnterError {
    /// The kernel refuses user namespaces.
    #[error("this system refuses user namespaces to ordinary users; `levada lab doctor` says how to mend it")]
    User(#[source] io::Error),
    /// One gets a user namespace, but no rights in it.
    #[error("this system gives user namespaces without rights; `levada lab doctor` says how to mend it")]
    Rights(#[source] io::Error),
}

/// Puts this process into a new user namespace, and its next children into new mount and process namespaces.
///
/// Users keep their number in it, so that programs see nothing unusual, and programs started from here on may do there what
/// root may. To be called while there is one thread.
///
/// # Errors
/// That the system refuses.
pub fn enter() -> Result<(), EnterError> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // SAFETY: no file descriptor table is unshared.
    unsafe { sys::unshare_unsafe(UnshareFlags::NEWUSER) }.map_err(|why| EnterError::User(why.into()))?;
    let single = |id: u32| format!("{id} {id} 1");
    let whole = "0 0 4294967295".to_owned();
    if user != 0 || write("/proc/self/uid_map", &whole).is_err() {
        write("/proc/self/setgroups", "deny").map_err(EnterError::Rights)?;
        write("/proc/self/uid_map", &single(user)).map_err(EnterError::Rights)?;
        write("/proc/self/gid_map", &single(group)).map_err(EnterError::Rights)?;
    } else {
        write("/proc/self/gid_map", &whole).map_err(EnterError::Rights)?;
    }
    // SAFETY: no file descriptor table is unshared.
    unsafe { sys::unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::NEWPID) }
        .map_err(|why| EnterError::Rights(why.into()))?;
    keep_rights().map_err(EnterError::Rights)
}

/// Lets the programs that this thread starts have the rights that it has in its user namespace.
fn keep_rights() -> io::Result<()> {
    let mut sets = sys::capabilities(None)?;
    sets.inheritable = sets.permitted;
    sys::set_capabilities(None, sets)?;
    for bit in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if sets.permitted.contains(one) {
            sys::configure_capability_in_ambient_set(one, true)?;
        }
    }
    Ok(())
}

/// Asks for the right to real-time priority as far as this process may, and says up to which priority there is one.
///
/// To be called before [`enter`]: what root may, it may not do from within a user namespace, while the limit goes along.
pub fn allow_priority(wanted: u64) -> u64 {
    let now = rustix::process::getrlimit(Resource::Rtprio);
    let raised = Rlimit { current: Some(wanted), maximum: Some(wanted) };
    let may = now.maximum.is_none_or(|most| most >= wanted);
    let asked = if may { Rlimit { current: Some(wanted), maximum: now.maximum } } else { raised };
    if rustix::process::setrlimit(Resource::Rtprio, asked).is_err() {
        let most = Rlimit { current: now.maximum, maximum: now.maximum };
        let _as_it_was = rustix::process::setrlimit(Resource::Rtprio, most);
    }
    // As many files as there may be: a lab of hundreds of hosts has some for each.
    let files = rustix::process::getrlimit(Resource::Nofile);
    let most = Rlimit { current: files.maximum, maximum: files.maximum };
    let _as_it_was = rustix::process::setrlimit(Resource::Nofile, most);
    rustix::process::getrlimit(Resource::Rtprio).current.unwrap_or(u64::MAX)
}

/// Makes the lab's view of the file system its own: its processes in `/proc`, and names of hosts from `hosts` (the text of
/// an `/etc/hosts`). Nothing of it is seen outside.
///
/// # Errors
/// That the names cannot be put there. A system that hides parts of `/proc` allows no new one; there the old one stays.
pub fn furnish(hosts: &str) -> io::Result<()> {
    use rustix::mount::{self, MountFlags, MountPropagationFlags};
    mount::mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let _the_old_one_will_do = mount::mount("proc", "/proc", "proc", flags, None);
    if !Path::new("/etc/hosts").exists() {
        return Ok(());
    }
    // Those of an earlier lab of this process.
    let _none_or_not_ours = mount::unmount("/etc/hosts", mount::UnmountFlags::DETACH);
    // A file that is in no file system that outlives this: the mount keeps it when its folder is gone.
    mount::mount("levada", "/proc", "tmpfs", flags, None)?;
    let put =
        fs::write("/proc/hosts", hosts).and_then(|()| Ok(mount::mount_bind("/proc/hosts", "/etc/hosts")?));
    mount::unmount("/proc", mount::UnmountFlags::DETACH)?;
    put
}

/// A network namespace. It lives as long as this or a process in it.
#[derive(Debug)]
pub struct NetNs(OwnedFd);

impl NetNs {
    /// Makes `count` of them, each with its `lo` still down, and a connection to the kernel's routing tables of each.
    ///
    /// # Errors
    /// That the kernel gives no more.
    pub fn create(count: usize) -> io::Result<Vec<(NetNs, Netlink)>> {
        aside(move || (0..count).map(|_| NetNs::one()).collect())?
    }

    /// On a thread that is in none of value.
    fn one() -> io::Result<(NetNs, Netlink)> {
        // SAFETY: no file descriptor table is unshared.
        unsafe { sys::unshare_unsafe(UnshareFlags::NEWNET)? };
        let here = fs::File::open("/proc/thread-self/ns/net")?;
        // Addresses of their own, their duplicates' detection and the routers they would ask for are noise here.
        let _without_ipv6 = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
        // Where there are more hosts than a thousand, so are neighbours.
        let _as_it_is = fs::write("/proc/sys/net/ipv4/neigh/default/gc_thresh3", "65536");
        Ok((NetNs(here.into()), Netlink::open()?))
    }

    /// Does `what` on a thread of its own in this namespace; sockets and processes that it makes stay there.
    ///
    /// # Errors
    /// That there are no threads, or that the namespace cannot be entered.
    pub fn within<T: Send>(&self, what: impl FnOnce() -> T + Send) -> io::Result<T> {
        aside(|| self.go().map(|()| what()))?
    }

    /// The same namespace, once more.
    ///
    /// # Errors
    /// That there are no more file descriptors.
    pub fn share(&self) -> io::Result<NetNs> {
        Ok(NetNs(self.0.try_clone()?))
    }

    /// Takes the calling thread into this namespace.
    ///
    /// # Errors
    /// That it cannot be entered.
    pub fn go(&self) -> io::Result<()> {
        Ok(sys::move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))?)
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What one needs to go into a host of a lab from outside: its user, process, mount and network namespaces.
pub struct Doors(pub [OwnedFd; 4]);

impl Doors {
    /// Those of this process, and of the host with `net`.
    ///
    /// # Errors
    /// That they cannot be opened.
    pub fn to(net: &NetNs) -> io::Result<Doors> {
        let open = |name: &str| fs::File::open(format!("/proc/self/ns/{name}")).map(OwnedFd::from);
        Ok(Doors([open("user")?, open("pid")?, open("mnt")?, net.0.try_clone()?]))
    }

    /// Goes through: the calling process and its children are in the host then, its children among the lab's processes as
    /// well. To be called while there is one thread.
    ///
    /// # Errors
    /// That one is not let in.
    pub fn enter(&self) -> io::Result<()> {
        let here = std::env::current_dir();
        for fd in &self.0 {
            sys::move_into_link_name_space(fd.as_fd(), None)?;
        }
        // A new root of the file system is a new current directory, too.
        let _at_the_root = here.and_then(std::env::set_current_dir);
        keep_rights()
    }
}

/// Runs `what` on a thread whose namespaces do not matter, and waits for it.
pub(crate) fn aside<T: Send>(what: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("namespace".into()).stack_size(256 << 10);
        let done = thread.spawn_scoped(scope, what)?.join();
        done.map_err(|_| io::Error::other("a thread in a namespace panicked"))
    })
}

/// The number of a descriptor, to be told to a child that inherits it.
pub(crate) fn number(fd: &OwnedFd) -> i32 {
    fd.as_raw_fd()
}

/// Takes over an inherited descriptor, which later children do not inherit; `None` where there is none.
pub(crate) fn adopt(number: i32) -> Option<OwnedFd> {
    // SAFETY: fcntl(2) on a number that is no descriptor fails and does nothing.
    let flags = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    // SAFETY: who started this process named a descriptor that it opened for it, and nobody else knows of it.
    (number > 2 && flags == 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// The user at the other end of a local socket. (rustix cannot say: it insists on a process number, and processes outside
/// have none here.)
pub(crate) fn peer(socket: &impl AsFd) -> io::Result<u32> {
    let mut who = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    let to = std::ptr::from_mut(&mut who).cast();
    // SAFETY: pointer and length are those of a live value of the type that the option has.
    match unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, to, &raw mut length) } {
        0 => Ok(who.uid),
        _ => Err(io::Error::last_os_error()),
    }
}

fn write(path: &str, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}
