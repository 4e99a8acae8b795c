//! What a router of a lab does to packets: NAT of every class, by nftables.
//!
//! The kernel's own NAT is port-restricted, or symmetric where it draws ports. The cones are made of it by remembering which
//! port outside is whose, and to whom it spoke. Where two behind one router send from the same port to different hosts,
//! both have it outside as well, and a cone takes what comes there for the one who sent last.

use crate::netns::NetNs;
use crate::topology::Router;
use levada_link::nat::Class;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Rules by nftables for a router whose interface `outside` leads outside.
pub fn rules(class: Class, outside: &str) -> String {
    let open = "dnat ip addr . port to udp dport map @ways";
    let comes_in = match class {
        Class::FullCone => open.to_owned(),
        Class::Restricted => format!("ip saddr . udp dport @spoken {open}"),
        Class::PortRestricted | Class::Symmetric => "accept".to_owned(),
    };
    let ports = if class == Class::Symmetric { "fully-random" } else { "" };
    // Without `door` what nobody asked for would be answered, and its way taken.
    format!(
        "table ip levada {{
            map ways {{ type inet_service : ipv4_addr . inet_service; flags dynamic, timeout; timeout 2m; size 4096; }}
            set spoken {{ type ipv4_addr . inet_service; flags dynamic, timeout; timeout 2m; size 65535; }}
            chain before {{ type nat hook prerouting priority dstnat; iifname {outside} {comes_in}; }}
            chain after {{ type nat hook postrouting priority srcnat; oifname {outside} masquerade {ports}; }}
            chain note {{
                type filter hook postrouting priority 300;
                oifname {outside} ct direction original meta l4proto udp jump remember;
            }}
            chain remember {{
                update @ways {{ udp sport : ct original ip saddr . ct original proto-src }}
                update @spoken {{ ip daddr . udp sport }}
            }}
            chain door {{ type filter hook input priority 0; iifname {outside} drop; }}
        }}\n"
    )
}

/// Lets a host forward, and be a NAT.
pub(crate) fn begin(net: &NetNs, router: &Router) -> io::Result<()> {
    let nft = nft().ok_or_else(|| {
        let what =
            format!("router {} needs nft, which is not here (on Debian: package nftables)", router.name);
        io::Error::new(io::ErrorKind::NotFound, what)
    })?;
    let rules = rules(router.nat, &format!("{:?}", format!("{}-eth0", router.name)));
    net.within(|| {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        let mut command = Command::new(nft);
        command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.env_remove(crate::LIFELINE).spawn()?;
        let told = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(rules.as_bytes()));
        let done = child.wait_with_output()?;
        if !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr);
            return Err(io::Error::other(format!("nft: {}", why.trim_end())));
        }
        told
    })?
}

/// Where nft is: among the system's programs, which ordinary users do not always have in their PATH.
fn nft() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder: PathBuf| folder.join("nft")).find(|program: &PathBuf| Path::is_file(program))
}
