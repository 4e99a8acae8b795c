//! Native teams on networks made with nftables in namespaces of this test's own: behind NATs of every class, and where
//! packets are lost.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, eventually, netns, programs::Desk};
use levada_lab::nat::rules;
use levada_link::nat::Class;
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// A network of namespaces: a host in the open, and NATs with hosts behind each, `p0`, `p1`, … It ends with this.
struct Net {
    net: netns::Net,
    /// The number of its NAT, and that one's class, of each host.
    hosts: Vec<(usize, Class)>,
}

impl Net {
    /// So many hosts behind one NAT each.
    fn of(nats: &[(Class, usize)], desk: &Desk) -> Result<Net> {
        let mut script = "set -e; mount -t tmpfs none /run; mkdir /run/netns; ip link set lo up
            ip link add name lan type bridge; ip addr add 10.9.0.1/24 dev lan; ip link set lan up\n"
            .to_owned();
        let mut hosts = Vec::new();
        for (n, (class, count)) in nats.iter().enumerate() {
            let file = desk.path(&format!("nat{n}"));
            std::fs::write(&file, rules(*class, "out"))?;
            script += &format!(
                "ip netns add r{n}
                ip link add name out netns r{n} type veth peer name b{n}; ip link set b{n} master lan up
                ip -n r{n} link add name in type bridge
                ip -n r{n} addr add 10.9.0.{address}/24 dev out; ip -n r{n} addr add 192.168.1.1/24 dev in
                for link in lo in out; do ip -n r{n} link set $link up; done
                ip netns exec r{n} sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; nft -f {rules}'\n",
                address = n + 11,
                rules = file.display(),
            );
            for place in 0..*count {
                script += &format!(
                    "ip netns add p{host}
                    ip link add name in{place} netns r{n} type veth peer name eth0 netns p{host}
                    ip -n r{n} link set in{place} master in up
                    ip -n p{host} addr add 192.168.1.{address}/24 dev eth0
                    for link in lo eth0; do ip -n p{host} link set $link up; done
                    ip -n p{host} route add default via 192.168.1.1\n",
                    host = hosts.len(),
                    address = place + 2,
                );
                hosts.push((n, *class));
            }
        }
        Ok(Net { net: netns::Net::of(&script)?, hosts })
    }

    /// Whether two hosts can meet.
    fn meet(&self, [one, other]: [usize; 2]) -> bool {
        let (one, other) = (self.hosts[one], self.hosts[other]);
        one.0 == other.0 || one.1.meets(other.1)
    }

    /// Bytes that came to an interface of a namespace so far.
    fn came(&self, namespace: &str, interface: &str) -> Result<f64> {
        let mut ip = Command::new("ip");
        ip.args(["-n", namespace, "-j", "-s", "link", "show", interface]);
        let said: serde_json::Value = serde_json::from_slice(&self.net.wrap(&ip, &[]).output()?.stdout)?;
        said[0]["stats64"]["rx"]["bytes"].as_f64().context("no count of bytes")
    }

