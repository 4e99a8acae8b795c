//! A lab that is up: its hosts, its links, and what may be done to them.

use crate::core::{Core, CoreError, FIRST, Sight, Stats};
use crate::engine::Priority;
use crate::fabric::Fabric;
use crate::journal::{At, Journal};
use crate::nat;
use crate::netlink::{Batch, End, Netlink, without_offloads};
use crate::netns::{self, NetNs};
use crate::topology::{Interface, Paths, Topology, mac};
use levada_link::tc::{Devices, Reply};
use levada_link::trace::Edit;
use levada_link::units::nearest;
use levada_link::{Compat, ConfigError, Library, LinkConfig};
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How a lab is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// From which all chance follows.
    pub seed: u64,
    /// Which real-time priority to ask for; 0 for none.
    pub priority: u8,
    /// Whether tc's netem is what the kernel does.
    pub compat: Compat,
}

impl Default for Options {
    fn default() -> Options {
        Options { seed: 1, priority: crate::keeper::USUAL, compat: Compat::Physical }
    }
}

/// A lab that is up. With it go its namespaces, as soon as the processes in them have ended.
#[derive(Debug)]
pub struct Lab {
    topology: Topology,
    hosts: BTreeMap<String, NetNs>,
    core: Core,
    state: Mutex<State>,
    seed: u64,
    _core_net: NetNs,
}

#[derive(Debug)]
struct State {
    /// What each direction's wire is.
    wires: Vec<LinkConfig>,
    devices: Devices,
    /// Which device has put stages before the wire of each direction.
    shaped_by: Vec<Option<String>>,
    journal: Journal,
}

