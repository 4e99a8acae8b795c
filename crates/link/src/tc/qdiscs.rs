//! The qdiscs of the interfaces of a namespace, and the kernel's answers to commands about them.

use super::command::{Command, Handle, Parent, Place, Verb};
use super::{Kind, Refusal, Tables};
use crate::config::{Compat, LinkConfig};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The interfaces of one namespace with their qdiscs.
///
/// ```
/// use levada_link::tc::Devices;
/// let mut devices = Devices::new(["lo"]);
/// let tc = |devices: &mut Devices, line: &str| devices.run(&line.split(' ').collect::<Vec<_>>(), &|_| None);
/// assert_eq!(tc(&mut devices, "qdisc show dev lo").out, "qdisc noqueue 0: root refcnt 2 \n");
/// assert_eq!(tc(&mut devices, "qdisc del dev lo root").status, 2);
/// tc(&mut devices, "qdisc add dev lo root handle 1: netem delay 100ms 100ms 25% distribution normal");
/// assert_eq!(
///     tc(&mut devices, "qdisc show dev lo").out,
///     "qdisc netem 1: root refcnt 2 limit 1000 delay 100ms  100ms 25%\n",
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Devices {
    by_name: BTreeMap<String, Vec<Qdisc>>,
    order: Vec<String>,
    compat: Compat,
    /// The handle that the next qdisc without one gets.
    next: u16,
}

/// A qdisc of an interface.
#[derive(Clone, Debug, PartialEq)]
pub struct Qdisc {
    /// What it hangs on: a device has at most one on each parent.
    pub parent: Parent,
    /// Its name.
    pub handle: Handle,
    /// Which kind it is.
    pub kind: Kind,
    /// What it does.
    pub config: LinkConfig,
}

/// tc's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// What it prints.
    pub out: String,
    /// What it prints to the error output.
    pub err: String,
    /// What it ends with.
    pub status: u8,
    /// The device whose qdiscs have changed.
    pub changed: Option<String>,
}

impl Devices {
    /// Interfaces with these names and no qdisc of their own; they are listed in this order.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Devices {
        let mut devices =
            Devices { by_name: BTreeMap::new(), order: Vec::new(), compat: Compat::Physical, next: 0x8001 };
        names.into_iter().for_each(|name| devices.add(name));
        devices
    }

    /// Adds an interface, at the end of the list; one of that name that is there stays as it is.
    pub fn add(&mut self, name: &str) {
        if !self.by_name.contains_key(name) {
            self.by_name.insert(name.into(), Vec::new());
            self.order.push(name.into());
        }
    }

    /// Lets netem be what the kernel does, from the next command on.
    pub fn compat(mut self, compat: Compat) -> Devices {
        self.compat = compat;
        self
    }

    /// Obeys the words after `tc`.
    pub fn run(&mut self, words: &[&str], tables: &Tables<'_>) -> Reply {
        let done = Command::parse(words, tables).and_then(|command| self.obey(command));
        done.unwrap_or_else(|refusal| Reply {
            err: format!("{}\n", refusal.message()),
            status: refusal.status(),
            ..Reply::default()
        })
    }

    /// Obeys a command that was understood.
    pub fn obey(&mut self, command: Command) -> Result<Reply, Refusal> {
        if let Some(name) = command.device.as_ref().filter(|name| !self.by_name.contains_key(*name)) {
            return Err(Refusal::new(1, format!("Cannot find device \"{name}\"")));
        }
        let Command { verb, device, place, kind } = command;
        if verb == Verb::Show {
            return Ok(Reply { out: self.show(device.as_deref(), place), ..Reply::default() });
        }
        let name = device.ok_or_else(|| Refusal::new(2, "RTNETLINK answers: No such device"))?;
        let no_device = || kernel("Specified qdisc not found.");
        let qdiscs = self.by_name.get_mut(&name).ok_or_else(no_device)?;
        match verb {
            Verb::Delete => delete(qdiscs, place, kind.map(|(name, _)| name))?,
            _ => modify(qdiscs, verb, place, kind, &mut self.next, self.compat)?,
        }
        Ok(Reply { changed: Some(name), ..Reply::default() })
    }

    /// The links through which a packet goes on the interface `name`, one after the other.
    ///
    /// On `lo` both directions pass the same: its emulation goes twice through one link, not through two.
    pub fn links(&self, name: &str) -> Vec<LinkConfig> {
        let mut links = std::collections::VecDeque::new();
        let Some(qdiscs) = self.by_name.get(name) else { return Vec::new() };
        let mut below: Vec<&Qdisc> = Vec::new();
        let mut at = root(qdiscs);
        while let Some(qdisc) = at {
            below.push(qdisc);
            at = child(qdiscs, qdisc.handle);
        }
        // A packet is in netem before it is in what hangs below, and in tbf only after.
        for qdisc in below.into_iter().rev() {
            match qdisc.kind {
                Kind::Netem => links.push_front(qdisc.config.clone()),
                Kind::Tbf => links.push_back(qdisc.config.clone()),
            }
        }
        links.into()
    }

    /// The qdiscs of the interface `name`, from the root down.
    pub fn qdiscs(&self, name: &str) -> &[Qdisc] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    fn show(&self, device: Option<&str>, place: Place) -> String {
        let mut out = String::new();
        for name in self.order.iter().filter(|name| device.is_none_or(|device| device == *name)) {
            let dev = if device.is_none() { format!("dev {name} ") } else { String::new() };
            let qdiscs = self.qdiscs(name);
            if qdiscs.is_empty()
                && place.handle.is_none()
                && matches!(place.parent, None | Some(Parent::Root))
            {
                let _ = writeln!(out, "qdisc noqueue 0: {dev}root refcnt 2 ");
            }
            let wanted = qdiscs.iter().filter(|qdisc| {
                place.handle.is_none_or(|handle| handle == qdisc.handle)
                    && place.parent.is_none_or(|parent| parent == qdisc.parent)
            });
            for Qdisc { parent, handle, kind, config } in wanted {
                let refcnt = if *parent == Parent::Root { "refcnt 2 " } else { "" };
                let (name, options) = (kind.name(), kind.show(config));
                let _ = writeln!(out, "qdisc {name} {handle} {dev}{parent} {refcnt}{options}");
            }
        }
        out
    }
}

