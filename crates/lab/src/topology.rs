//! What a lab is made of: hosts, switches, and the links between their interfaces.

use crate::netlink::Mac;
use levada_link::{LinkConfig, Profile};
use std::net::Ipv4Addr;

mod homes;
mod paths;
pub use homes::Router;
pub(crate) use paths::{Destination, Paths};

/// Hosts, switches and links, with names and addresses.
///
/// ```
/// use levada_lab::Topology;
/// let lab = Topology::seminar("rate=10mbit delay=10ms".parse()?);
/// let names: Vec<_> = lab.interfaces().map(|interface| interface.name.as_str()).collect();
/// assert_eq!(names, ["server-eth0", "s1-eth1", "s1-eth2", "s2-eth1", "s2-eth2", "client-eth0"]);
/// assert_eq!(lab.address("client").unwrap().to_string(), "10.0.0.2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Topology {
    hosts: Vec<String>,
    switches: Vec<String>,
    routers: Vec<Router>,
    links: Vec<Link>,
    /// Of packets, without their Ethernet header; 1,500 bytes.
    pub mtu: u32,
}

/// A link between two interfaces.
#[derive(Clone, Debug)]
pub struct Link {
    /// What it is called.
    pub name: String,
    /// Its two ends.
    pub ends: [Interface; 2],
    /// What it does to packets, from the first end to the second (`down`) and back (`up`).
    pub profile: Profile,
}

/// An interface of a host or of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `server-eth0`, at most 15 bytes.
    pub name: String,
    /// Whose it is.
    pub node: String,
    /// Its address, where it is a host's.
    pub address: Option<Ipv4Addr>,
    /// The router by which it reaches the rest, where it is behind one.
    pub gateway: Option<Ipv4Addr>,
}

/// Why there is no such topology.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// A name that cannot be one.
    #[error("{0:?} cannot be a name here: one to ten letters, digits and \"-\", a letter first")]
    Name(String),
    /// A name twice.
    #[error("there is already something called {0:?}")]
    Twice(String),
    /// A link to nothing.
    #[error("there is no host or switch {name:?}{}", crate::did_you_mean(.nearest.as_deref()))]
    Nobody {
        /// What was written.
        name: String,
        /// What it resembles.
        nearest: Option<String>,
    },
    /// A link that is not there, and has no ends by which it could be made.
    #[error("there is no link {name:?}{}", crate::did_you_mean(.nearest.as_deref()))]
    NoLink {
        /// What was written.
        name: String,
        /// What it resembles.
        nearest: Option<String>,
    },
    /// A host that is connected to nothing.
    #[error("host {0:?} has no link")]
    Alone(String),
    /// A bucket that holds less than a packet.
    #[error(
        "link {link}: a burst of {burst} bytes is less than a packet ({longest} bytes with its header), and what is longer than \
         the burst never passes; make it larger, or the mtu smaller"
    )]
    Burst {
        /// Of which link.
        link: String,
        /// What it holds, in bytes.
        burst: u64,
        /// The longest packet, in bytes.
        longest: u64,
    },
    /// A router that has not what it needs.
    #[error(
        "router {0:?} needs two links: the first (eth0) to what is outside, the second (eth1) to who is behind it"
    )]
    Router(String),
    /// Behind a router, and elsewhere as well.
    #[error("{node} is behind router {router:?} and has another place already: they must not meet behind it")]
    Behind {
        /// Whose interface.
        node: String,
        /// Which router.
        router: String,
    },
    /// More hosts than addresses.
    #[error("a lab has at most {MOST_HOSTS} hosts and {MOST_LINKS} links")]
    TooLarge,
}

impl Topology {
    /// Nothing yet.
    pub fn new() -> Topology {
        Topology { mtu: 1500, ..Topology::default() }
    }