    /// A command of levada in the open, or on a host behind a NAT.
    fn levada(&self, host: Option<usize>, arguments: &[&str]) -> Command {
        let mut command = kit::levada();
        command.args(arguments);
        let host = host.map(|n| format!("p{n}"));
        let before = host.iter().flat_map(|host| ["ip", "netns", "exec", host]).collect::<Vec<_>>();
        self.net.wrap(&command, &before)
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

/// A team of two hosts: its splitter, and who joined.
struct Pair {
    hosts: [usize; 2],
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

/// Two hosts of each class.
fn two_of_each() -> Vec<(Class, usize)> {
    Class::ALL.into_iter().flat_map(|class| [(class, 1), (class, 1)]).collect()
}

#[test]
fn peers_behind_nats_of_every_two_classes_meet_where_they_can_and_are_relayed_where_not() -> Result<()> {
    let pairs: Vec<_> =
        (0..4).flat_map(|one| (one..4).map(move |other| ([2 * one, 2 * other + 1], "plain"))).collect();
    meet(&two_of_each(), &pairs).map(drop)
}

#[test]
fn encrypted_teams_meet_through_nats_and_are_relayed_as_plain_ones_are() -> Result<()> {
    // Port-restricted ones with each other, and symmetric ones with those whom they reach and those whom they do not.
    let pairs = [[4, 5], [2, 7], [4, 7]].map(|pair| (pair, "quic"));
    let (_net, teams) = meet(&two_of_each(), &pairs)?;
    for team in teams {
        ensure!(team.connections() >= 4, "{:?}: {}", team.hosts, status(&team.splitter));
    }
    Ok(())
}

/// NATs that send nothing back that came from inside, of the class that reaches fewest and of the one that most have.
#[test]
fn two_peers_behind_one_nat_hear_each_other_inside() -> Result<()> {
    let homes = [(Class::Symmetric, 2), (Class::PortRestricted, 2)];
    let (net, teams) = meet(&homes, &[([0, 1], "plain"), ([2, 3], "quic")])?;
    for (team, router) in teams.iter().zip(["r0", "r1"]) {
        let [one, other] = team.hosts.map(|host| format!("p{host}"));
        let count = || -> Result<[f64; 2]> {
            Ok([net.came(router, "out")?, net.came(&one, "eth0")? + net.came(&other, "eth0")?])
        };
        let before = count()?;
        eventually("the stream to go on", || {
            let now = count()?;
            // Through the NAT comes the stream once, and each of the two has it all.
            let [outside, inside] = [now[0] - before[0], now[1] - before[1]];
            if outside < 100_000.0 {
                return Ok(None);
            }
            ensure!(inside > 1.5 * outside, "{router}: {outside} bytes came in, {inside} to the two");
            Ok(Some(()))
        })?;
    }
    Ok(())
}

/// Lets pairs of peers behind these NATs join a team each, and sees that they play all of it.
fn meet(nats: &[(Class, usize)], pairs: &[([usize; 2], &str)]) -> Result<(Net, Vec<Pair>)> {
    let desk = Desk::new()?;
    let net = Net::of(nats, &desk)?;
    let mut serve = net.levada(None, &["serve", "--http", "127.0.0.1:8000", "--mount"]);
    serve.arg(format!("/BBB.ogv={}", kit::clip("testcard.ogv").display()));
    serve.env("LEVADA__SERVER__STATE", desk.path("state")).env("LEVADA__AUTH__SOURCE_PASSWORD", "hush");
    let mut serve = Program::start(&mut serve)?;
    serve.wait_for("serving on")?;

    let mut teams = Vec::new();
    for (hosts, transport) in pairs {
        let port = (8_001 + teams.len()).to_string();
        let splitter = ["--json", "swarm", "splitter", "--wire", "native", "--listen", "10.9.0.1"];
        let source = ["--port", &port, "--source", "http://127.0.0.1:8000/BBB.ogv", "--transport", transport];
        let splitter = Program::start(&mut net.levada(None, &[&splitter[..], &source].concat()))?;
        teams.push((Pair { hosts: *hosts, splitter, peers: Vec::new() }, port));
    }
    for (team, port) in &mut teams {
        team.splitter.wait_for("\"members\"")?;
        let at = format!("10.9.0.1:{port}");
        let join = ["--json", "swarm", "peer", "--wire", "native", "--player-port", "0", "--splitter", &at];
        for host in team.hosts {
            team.peers.push(Program::start(&mut net.levada(Some(host), &join))?);
        }
    }
    let teams: Vec<_> = teams.into_iter().map(|(team, _)| team).collect();
    for team in &teams {
        let expected = if net.meet(team.hosts) { (8, 0) } else { (0, 8) };
        let classes = team.hosts.map(|host| net.hosts[host]);
        eventually(&format!("{classes:?} to have {expected:?}, not {:?}", team.ways()), || {
            Ok((team.ways() == expected).then_some(()))
        })?;
    }
    let before: Vec<_> = teams.iter().map(|team| (team.each("played"), team.each("lost"))).collect();
    for (team, (played, lost)) in teams.iter().zip(before) {
        eventually(&format!("{:?} to go on", team.hosts), || {
            let further = team.each("played").iter().zip(&played).all(|(now, before)| *now > before + 60);
            Ok(further.then_some(()))
        })?;
        // Thirty programs on a busy machine leave datagrams unread; none is lost in virtual time.
        let lost: Vec<_> = team.each("lost").iter().zip(&lost).map(|(now, before)| now - before).collect();
        ensure!(lost.iter().all(|lost| *lost <= 15), "{:?} lost {lost:?}", team.hosts);
    }
    Ok((net, teams))
}

/// Parity and caps, with real programs: three peers and a splitter that deals parity, where 5 % of the datagrams are lost on
/// their way. They rebuild what is lost, ffmpeg decodes without a warning, and by the kernel's count one of them never sends
/// more than it said.
#[test]
fn on_a_lossy_network_peers_rebuild_what_is_lost_and_one_keeps_to_its_cap() -> Result<()> {
    let net = netns::Net::of(&format!("ip link set lo up; printf '%s' '{LOSSY}' | nft -f -"))?;
    let levada = |arguments: &[&str]| net.enter(kit::levada().args(arguments));
    let desk = Desk::new()?;
    let mount = format!("/BBB.ogv={}", kit::clip("testcard.ogv").display());
    let mut serve = levada(&["serve", "--http", "127.0.0.1:8000", "--mount", &mount]);
    serve.env("LEVADA__SERVER__STATE", desk.path("state")).env("LEVADA__AUTH__SOURCE_PASSWORD", "hush");
    let mut serve = Program::start(&mut serve)?;
    serve.wait_for("serving on")?;
    let source = ["--source", "http://127.0.0.1:8000/BBB.ogv", "--fec", "20%", "--listen", "127.0.0.1"];
    let splitter = ["--json", "swarm", "splitter", "--wire", "native"];
    let mut splitter = Program::start(&mut levada(&[&splitter[..], &source].concat()))?;
    splitter.wait_for("\"members\"")?;

    let join = ["--json", "swarm", "peer", "--wire", "native", "--splitter", "127.0.0.1:8001"];
    let capped = ["--player-port", "9997", "--port", "7777", "--upload-limit", "250kbit"];
    let free = [["--player-port", "9998"], ["--player-port", "9999"]];
    let mut peers = vec![Program::start(&mut levada(&[&join[..], &capped].concat()))?];
    for more in &free {
        peers.push(Program::start(&mut levada(&[&join[..], more].concat()))?);
    }
    eventually("all to play and rebuild", || {
        let plays = |is: serde_json::Value| number(&is, "played") > 100 && number(&is, "rebuilt") > 0;
        Ok(peers.iter().map(status).all(plays).then_some(()))
    })?;
    let mut plays = Command::new("ffmpeg");
    plays.args(["-v", "warning", "-i", "http://127.0.0.1:9999/stream", "-t", "3", "-f", "null", "-"]);
    let (before, began) = (sent(&net)?, Instant::now());
    let out = net.enter(&plays).output()?;
    let (after, passed) = (sent(&net)?, began.elapsed());
    ensure!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    // It may have sent a second's worth at once, and the kernel was asked a moment before and after.
    let most = 250_000 / 8 * (passed + Duration::from_secs(1)).as_millis() as u64 / 1_000;
    ensure!(after > before && after - before <= most, "{} bytes of {most} in {passed:?}", after - before);
    Ok(())
}

/// Drops one in twenty of what comes in, and counts what leaves from one port.
const LOSSY: &str = "table inet lossy { counter capped { }
    chain out { type filter hook output priority 0; udp sport 7777 counter name capped; }
    chain in { type filter hook input priority 0; meta l4proto udp numgen random mod 100 < 5 drop; }
    }";

/// Bytes that the capped peer has sent, with the headers of IP and UDP.
fn sent(net: &netns::Net) -> Result<u64> {
    let list =
        net.enter(Command::new("nft").args(["list", "counter", "inet", "lossy", "capped"])).output()?;
    let said = String::from_utf8_lossy(&list.stdout);
    let bytes = said.split_whitespace().skip_while(|word| *word != "bytes").nth(1);
    Ok(bytes.unwrap_or_default().parse()?)
}
