//! A thread that must not be late: what the system's scheduler gives it.
#![allow(unsafe_code)] // a file of its own for what no safe crate does that needs neither D-Bus nor a system library

use std::fmt;

/// What a thread that asked for punctuality got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Real-time priority: it runs as soon as it is due, before all that has none.
    RealTime,
    /// Normal priority, but preferred by so much.
    Nice(i8),
    /// Normal priority.
    Normal,
}

impl fmt::Display for Urgency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Urgency::RealTime => f.write_str("real-time priority"),
            Urgency::Nice(nice) => write!(f, "normal priority, nice {nice}"),
            Urgency::Normal => f.write_str("normal priority (real-time needs CAP_SYS_NICE or `ulimit -r`)"),
        }
    }
}

/// Asks for the calling thread, and those that it starts from now on, to be woken when they are due: by real-time priority, else by as much
/// preference as the system gives, and by timers that are exact. What is refused is gone without; a call never fails for it.
///
/// The priority is low among real-time ones, and turns go round: what the sound system itself runs comes first, and two calls share.
#[cfg(target_os = "linux")]
pub fn hurry() -> Urgency {
    // SAFETY: no pointers; a slack of a nanosecond is everybody's to ask for (prctl(2)), as timers are 50 µs late without.
    let _default_slack = unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, libc::c_ulong::from(1_u8), 0, 0, 0) };
    for priority in [PRIORITY, 1] {
        let parameters = libc::sched_param { sched_priority: priority };
        // SAFETY: the parameters are alive; 0 is the calling thread.
        if unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &parameters) } == 0 {
            return Urgency::RealTime;
        }
    }
    for nice in [-11_i8, -5] {
        // SAFETY: no pointers; 0 is the calling thread, as Linux has it (setpriority(2)).
        if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.into()) } == 0 {
            return Urgency::Nice(nice);
        }
    }
    Urgency::Normal
}

/// Not asked for here.
#[cfg(not(target_os = "linux"))]
pub fn hurry() -> Urgency {
    Urgency::Normal
}

/// Below sound servers, which have 20 and more.
#[cfg(target_os = "linux")]
const PRIORITY: i32 = 10;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The policy that a thread really has, the slack of its timers, and its niceness.
    fn found() -> (i32, i32, i32) {
        // SAFETY: no pointers.
        unsafe {
            let slack = libc::prctl(libc::PR_GET_TIMERSLACK, 0, 0, 0, 0);
            (libc::sched_getscheduler(0), slack, libc::getpriority(libc::PRIO_PROCESS, 0))
        }
    }

    #[test]
    fn a_thread_gets_what_it_is_told_that_it_got_and_its_children_too() {
        let before = found();
        let (told, own, childs) = std::thread::spawn(|| {
            let told = hurry();
            (told, found(), std::thread::spawn(found).join().expect("it ends"))
        })
        .join()
        .expect("it ends");
        println!("{told}: {own:?}, before {before:?}");
        assert!(own.1 <= 1, "timers are exact, and have no slack at all at real-time priority");
        assert_eq!(own, childs);
        match told {
            Urgency::RealTime => assert_eq!(own.0, libc::SCHED_RR),
            Urgency::Nice(nice) => assert_eq!((own.0, own.2), (libc::SCHED_OTHER, nice.into())),
            Urgency::Normal => assert_eq!((own.0, own.2), (before.0, before.2)),
        }
        assert_eq!(found(), before, "nobody else's is changed");
    }
}
