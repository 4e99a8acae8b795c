//! Native teams behind NATs of every class, made with nftables in namespaces of this test's own.

mod kit;

use anyhow::{Result, ensure};
use kit::{Program, eventually, netns, programs::Desk};
use std::process::Command;

/// The classes of RFC 3489.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Nat {
    FullCone,
    Restricted,
    PortRestricted,
    Symmetric,
}

const ALL: [Nat; 4] = [Nat::FullCone, Nat::Restricted, Nat::PortRestricted, Nat::Symmetric];

impl Nat {
    /// Rules of the router between `out` and the peers' host, 192.168.1.2.
    fn rules(self) -> String {
        let inside = match self {
            Nat::FullCone => "iifname out udp dport 1024-65535 dnat to 192.168.1.2",
            Nat::Restricted => "iifname out ip saddr @known udp dport 1024-65535 dnat to 192.168.1.2",
            Nat::PortRestricted | Nat::Symmetric => "accept",
        };
        let ports = if self == Nat::Symmetric { "fully-random" } else { "" };
        // Without `door` what nobody asked for would be answered, and its way taken.
        format!(
            "table ip nat {{
                set known {{ type ipv4_addr; flags dynamic, timeout; timeout 60s; }}
                chain before {{ type nat hook prerouting priority dstnat; {inside}; }}
                chain note {{ type filter hook forward priority 0; oifname out update @known {{ ip daddr }}; }}
                chain door {{ type filter hook input priority 0; iifname out drop; }}
                chain after {{ type nat hook postrouting priority srcnat; oifname out masquerade {ports}; }}
            }}\n"
        )
    }

    /// Whether peers behind two of them can meet.
    fn meets(self, other: Nat) -> bool {
        let (first, second) = if self <= other { (self, other) } else { (other, self) };
        second != Nat::Symmetric || first <= Nat::Restricted
    }
}

/// A network of namespaces: a host in the open, and hosts `p0`, `p1`, … behind a NAT each. It ends with this.
struct Net(netns::Net);

impl Net {
    fn of(nats: &[Nat], desk: &Desk) -> Result<Net> {
        let mut script = "set -e; mount -t tmpfs none /run; mkdir /run/netns; ip link set lo up
            ip link add name lan type bridge; ip addr add 10.9.0.1/24 dev lan; ip link set lan up\n"
            .to_owned();
        for (n, nat) in nats.iter().enumerate() {
            let rules = desk.path(&format!("nat{n}"));
            std::fs::write(&rules, nat.rules())?;
            script += &format!(
                "ip netns add r{n}; ip netns add p{n}
                ip link add name out netns r{n} type veth peer name b{n}; ip link set b{n} master lan up
                ip link add name in netns r{n} type veth peer name eth0 netns p{n}
                ip -n r{n} addr add 10.9.0.{host}/24 dev out; ip -n r{n} addr add 192.168.1.1/24 dev in
                for link in lo in out; do ip -n r{n} link set $link up; done
                ip -n p{n} addr add 192.168.1.2/24 dev eth0
                for link in lo eth0; do ip -n p{n} link set $link up; done
                ip -n p{n} route add default via 192.168.1.1
                ip netns exec r{n} sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; nft -f {rules}'\n",
                host = n + 11,
                rules = rules.display(),
            );
        }
        netns::Net::of(&script).map(Net)
    }

    /// A command of levada in the open, or on a host behind a NAT.
    fn levada(&self, host: Option<usize>, arguments: &[&str]) -> Command {
        let mut command = kit::levada();
        command.args(arguments);
        let host = host.map(|n| format!("p{n}"));
        let before = host.iter().flat_map(|host| ["ip", "netns", "exec", host]).collect::<Vec<_>>();
        self.0.wrap(&command, &before)
    }
}

/// What a program that says JSON said last.
fn status(program: &Program) -> serde_json::Value {
    let said = program.said();
    said.lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default()
}

fn number(status: &serde_json::Value, name: &str) -> u64 {
    status[name].as_u64().unwrap_or_default()
}

/// A team of two of these classes: its splitter, and who joined.
struct Pair {
    classes: [Nat; 2],
    splitter: Program,
    peers: Vec<Program>,
}