type NewKind = Option<(String, Option<(Kind, LinkConfig)>)>;

/// Add, change, replace, in the order in which the kernel looks at things.
fn modify(
    qdiscs: &mut Vec<Qdisc>,
    verb: Verb,
    place: Place,
    kind: NewKind,
    next: &mut u16,
    compat: Compat,
) -> Result<(), Refusal> {
    let name = kind.as_ref().map(|(name, _)| name.as_str());
    let (creates, replaces, only_new) = (verb != Verb::Change, verb == Verb::Replace, verb == Verb::Add);
    let found = match (place.parent, place.handle) {
        (None, None) => return Err(kernel("Handle cannot be zero.")),
        (None, Some(handle)) => {
            let found = qdiscs.iter().position(|qdisc| qdisc.handle == handle);
            Some(found.ok_or_else(|| kernel("Specified qdisc not found."))?)
        }
        (Some(parent), handle) => {
            let there = occupant(qdiscs, parent)?;
            match (there, handle) {
                (Some(there), Some(handle)) if qdiscs[there].handle == handle => Some(there),
                (Some(_), Some(_)) if !replaces => return Err(kernel("NLM_F_REPLACE needed to override.")),
                (_, Some(handle)) if qdiscs.iter().any(|qdisc| qdisc.handle == handle) => {
                    return Err(kernel("Cannot move an existing qdisc to a different parent."));
                }
                (_, Some(_)) => None,
                // Without a handle another kind takes the place.
                (Some(there), None) if name.is_some_and(|name| name != qdiscs[there].kind.name()) => {
                    return create(qdiscs, place, kind, next, compat);
                }
                (there, None) => there,
            }
        }
    };
    match found {
        None if !creates => Err(kernel("Qdisc not found. To create specify NLM_F_CREATE flag.")),
        None => create(qdiscs, place, kind, next, compat),
        Some(_) if only_new => Err(kernel("Exclusivity flag on, cannot modify.")),
        Some(there) if name.is_some_and(|name| name != qdiscs[there].kind.name()) => {
            Err(kernel("Invalid qdisc name: must match existing qdisc."))
        }
        Some(there) => {
            if let Some((_, Some((_, config)))) = kind {
                qdiscs[there].config = LinkConfig { compat: compat_of(&config, compat), ..config };
            }
            Ok(())
        }
    }
}

/// Hangs a new qdisc on its parent in place of what was there with all below.
fn create(
    qdiscs: &mut Vec<Qdisc>,
    place: Place,
    kind: NewKind,
    next: &mut u16,
    compat: Compat,
) -> Result<(), Refusal> {
    let Some((_, Some((kind, config)))) = kind else {
        return Err(kernel("Specified qdisc kind is unknown."));
    };
    let Some(parent) = place.parent else { return Err(kernel("Specified qdisc not found.")) };
    let handle = match place.handle {
        Some(handle) => handle,
        None => free_handle(qdiscs, next)
            .ok_or_else(|| kernel("Maximum number of qdisc handles was exceeded."))?,
    };
    if let Some(there) = occupant(qdiscs, parent)? {
        remove(qdiscs, there);
    }
    let config = LinkConfig { compat: compat_of(&config, compat), ..config };
    qdiscs.push(Qdisc { parent, handle, kind, config });
    Ok(())
}