    /// The experiment's: server – s1 – s2 – client, where `core` is the link between the switches.
    pub fn seminar(core: Profile) -> Topology {
        let mut topology = Topology::new();
        let built = (|| {
            topology.host("server")?;
            topology.switch("s1")?;
            topology.switch("s2")?;
            topology.host("client")?;
            topology.link("server-s1", ["server", "s1"], Profile::default())?;
            topology.link("core", ["s1", "s2"], core)?;
            topology.link("s2-client", ["s2", "client"], Profile::default())
        })();
        debug_assert_eq!(built, Ok(()));
        topology
    }

    /// `hosts` hosts, `h1` and so on, around one switch `s1`.
    ///
    /// # Errors
    /// That there are too many.
    pub fn star(hosts: usize, access: Profile) -> Result<Topology, TopologyError> {
        let mut topology = Topology::new();
        topology.switch("s1")?;
        for number in 1..=hosts {
            let name = format!("h{number}");
            topology.host(&name)?;
            topology.link(&name, [&name, "s1"], access.clone())?;
        }
        Ok(topology)
    }

    /// Adds a host.
    ///
    /// # Errors
    /// That it cannot be called so, or that there are too many.
    pub fn host(&mut self, name: &str) -> Result<(), TopologyError> {
        self.admit(name)?;
        if self.hosts.len() >= MOST_HOSTS {
            return Err(TopologyError::TooLarge);
        }
        self.hosts.push(name.into());
        Ok(())
    }

    /// Adds a switch.
    ///
    /// # Errors
    /// That it cannot be called so.
    pub fn switch(&mut self, name: &str) -> Result<(), TopologyError> {
        self.admit(name)?;
        self.switches.push(name.into());
        Ok(())
    }

    /// Adds a link between two nodes, each by its name, or by the interface to use (`s1-eth2`).
    ///
    /// # Errors
    /// That there are no such nodes, or that a name is taken.
    pub fn link(&mut self, name: &str, ends: [&str; 2], profile: Profile) -> Result<(), TopologyError> {
        if self.links.iter().any(|link| link.name == name) {
            return Err(TopologyError::Twice(name.into()));
        }
        if self.links.len() >= MOST_LINKS {
            return Err(TopologyError::TooLarge);
        }
        let first = self.interface(ends[0], None)?;
        let second = self.interface(ends[1], Some(&first))?;
        self.links.push(Link { name: name.into(), ends: [first, second], profile });
        Ok(())
    }

    /// Lets a link that is there be so.
    ///
    /// # Errors
    /// That there is none of that name.
    pub fn set(&mut self, name: &str, profile: Profile) -> Result<(), TopologyError> {
        let known: Vec<&str> = self.links.iter().map(|link| link.name.as_str()).collect();
        let nearest = levada_link::units::nearest(name, &known).map(str::to_owned);
        let link = self.links.iter_mut().find(|link| link.name == name);
        link.ok_or(TopologyError::NoLink { name: name.into(), nearest })?.profile = profile;
        Ok(())
    }

    /// Refuses what cannot work as a whole.
    ///
    /// # Errors
    /// A host without a link.
    pub fn check(&self) -> Result<(), TopologyError> {
        let alone = self.hosts.iter().find(|host| self.address(host).is_none());
        if let Some(host) = alone {
            return Err(TopologyError::Alone(host.clone()));
        }
        self.links.iter().try_for_each(|link| {
            self.admits(&link.name, &link.profile.down)?;
            self.admits(&link.name, &link.profile.up)
        })
    }

    /// Refuses a bucket that holds less than a packet of this topology.
    pub(crate) fn admits(&self, link: &str, config: &LinkConfig) -> Result<(), TopologyError> {
        let longest = u64::from(self.mtu) + ETHERNET;
        match config.bucket.map(|bucket| bucket.burst.0) {
            Some(burst) if burst < longest => Err(TopologyError::Burst { link: link.into(), burst, longest }),
            _ => Ok(()),
        }
    }

    /// The hosts' names.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The switches' names.
    pub fn switches(&self) -> &[String] {
        &self.switches
    }