impl Pair {
    /// Stripes that one has from the other, and stripes that the splitter relays.
    fn ways(&self) -> (u64, u64) {
        let status = status(&self.splitter);
        let members = status["members"].as_array().cloned().unwrap_or_default();
        let sum = |name: &str| members.iter().map(|member| number(member, name)).sum();
        (sum("children"), sum("relayed"))
    }

    /// Connections that stood, over all programs.
    fn connections(&self) -> u64 {
        let all = self.peers.iter().chain([&self.splitter]);
        all.map(|program| number(&status(program)["quic"], "connected")).sum()
    }

    fn each(&self, name: &str) -> Vec<u64> {
        self.peers.iter().map(|peer| number(&status(peer), name)).collect()
    }
}

#[test]
fn peers_behind_nats_of_every_two_classes_meet_where_they_can_and_are_relayed_where_not() -> Result<()> {
    let pairs: Vec<_> = (0..4).flat_map(|one| (one..4).map(move |other| [one, other])).collect();
    meet(&pairs, "plain").map(drop)
}

#[test]
fn encrypted_teams_meet_through_nats_and_are_relayed_as_plain_ones_are() -> Result<()> {
    // Port-restricted ones with each other, and symmetric ones with those whom they reach and those whom they do not.
    for team in meet(&[[2, 2], [1, 3], [2, 3]], "quic")? {
        ensure!(team.connections() >= 4, "{:?}: {}", team.classes, status(&team.splitter));
    }
    Ok(())
}

/// Lets pairs of peers behind NATs of these of all classes join a team each, and sees that they play all of it.
fn meet(pairs: &[[usize; 2]], transport: &str) -> Result<Vec<Pair>> {
    let desk = Desk::new()?;
    // Two hosts of each class.
    let nats: Vec<_> = ALL.into_iter().flat_map(|nat| [nat, nat]).collect();
    let net = Net::of(&nats, &desk)?;
    let mut serve = net.levada(None, &["serve", "--http", "127.0.0.1:8000", "--mount"]);
    serve.arg(format!("/BBB.ogv={}", kit::clip("testcard.ogv").display()));
    serve.env("LEVADA__SERVER__STATE", desk.path("state")).env("LEVADA__AUTH__SOURCE_PASSWORD", "hush");
    let mut serve = Program::start(&mut serve)?;
    serve.wait_for("serving on")?;

    let mut teams = Vec::new();
    for [one, other] in pairs {
        let port = (8_001 + teams.len()).to_string();
        let splitter = ["--json", "swarm", "splitter", "--wire", "native", "--listen", "10.9.0.1"];
        let source = ["--port", &port, "--source", "http://127.0.0.1:8000/BBB.ogv", "--transport", transport];
        let splitter = Program::start(&mut net.levada(None, &[&splitter[..], &source].concat()))?;
        let pair = Pair { classes: [ALL[*one], ALL[*other]], splitter, peers: Vec::new() };
        teams.push((pair, port, [2 * one, 2 * other + 1]));
    }
    for (team, port, hosts) in &mut teams {
        team.splitter.wait_for("\"members\"")?;
        let at = format!("10.9.0.1:{port}");
        let join = ["--json", "swarm", "peer", "--wire", "native", "--player-port", "0", "--splitter", &at];
        for host in hosts {
            team.peers.push(Program::start(&mut net.levada(Some(*host), &join))?);
        }
    }
    let teams: Vec<_> = teams.into_iter().map(|(team, ..)| team).collect();
    for team in &teams {
        let [one, other] = team.classes;
        let expected = if one.meets(other) { (8, 0) } else { (0, 8) };
        eventually(&format!("{one:?} and {other:?} to have {expected:?}, not {:?}", team.ways()), || {
            Ok((team.ways() == expected).then_some(()))
        })?;
    }
    let before: Vec<_> = teams.iter().map(|team| (team.each("played"), team.each("lost"))).collect();
    for (team, (played, lost)) in teams.iter().zip(before) {
        eventually(&format!("{:?} to go on", team.classes), || {
            let further = team.each("played").iter().zip(&played).all(|(now, before)| *now > before + 60);
            Ok(further.then_some(()))
        })?;
        // Thirty programs on a busy machine leave datagrams unread; none is lost in virtual time.
        let lost: Vec<_> = team.each("lost").iter().zip(&lost).map(|(now, before)| now - before).collect();
        ensure!(lost.iter().all(|lost| *lost <= 15), "{:?} lost {lost:?}", team.classes);
    }
    Ok(teams)
}
