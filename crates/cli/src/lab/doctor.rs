//! `levada lab doctor`: what this machine can do, found out by doing it, and how to mend what it cannot.

use anyhow::{Result, ensure};
use clap::Args;
use levada_lab::{Lab, Options, Ping, Topology, house, netns};
use levada_link::{Profile, nat::Class};
use std::fs;
use std::time::{Duration, Instant};

/// Says what this machine can do.
#[derive(Debug, Args)]
pub struct Doctor {}

impl Doctor {
    /// What can be seen from outside; then a small lab is tried.
    ///
    /// # Errors
    /// That a lab is not possible.
    pub fn run(self) -> Result<()> {
        let number =
            |path: &str| fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<i64>().ok());
        let spaces = number("/proc/sys/user/max_user_namespaces");
        tell(
            spaces.is_some_and(|most| most > 0),
            &format!("user namespaces: at most {}", spaces.map_or("unknown".into(), |most| most.to_string())),
            "sudo sysctl -w user.max_user_namespaces=15000",
        );
        if let Some(allowed) = number("/proc/sys/kernel/unprivileged_userns_clone") {
            let mend = "sudo sysctl -w kernel.unprivileged_userns_clone=1";
            tell(allowed == 1, "ordinary users may make user namespaces (Debian's switch)", mend);
        }
        if number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
            let own =
                std::env::current_exe().map_or("/usr/bin/levada".into(), |exe| exe.display().to_string());
            let profile = format!(
                "give levada a profile, once:\n      printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile levada {own} \
                 flags=(unconfined) {{ userns, }}\\n' | sudo tee /etc/apparmor.d/levada && sudo apparmor_parser -r \
                 /etc/apparmor.d/levada"
            );
            tell(
                false,
                "AppArmor takes the rights in user namespaces away, unless a profile gives them",
                &profile,
            );
        }
        let real_time = levada_lab::allowed_priority();
        tell(
            real_time > 0,
            &format!("real-time priority: up to {real_time}"),
            "without it a busy machine makes runs INVALID; echo '@users - rtprio 20' | sudo tee \
             /etc/security/limits.d/levada.conf, and log in anew",
        );
        let buffer = number("/proc/sys/net/core/rmem_max").unwrap_or(0);
        tell(
            buffer >= 1 << 21,
            &format!("UDP receive buffers of programs: at most {} KiB", buffer >> 10),
            "enough for most; sudo sysctl -w net.core.rmem_max=4194304 for floods",
        );
        let files = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let files = files.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
        let files: u64 =
            files.split_whitespace().nth(4).and_then(|most| most.parse().ok()).unwrap_or(u64::MAX);
        tell(
            files >= 1024,
            &format!("open files: {files}, enough for {} hosts", files / 3),
            "ulimit -n 4096",
        );
        let status = house::front();
        match status {
            Ok(status) => super::speak::ended(status),
            Err(why) => {
                tell(false, &format!("a lab: {why}"), "until then, `levada lab proxy` works everywhere");
                super::speak::ended(1)
            }
        }
    }

    /// Builds a small lab and tries it. In process 1.
    ///
    /// # Errors
    /// That it does not work.
    pub fn inside(self) -> Result<()> {
        house::tie()?;
        let start = Instant::now();
        let topology = Topology::seminar(Profile::both("delay=5ms".parse()?));
        netns::furnish(&topology.names())?;
        let lab = Lab::build(topology, &Options::default())?;
        let built = start.elapsed();
        let ping = Ping { count: 20, interval: Duration::from_millis(10), ..Ping::default() };
        let answers = lab.ping("server", "client", ping, |_| true)?;
        let whole = answers.rtts.len() == 20 && answers.round_trip()[0] >= 10.0;
        tell(
            whole,
            &format!(
                "a lab of namespaces: up in {:.1} ms, {}",
                built.as_secs_f64() * 1e3,
                answers.to_string().replace('\n', ", ")
            ),
            "this is a bug; please report it",
        );
        let stats = lab.stats()?;
        let late = stats.lateness.p99_ns;
        tell(
            late <= 500_000,
            super::words::fidelity(&lab, &stats).trim_end(),
            "the machine is busy, or gives no real-time priority: runs may be INVALID",
        );
        drop(lab);
        let mend = "only scenarios with a [[router]] need it; on Debian: sudo apt install nftables";
        match routed() {
            Ok(()) => tell(true, "routers with NATs, by nftables", mend),
            Err(why) => tell(false, &format!("routers with NATs: {why:#}"), mend),
        }
        super::speak::ended(u8::from(!whole))
    }
}

/// Tries whether somebody behind a router gets out.
fn routed() -> Result<()> {
    let mut topology = Topology::new();
    ["inside", "outside"].iter().try_for_each(|name| topology.host(name))?;
    topology.router("r1", Class::Symmetric)?;
    topology.link("out", ["outside", "r1"], Profile::default())?;
    topology.link("in", ["r1", "inside"], Profile::default())?;
    let lab = Lab::build(topology, &Options::default())?;
    let ping = Ping { count: 3, interval: Duration::from_millis(10), ..Ping::default() };
    let answers = lab.ping("inside", "outside", ping, |_| true)?;
    ensure!(answers.rtts.len() == 3, "{answers}");
    Ok(())
}

fn tell(good: bool, what: &str, mend: &str) {
    match good {
        true => println!("ok  {what}"),
        false => println!("!!  {what}\n      {mend}"),
    }
}