    /// The links.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// All interfaces, by link.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.links.iter().flat_map(|link| &link.ends)
    }

    /// A host's address: that of its first interface.
    pub fn address(&self, host: &str) -> Option<Ipv4Addr> {
        self.interfaces().filter(|interface| interface.node == host).find_map(|interface| interface.address)
    }

    /// The text of an `/etc/hosts` with all of them, as `us` sees it.
    pub fn names(&self) -> String {
        let mut text = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
        let mut named: Vec<&str> = Vec::new();
        for interface in self.interfaces() {
            let Some(address) = interface.address else { continue };
            let host = if named.contains(&interface.node.as_str()) { "" } else { interface.node.as_str() };
            named.push(&interface.node);
            text += &format!("{address} {host} {}\n", interface.name);
        }
        text
    }

    fn admit(&self, name: &str) -> Result<(), TopologyError> {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts || name.len() > 10 || !name.chars().all(fine) || name.contains("-eth") {
            return Err(TopologyError::Name(name.into()));
        }
        if self.hosts.iter().chain(&self.switches).any(|known| known == name) {
            return Err(TopologyError::Twice(name.into()));
        }
        Ok(())
    }

    fn interface(&self, end: &str, sibling: Option<&Interface>) -> Result<Interface, TopologyError> {
        let (node, number) = match end.rsplit_once("-eth") {
            Some((node, number)) => (node, number.parse::<u8>().ok()),
            None => (end, None),
        };
        let (host, switch) =
            (self.hosts.iter().position(|h| h == node), self.switches.iter().any(|s| s == node));
        if host.is_none() && !switch {
            let known: Vec<&str> = self.hosts.iter().chain(&self.switches).map(String::as_str).collect();
            let nearest = levada_link::units::nearest(node, &known).map(str::to_owned);
            return Err(TopologyError::Nobody { name: node.into(), nearest });
        }
        let taken = |name: &str| self.interfaces().chain(sibling).any(|interface| interface.name == name);
        // Hosts count from zero and switches from one, as in the experiment.
        let first = u8::from(switch);
        let free = (first..=u8::MAX).find(|n| !taken(&format!("{node}-eth{n}")));
        let number = number.or(free).ok_or(TopologyError::TooLarge)?;
        let name = format!("{node}-eth{number}");
        if taken(&name) {
            return Err(TopologyError::Twice(name));
        }
        let address = host.map(|host| Ipv4Addr::new(10, number, (host / 250) as u8, (host % 250 + 1) as u8));
        Ok(Interface { name, node: node.into(), address, gateway: None })
    }
}

/// The hardware address of the interface with `address`.
pub(crate) fn mac(address: Ipv4Addr) -> Mac {
    let [a, b, c, d] = address.octets();
    [0x02, 0x00, a, b, c, d]
}

/// As many as there are addresses in the pattern.
const MOST_HOSTS: usize = 2_000;
const MOST_LINKS: usize = 10_000;
/// Length of an Ethernet header.
const ETHERNET: u64 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_numbered_as_in_the_experiment_and_names_resolve() {
        let lab = Topology::seminar(Profile::default());
        assert_eq!(lab.check(), Ok(()));
        assert!(lab.names().contains("10.0.0.1 server server-eth0\n10.0.0.2 client client-eth0\n"));
        let mut lab = Topology::new();
        lab.host("a").unwrap();
        lab.host("b").unwrap();
        lab.link("one", ["a-eth1", "b"], Profile::default()).unwrap();
        assert_eq!(lab.address("a"), Some(Ipv4Addr::new(10, 1, 0, 1)));
        let again = lab.link("two", ["a-eth1", "b"], Profile::default());
        assert_eq!(again, Err(TopologyError::Twice("a-eth1".into())));
    }

    #[test]
    fn mistakes_are_explained() {
        let mut lab = Topology::new();
        lab.host("server").unwrap();
        assert_eq!(lab.check(), Err(TopologyError::Alone("server".into())));
        let nobody = lab.link("l", ["servr", "server"], Profile::default()).unwrap_err();
        assert_eq!(nobody.to_string(), "there is no host or switch \"servr\"; did you mean \"server\"?");
        assert!(matches!(lab.host("-x"), Err(TopologyError::Name(_))));
        assert!(matches!(lab.switch("server"), Err(TopologyError::Twice(_))));
    }
}