fn delete(qdiscs: &mut Vec<Qdisc>, place: Place, kind: Option<String>) -> Result<(), Refusal> {
    let there = match (place.parent, place.handle) {
        (Some(Parent::Root), _) => root(qdiscs).and_then(|_| occupant(qdiscs, Parent::Root).ok().flatten()),
        (Some(parent @ Parent::Class(..)), _) => {
            let above = |_| kernel("Failed to find qdisc with specified classid.");
            let there = occupant(qdiscs, parent).map_err(above)?;
            // Below tbf there is always something, if only its own queue; below netem there is not.
            let netem_above =
                qdiscs.iter().any(|q| q.kind == Kind::Netem && Parent::Class(q.handle, 0).is_of(parent));
            if there.is_none() && netem_above {
                return Err(kernel("Cannot find specified qdisc on specified device."));
            }
            there
        }
        (None, handle) => {
            let found = handle.and_then(|handle| qdiscs.iter().position(|qdisc| qdisc.handle == handle));
            Some(found.ok_or_else(|| kernel("Failed to find qdisc with specified handle."))?)
        }
    };
    let qdisc = there.map(|there| &qdiscs[there]);
    if place.handle.is_some_and(|handle| qdisc.is_none_or(|qdisc| qdisc.handle != handle)) {
        return Err(kernel("Invalid handle."));
    }
    if kind.is_some_and(|name| qdisc.is_none_or(|qdisc| qdisc.kind.name() != name)) {
        return Err(kernel("Invalid qdisc name: must match existing qdisc."));
    }
    if place.parent.is_none() {
        return Err(kernel("Classid cannot be zero."));
    }
    remove(qdiscs, there.ok_or_else(|| kernel("Cannot delete qdisc with handle of zero."))?);
    Ok(())
}

/// Takes away a qdisc and all that hang on it.
fn remove(qdiscs: &mut Vec<Qdisc>, there: usize) {
    let mut gone = vec![qdiscs.remove(there).handle];
    while let Some(handle) = gone.pop() {
        qdiscs.retain(|qdisc| {
            let hangs = matches!(qdisc.parent, Parent::Class(above, _) if above == handle);
            if hangs {
                gone.push(qdisc.handle);
            }
            !hangs
        });
    }
}

/// What hangs on `parent`; an error where that is a class of no qdisc.
fn occupant(qdiscs: &[Qdisc], parent: Parent) -> Result<Option<usize>, Refusal> {
    if let Parent::Class(above, _) = parent
        && !qdiscs.iter().any(|qdisc| qdisc.handle == above)
    {
        return Err(kernel("Failed to find specified qdisc."));
    }
    // Each kind of ours has one class, whatever its number.
    Ok(qdiscs.iter().position(|qdisc| qdisc.parent.is_of(parent)))
}

impl Parent {
    /// Whether both are the device, or classes of one qdisc.
    fn is_of(self, other: Parent) -> bool {
        match (self, other) {
            (Parent::Root, Parent::Root) => true,
            (Parent::Class(a, _), Parent::Class(b, _)) => a == b,
            _ => false,
        }
    }
}

fn root(qdiscs: &[Qdisc]) -> Option<&Qdisc> {
    qdiscs.iter().find(|qdisc| qdisc.parent == Parent::Root)
}

fn child(qdiscs: &[Qdisc], of: Handle) -> Option<&Qdisc> {
    qdiscs.iter().find(|qdisc| matches!(qdisc.parent, Parent::Class(above, _) if above == of))
}

/// The next of the handles that are given out, from 8001 on; none once all are in use.
fn free_handle(qdiscs: &[Qdisc], next: &mut u16) -> Option<Handle> {
    for _ in 0..0x8000 {
        let handle = Handle(*next);
        *next = if *next >= 0xfffe { 0x8000 } else { *next + 1 };
        if !qdiscs.iter().any(|qdisc| qdisc.handle == handle) {
            return Some(handle);
        }
    }
    None
}

/// Only netem has another self in the kernel.
fn compat_of(config: &LinkConfig, compat: Compat) -> Compat {
    if config.bucket.is_none() { compat } else { Compat::Physical }
}

fn kernel(why: &str) -> Refusal {
    Refusal::new(2, format!("Error: {why}"))
}