/// Why a lab cannot be, or does not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The topology cannot be.
    #[error(transparent)]
    Topology(#[from] crate::TopologyError),
    /// A link cannot be so.
    #[error("link {link}")]
    Link {
        /// Which.
        link: String,
        /// What is wrong.
        #[source]
        why: ConfigError,
    },
    /// There is nothing of that name.
    #[error("there is no {what} {name:?}{}", crate::did_you_mean(.nearest.as_deref()))]
    Missing {
        /// `host`, `link` or `interface`.
        what: &'static str,
        /// What was written.
        name: String,
        /// What it resembles.
        nearest: Option<String>,
    },
    /// The kernel would not.
    #[error("{what}")]
    System {
        /// What was being done.
        what: &'static str,
        /// Its answer.
        #[source]
        why: io::Error,
    },
    /// The engine would not.
    #[error(transparent)]
    Core(#[from] CoreError),
}

impl LabError {
    pub(crate) fn system(what: &'static str) -> impl Fn(io::Error) -> LabError {
        move |why| LabError::System { what, why }
    }

    pub(crate) fn missing<'a>(
        what: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> LabError {
        let known: Vec<&str> = known.into_iter().collect();
        LabError::Missing { what, name: name.into(), nearest: nearest(name, &known).map(str::to_owned) }
    }
}

impl Lab {
    /// Builds a lab. The calling process is one that [`enter`](crate::netns::enter) has prepared.
    ///
    /// # Errors
    /// What the kernel refuses, or a topology that cannot be.
    pub fn build(mut topology: Topology, options: &Options) -> Result<Lab, LabError> {
        topology.settle()?;
        topology.check()?;
        let mut wires = Vec::new();
        for link in topology.links() {
            for config in [&link.profile.down, &link.profile.up] {
                config.check().map_err(|why| LabError::Link { link: link.name.clone(), why })?;
                wires.push(config.clone());
            }
        }
        let fabric = Fabric::new(Paths::of(&topology), &wires, options.seed).map_err(CoreError::from)?;
        let nets = NetNs::create(topology.hosts().len() + 1);
        let mut nets = nets.map_err(LabError::system("cannot make network namespaces"))?;
        let (core_net, core_tables) = nets.pop().unwrap_or_else(|| unreachable!("one more than hosts"));
        let core = Core::start(&core_net, fabric, topology.mtu, options.priority);
        let starting = core.map_err(LabError::system("cannot start the engine"))?;
        let hosts = topology.hosts().iter().cloned().zip(nets).collect();
        let connected = connect(&topology, &core_tables, &hosts);
        let core = starting.wait().map_err(LabError::system("cannot start the engine"))?;
        connected.map_err(LabError::system("cannot connect the hosts"))?;
        for router in topology.routers() {
            let Some((net, _)) = hosts.get(&router.name) else { continue };
            nat::begin(net, router).map_err(LabError::system("cannot make a router"))?;
        }
        let names = topology.interfaces().map(|interface| interface.name.as_str());
        let links = topology.links().iter().map(|link| link.name.as_str());
        let devices = Devices::new(["lo"].into_iter().chain(names).chain(links)).compat(options.compat);
        let state = State { shaped_by: vec![None; wires.len()], wires, devices, journal: Journal::default() };
        let hosts = hosts.into_iter().map(|(name, (net, _))| (name, net)).collect();
        let lab =
            Lab { topology, hosts, core, state: Mutex::new(state), seed: options.seed, _core_net: core_net };
        Ok(lab)
    }

    /// What it is made of.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// From which its chance follows.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What scheduling its engine got.
    pub fn priority(&self) -> Priority {
        self.core.priority()
    }

    /// When it began, by both clocks.
    pub fn began(&self) -> (Instant, SystemTime) {
        self.core.began()
    }

    /// What its engine has been doing.
    ///
    /// # Errors
    /// That the engine has ended.
    pub fn stats(&self) -> Result<Stats, LabError> {
        Ok(self.core.stats()?)
    }

    /// The network namespace of a host.
    ///
    /// # Errors
    /// That there is none of that name.
    pub fn host(&self, name: &str) -> Result<&NetNs, LabError> {
        let known = || self.hosts.keys().map(String::as_str);
        self.hosts.get(name).ok_or_else(|| LabError::missing("host", name, known()))
    }

    /// A host's address, from its name or from an address.
    ///
    /// # Errors
    /// That there is none of that name.
    pub fn address(&self, name: &str) -> Result<Ipv4Addr, LabError> {
        let interfaces = self.topology.interfaces();
        let own =
            interfaces.filter(|interface| interface.name == name).find_map(|interface| interface.address);
        let known = || self.hosts.keys().map(String::as_str);
        let found = own.or_else(|| self.topology.address(name)).or_else(|| name.parse().ok());
        found.ok_or_else(|| LabError::missing("host", name, known()))
    }

    /// Starts a program on a host.
    ///
    /// # Errors
    /// That there is no such host, or no such program.
    pub fn spawn(&self, host: &str, command: &mut Command) -> Result<Child, LabError> {
        let net = self.host(host)?;
        command.env("LEVADA_HOST", host).env_remove(crate::LIFELINE);
        let spawned = net.within(|| command.spawn()).and_then(|spawned| spawned);
        spawned.map_err(LabError::system("cannot start the program"))
    }

    /// What a link is at the moment: `down`, from its first end to its second, and `up`.
    ///
    /// # Errors
    /// That there is none of that name.
    pub fn link(&self, name: &str) -> Result<[LinkConfig; 2], LabError> {
        let index = self.link_index(name)?;
        let state = self.state();
        Ok([state.wires[2 * index].clone(), state.wires[2 * index + 1].clone()])
    }

    /// Changes links, each named `core`, `core.down` or `core.up`, all at one moment; which one.
    ///
    /// # Errors
    /// That there is no such link, or that it cannot be so; then nothing is changed.
    pub fn edit(&self, edits: &BTreeMap<String, Edit>, library: Library<'_>) -> Result<Duration, LabError> {
        let mut state = self.state();
        let mut changed: BTreeMap<usize, LinkConfig> = BTreeMap::new();
        for (name, edit) in edits {
            for direction in self.directions(name)? {
                let config = changed.entry(direction).or_insert_with(|| state.wires[direction].clone());
                edit.apply(config, library).map_err(|why| LabError::Link { link: name.clone(), why })?;
                self.topology.admits(name, config)?;
            }
        }
        let texts: Vec<String> =
            edits.iter().map(|(name, edit)| format!("{name}: {}", edit.text())).collect();
        let wires: Vec<(usize, LinkConfig)> = changed.into_iter().collect();
        let at = self.core.change(wires.clone(), texts.join("\n"))?;
        for (direction, config) in wires {
            state.wires[direction] = config;
        }
        state.journal.add(At { t: at, link: edits.clone(), tc: Vec::new() });
        Ok(at)
    }

    /// Obeys the words after `tc`, as tc does. Devices are all interfaces, where they send; links by their names, both
    /// ways; and `lo`, both directions of the bottleneck through one qdisc, as on the loopback of a single machine.
    ///
    /// # Errors
    /// That the engine has ended.
    pub fn tc(&self, words: &[&str]) -> Result<Reply, LabError> {
        let mut state = self.state();
        let mut devices = state.devices.clone();
        let reply = devices.run(words, &|_| None);
        let Some(device) = reply.changed.clone() else { return Ok(reply) };
        let stages = devices.links(&device);
        let groups = self.device(&device);
        let mut taken = groups.iter().flatten().filter_map(|direction| state.shaped_by[*direction].as_ref());
        if let Some(other) = taken.find(|other| **other != device) {
            let err =
                format!("Error: Packets of {device} go through the qdisc of {other}, delete that first.\n");
            return Ok(Reply { err, status: 2, ..Reply::default() });
        }
        let line = words.join(" ");
        let mut at = Duration::ZERO;
        for group in &groups {
            match self.core.stages(group.clone(), stages.clone(), format!("tc {line}")) {
                Ok(when) => at = when,
                Err(CoreError::Config(why)) => {
                    let err = format!("Error: {why}.\n");
                    return Ok(Reply { err, status: 2, ..Reply::default() });
                }
                Err(why) => return Err(why.into()),
            }
        }
        for direction in groups.into_iter().flatten() {
            state.shaped_by[direction] = (!stages.is_empty()).then(|| device.clone());
        }
        state.devices = devices;
        state.journal.add(At { t: at, link: BTreeMap::new(), tc: vec![line] });
        // tc lets such a bucket be, and the kernel says so where few look.
        let small = stages.iter().find_map(|stage| self.topology.admits(&device, stage).err());
        let err = small.map_or(reply.err, |why| format!("Warning: {why}.\n"));
        Ok(Reply { err, ..reply })
    }

    /// Does what is scheduled.
    ///
    /// # Errors
    /// What it cannot do.
    pub fn apply(&self, at: &At, library: Library<'_>) -> Result<Duration, LabError> {
        let mut when = Duration::ZERO;
        if !at.link.is_empty() {
            when = self.edit(&at.link, library)?;
        }
        for line in &at.tc {
            let words: Vec<&str> = line.split_whitespace().collect();
            let reply = self.tc(words.strip_prefix(&["tc"]).unwrap_or(&words))?;
            if reply.status != 0 {
                let why = io::Error::other(format!("tc {line}: {}", reply.err.trim_end()));
                return Err(LabError::System { what: "cannot do what is scheduled", why });
            }
        }
        Ok(when)
    }

    /// What has been changed so far.
    pub fn journal(&self) -> Journal {
        self.state().journal.clone()
    }

    /// Tells of the packets at these interfaces from now on, and of changes of links.
    ///
    /// A packet that an interface of a link sends is [`Sent`](crate::Fate::Sent) in the direction that begins there, one
    /// that comes to it [`Arrived`](crate::Fate::Arrived) in the other. Of drops one is told wherever they are.
    ///
    /// # Errors
    /// That there is no such interface.
    pub fn watch(&self, interfaces: &[String]) -> Result<Receiver<Sight>, LabError> {
        let mut directions = vec![false; 2 * self.topology.links().len()];
        for name in interfaces {
            let (link, side) = self.find_interface(name)?;
            directions[2 * link + side] = true;
            directions[2 * link + (1 - side)] = true;
        }
        Ok(self.core.watch(directions)?)
    }

    /// Which link an interface belongs to, and which end of it it is.
    ///
    /// # Errors
    /// That there is none of that name.
    pub fn find_interface(&self, name: &str) -> Result<(usize, usize), LabError> {
        for (index, link) in self.topology.links().iter().enumerate() {
            if let Some(side) = link.ends.iter().position(|end| end.name == name) {
                return Ok((index, side));
            }
        }
        let known = self.topology.interfaces().map(|interface| interface.name.as_str());
        Err(LabError::missing("interface", name, known))
    }

    /// The link that a command means which names none: the one called `core`, else the first.
    pub fn bottleneck(&self) -> usize {
        self.topology.links().iter().position(|link| link.name == "core").unwrap_or(0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn link_index(&self, name: &str) -> Result<usize, LabError> {
        let links = self.topology.links();
        let known = || links.iter().map(|link| link.name.as_str());
        links
            .iter()
            .position(|link| link.name == name)
            .ok_or_else(|| LabError::missing("link", name, known()))
    }

    fn directions(&self, name: &str) -> Result<Vec<usize>, LabError> {
        let one = |name: &str, side: usize| self.link_index(name).map(|index| vec![2 * index + side]);
        match (name.strip_suffix(".down"), name.strip_suffix(".up")) {
            (Some(name), _) => one(name, 0),
            (_, Some(name)) => one(name, 1),
            _ => self.link_index(name).map(|index| vec![2 * index, 2 * index + 1]),
        }
    }

    /// The directions that packets of a device take; those of one group go through one qdisc.
    fn device(&self, name: &str) -> Vec<Vec<usize>> {
        if name == "lo" {
            let core = self.bottleneck();
            return vec![vec![2 * core, 2 * core + 1]];
        }
        if let Ok((link, side)) = self.find_interface(name) {
            return vec![vec![2 * link + side]];
        }
        let link = self.link_index(name).unwrap_or_default();
        vec![vec![2 * link], vec![2 * link + 1]]
    }
}

type Hosts = BTreeMap<String, (NetNs, Netlink)>;

/// Gives each host its interfaces, addresses and neighbours.
fn connect(topology: &Topology, core: &Netlink, hosts: &Hosts) -> io::Result<()> {
    let interfaces: Vec<_> =
        topology.interfaces().filter_map(|interface| Some((interface, interface.address?))).collect();
    let mut pairs = Batch::default();
    for (number, (interface, address)) in interfaces.iter().enumerate() {
        let index = FIRST + number as u32;
        let name = format!("lab{number}");
        let mut core_mac = mac(*address);
        core_mac[1] = 1;
        let here = End { name: &name, index, mac: core_mac };
        let there = End { name: &interface.name, index, mac: mac(*address) };
        let Some((net, _)) = hosts.get(&interface.node) else { continue };
        pairs.pair(here, there, net.as_fd(), topology.mtu);
    }
    core.send(&pairs)?;
    let mut named: Vec<(&NetNs, &str)> = Vec::new();
    for (host, (net, tables)) in hosts {
        let mut batch = Batch::default();
        batch.up(1);
        for (number, (interface, address)) in interfaces.iter().enumerate() {
            if interface.node != *host {
                continue;
            }
            let index = FIRST + number as u32;
            batch.up(index);
            batch.address(index, *address, interface.prefix());
            let same = |other: &Interface| other.is_beside(interface) && other != *interface;
            for (_, other) in interfaces.iter().filter(|(other, _)| same(other)) {
                batch.neighbour(index, *other, mac(*other));
            }
            interface.gateway.iter().for_each(|gateway| batch.gateway(index, *gateway));
        }
        if let Some(number) = interfaces.iter().position(|(interface, _)| interface.node == *host) {
            batch.route(FIRST + number as u32, Ipv4Addr::new(224, 0, 0, 0), 4);
        }
        tables.send(&batch)?;
        let own = interfaces.iter().filter(|(interface, _)| interface.node == *host);
        named.extend(own.map(|(interface, _)| (net, interface.name.as_str())));
    }
    // One thread for all of them: on a busy machine every new one waits for its turn.
    netns::aside(|| {
        named.iter().try_for_each(|(net, name)| {
            net.go()?;
            without_offloads(name)
        })
    })?
}

/// Whether a program of that name can be started.
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    name.contains('/') && Path::new(name).exists()
        || std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
