//! Labs of namespaces with real programs in them, as an ordinary user.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::lab::{Up, is_possible, lab, number_after, said};
use kit::programs::Desk;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// `ping` inside measures the delay of the model, and a change holds at once and loses nothing.
#[test]
fn ping_inside_agrees_with_the_model_and_live_changes_lose_nothing() -> Result<()> {
    if !is_possible("ping inside") {
        return Ok(());
    }
    let desk = Desk::new()?;
    let up = Up::start("ping", &["--delay", "25ms"], &desk.path(""))?;
    let real = up.exec("client", &["ping", "-q", "-c", "10", "-i", "0.1", "server"])?;
    let least = number_after(&real, "mdev = ")?;
    ensure!((50.0..75.0).contains(&least), "twice 25 ms: {real}");
    let own = up.ask("ping", &["server", "client", "-c", "5", "-i", "100ms"])?;
    ensure!(own.contains("5 packets transmitted, 5 received, 0% packet loss"), "{own}");
    ensure!((50.0..75.0).contains(&number_after(&own, "mdev = ")?), "{own}");
    // Changes while packets are under way: none is lost.
    let mut pinging = up.command("exec", &["client", "ping", "-q", "-c", "100", "-i", "0.02", "server"]);
    let pinging = pinging.stdout(Stdio::piped()).spawn()?;
    for delay in ["5ms", "80ms", "1ms", "40ms"] {
        up.ask("link", &["core", &format!("delay={delay}")])?;
        std::thread::sleep(Duration::from_millis(300));
    }
    let out = pinging.wait_with_output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    ensure!(text.contains("100 packets transmitted, 100 received"), "{text}");
    let changes = up.ask("changes", &[])?;
    ensure!(changes.matches("[[at]]").count() == 4 && changes.contains("core = \"delay=80ms\""), "{changes}");
    ensure!(up.ask("link", &["core"])?.contains("rate=10mbit delay=40ms"), "the link is as it was left");
    Ok(())
}

/// iperf3 inside gets the rate of the link, less headers.
#[test]
fn iperf3_inside_gets_the_rate_of_the_link() -> Result<()> {
    if !is_possible("iperf3 inside") {
        return Ok(());
    }
    let desk = Desk::new()?;
    let up = Up::start("iperf", &["--core", "rate=8mbit delay=2ms queue=50ms"], &desk.path(""))?;
    let script = "iperf3 -s -1 -D; exec sleep 0.5";
    up.exec("client", &["sh", "-c", script])?;
    let text = up.exec("server", &["iperf3", "-c", "client", "-t", "3", "-J"])?;
    let rate = number_after(
        text.rsplit_once("\"sum_received\"").with_context(|| text.clone())?.1,
        "\"bits_per_second\":",
    )?;
    // 1448 of 1514 bytes are payload: 7.65 Mbit/s at the most.
    ensure!((5.8e6..7.7e6).contains(&rate), "{rate}");
    Ok(())
}

/// The command lines of the seminar, in tc's words and with tc's answers.
#[test]
fn tc_answers_as_tc_in_a_lab() -> Result<()> {
    if !is_possible("tc in a lab") {
        return Ok(());
    }
    let desk = Desk::new()?;
    let up = Up::start("tc", &["--core", "perfect"], &desk.path(""))?;
    let tc = |line: &str| -> Result<(String, i32)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let out = up.command("tc", &words).output()?;
        let text =
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        Ok((text, out.status.code().unwrap_or(-1)))
    };
    ensure!(tc("qdisc show dev lo")? == ("qdisc noqueue 0: root refcnt 2 \n".into(), 0));
    ensure!(tc("qdisc del dev lo root")?.1 == 2, "there is nothing to delete");
    let add = "qdisc add dev lo root handle 1: netem delay 100ms 100ms 25% distribution normal";
    ensure!(tc(add)? == (String::new(), 0));
    let (shown, _) = tc("qdisc show dev lo")?;
    ensure!(shown == "qdisc netem 1: root refcnt 2 limit 1000 delay 100ms  100ms 25%\n", "{shown}");
    let child = "qdisc add dev lo parent 1:1 handle 10: tbf rate 200kbit burst 1024kbit limit 1024kbit";
    ensure!(tc(child)? == (String::new(), 0));
    ensure!(tc("qdisc show dev lo")?.0.contains("qdisc tbf 10: parent 1:1 rate 200Kbit burst 128Kb"));
    ensure!(tc("qdisc change dev lo root handle 1: netem delay 30ms")?.1 == 0);
    // Both directions of lo pass it: twice 30 ms.
    let ping = up.ask("ping", &["server", "client", "-c", "3", "-i", "100ms"])?;
    ensure!((60.0..90.0).contains(&number_after(&ping, "mdev = ")?), "{ping}");
    ensure!(tc("qdisc del dev lo root")? == (String::new(), 0));
    // One direction of an interface: once 30 ms.
    ensure!(tc("qdisc add dev s1-eth2 root netem delay 30ms")?.1 == 0);
    let ping = up.ask("ping", &["server", "client", "-c", "3", "-i", "100ms"])?;
    ensure!((30.0..55.0).contains(&number_after(&ping, "mdev = ")?), "{ping}");
    let (warned, status) = tc("qdisc add dev s2-eth1 root tbf rate 1mbit burst 1000b limit 10kb")?;
    ensure!(status == 0 && warned.contains("a burst of 1000 bytes is less than a packet"), "{warned}");
    let (wrong, status) = tc("qdisc add dev s9-eth1 root netem delay 1ms")?;
    ensure!((wrong.as_str(), status) == ("Cannot find device \"s9-eth1\"\n", 1), "{wrong}");
    Ok(())
}

/// Names resolve, programs are who they were, ports are published, and nothing of the world is reachable.
#[test]
fn hosts_have_names_and_ports_can_be_published() -> Result<()> {
    if !is_possible("names and ports") {
        return Ok(());
    }
    let desk = Desk::new()?;
    let up = Up::start("names", &["--publish", "0:server:8000"], &desk.path(""))?;
    ensure!(up.exec("client", &["getent", "hosts", "server"])?.starts_with("10.0.0.1"));
    ensure!(up.exec("client", &["id", "-u"])?.trim() != "0", "an ordinary user");
    let interfaces = up.exec("client", &["ip", "-o", "link"])?;
    ensure!(interfaces.contains("client-eth0") && interfaces.lines().count() == 2, "{interfaces}");
    let outside = number_after(&up.program.said(), "of server is 127.0.0.1:")?;
    let serve = "mkdir www; echo hello > www/x; exec python3 -m http.server -d www 8000 --bind 10.0.0.1";
    let mut server = kit::Program::start(&mut up.command("exec", &["server", "sh", "-c", serve]))?;
    let answer = kit::eventually("the published port", || {
        ensure!(server.runs(), "the server ended");
        let url = format!("http://127.0.0.1:{outside}/x");
        let out = Command::new("curl").args(["-s", "--max-time", "5", &url]).output()?;
        Ok(out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned()))
    })?;
    ensure!(answer == "hello\n", "{answer:?}");
    ensure!(up.command("exec", &["nobody", "true"]).output()?.status.code() == Some(2), "no such host");
    Ok(())
}

/// What the engine captures, tshark reads without a warning; the same packet has one number on both sides.
#[test]
fn tshark_reads_what_a_scenario_captured() -> Result<()> {
    if !is_possible("tshark") {
        return Ok(());
    }
    let desk = Desk::new()?;
    let scenario = desk.write(
        "s.toml",
        "lab = 1\nname = \"captured\"\n[[link]]\nname = \"core\"\ndelay = \"5ms\"\nloss = \"20%\"\n[capture]\n\
         points = [\"server-eth0\", \"client-eth0\"]\nfilter = \"icmp\"\n[[run]]\nname = \"p\"\nhost = \"server\"\n\
         ping = { to = \"client\", count = 60, interval = \"10ms\" }\n[[expect]]\nmetric = \"p.loss\"\nmin = 0.15\nmax = 0.6\n",
    )?;
    fs::set_permissions(&scenario, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    said(&mut lab(&["run", "s.toml", "--fidelity", "10s"], &desk.path("")))?;
    let file = desk.path("captured/capture.pcapng");
    let out = Command::new("tshark")
        .args(["-r"])
        .arg(&file)
        .args([
            "-T",
            "fields",
            "-e",
            "frame.interface_name",
            "-e",
            "frame.packet_id",
            "-e",
            "frame.time_epoch",
        ])
        .args(["-e", "icmp.type", "-e", "frame.verdict", "-e", "frame.comment"])
        .output()?;
    let (text, warned) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let warned: Vec<&str> = warned.lines().filter(|line| !line.contains("Running as user")).collect();
    ensure!(out.status.success() && warned.is_empty(), "{warned:?}");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let requests: Vec<_> = rows.iter().filter(|row| row[0] == "server-eth0" && row[3] == "8").collect();
    ensure!(requests.len() == 60, "{} requests", requests.len());
    let mut dropped = 0;
    for request in &requests {
        let there = rows.iter().find(|row| row[0] == "client-eth0" && row[1] == request[1]);
        match there {
            Some(there) => {
                let delay = there[2].parse::<f64>()? - request[2].parse::<f64>()?;
                ensure!((0.0049..0.5).contains(&delay), "{delay}");
            }
            None => {
                ensure!(request[5].contains("dropped: loss"), "{request:?}");
                dropped += 1;
            }
        }
    }
    ensure!((3..30).contains(&dropped), "{dropped} of 60");
    ensure!(fs::metadata(desk.path("captured/client_out.pcap"))?.len() > 1000);
    Ok(())
}

/// The prompt takes lines from wherever they come, `q` ends it.
#[test]
fn a_session_at_the_prompt_ends_with_q() -> Result<()> {
    if !is_possible("the prompt") {
        return Ok(());
    }
    let desk = Desk::new()?;
    let name = format!("prompt-{}", std::process::id());
    let mut command = lab(&["up", "--name", &name], &desk.path(""));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let lines = "hosts\nlink core rate 5mbit delay 50ms\nlink core\nclient echo 'one word'\nlinc\nq\nhosts\n";
    child.stdin.take().context("piped")?.write_all(lines.as_bytes())?;
    let out = child.wait_with_output()?;
    let (text, complaints) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    ensure!(out.status.success(), "{complaints}");
    ensure!(text.contains("rate=5mbit delay=50ms") && text.contains("one word\n"), "{text}");
    ensure!(text.matches("client-eth0").count() == 1, "what comes after q is not done: {text}");
    ensure!(complaints.contains("unrecognized subcommand 'linc'"), "{complaints}");
    Ok(())
}

/// Packets are shown as they pass.
#[test]
fn a_live_capture_shows_what_the_filter_lets_in() -> Result<()> {
    if !is_possible("a live capture") {
        return Ok(());
    }
    let desk = Desk::new()?;
    let up = Up::start("capture", &[], &desk.path(""))?;
    let mut capture = up.command("capture", &["-c", "4", "-i", "s2-eth1", "icmp and host client"]);
    let capture = capture.stdout(Stdio::piped()).spawn()?;
    // Until it watches, pings pass unseen.
    let pinging = up
        .command("exec", &["client", "ping", "-q", "-c", "300", "-i", "0.05", "server"])
        .stdout(Stdio::null())
        .spawn();
    let mut pinging = pinging?;
    let out = capture.wait_with_output()?;
    let _still_going = pinging.kill();
    let _reaped = pinging.wait();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    ensure!(text.lines().count() == 4 && text.contains("IP 10.0.0.2 > 10.0.0.1: ICMP, length 64"), "{text}");
    let wrong = up.command("capture", &["-i", "s2-eth1", "tcp prot 80"]).output()?;
    ensure!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean \"port\"?"));
    Ok(())
}

/// Whatever is killed whenever: no process, no namespace, no file is left. `LEVADA_FAULTS` says how often.
#[test]
fn nothing_is_left_after_a_kill() -> Result<()> {
    if !is_possible("kills") {
        return Ok(());
    }
    let desk = Desk::new()?;
    let kills: u32 = match std::env::var("LEVADA_FAULTS") {
        Ok(factor) => 100 * factor.parse::<u32>()?,
        Err(_) => 8,
    };
    let mut chance: u64 = 0x5eed;
    for turn in 0..kills {
        let mark = format!("{}.{turn}", 7_000_000 + std::process::id());
        let name = format!("kill-{}-{turn}", std::process::id());
        let mut command = lab(&["up", "--name", &name], &desk.path(""));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut input = child.stdin.take().context("piped")?;
        // An orphan and one that ignores signals, in both hosts.
        let orphan = format!("server sh -c 'sleep {mark} & trap \"\" TERM INT; sleep {mark}'\n");
        let _may_be_gone = input.write_all(orphan.as_bytes());
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((chance >> 33) % 400));
        child.kill()?;
        child.wait()?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Some(left) = left_behind(&mark, &name)? {
            ensure!(Instant::now() < deadline, "left behind after kill {turn}: {left}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    // Namespaces that nothing holds are gone, and with them what was in them.
    let interfaces = fs::read_to_string("/proc/net/dev")?;
    ensure!(!interfaces.contains("server-eth0"), "{interfaces}");
    println!("{kills} labs killed, nothing left");
    Ok(())
}

/// A process that has one of these words among its arguments.
fn left_behind(mark: &str, name: &str) -> Result<Option<String>> {
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        if words.iter().any(|word| word == mark || word == name) {
            return Ok(Some(words.join(" ")));
        }
    }
    Ok(None)
}

/// A program that does not become ready fails the run, and what it said is shown.
#[test]
fn a_program_that_is_not_ready_fails_the_run_with_its_output() -> Result<()> {
    if !is_possible("readiness") {
        return Ok(());
    }
    let desk = Desk::new()?;
    let text = "lab = 1\nname = \"unready\"\n[[run]]\nname = \"server\"\nhost = \"server\"\n\
                cmd = \"echo I will never listen; sleep 60\"\nready = \"tcp:80\"\nready_within = \"500ms\"\n";
    let scenario = desk.write("s.toml", text)?;
    fs::set_permissions(&scenario, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let out = lab(&["run", "s.toml", "--fidelity", "10s"], &desk.path("")).output()?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    ensure!(out.status.code() == Some(1), "{}: {said}", out.status);
    ensure!(
        said.contains("was not ready (listening on TCP port 80)") && said.contains("I will never listen"),
        "{said}"
    );
    let junit = fs::read_to_string(desk.path("unready/junit.xml"))?;
    ensure!(junit.contains("failures=\"1\""), "{junit}");
    // What cannot be read needs no namespaces.
    let wrong = desk.write("w.toml", &text.replace("ready_within", "redy_within"))?;
    fs::set_permissions(&wrong, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let out = lab(&["run", "w.toml"], &desk.path("")).output()?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    ensure!(out.status.code() == Some(3), "{}: {said}", out.status);
    ensure!(
        said.contains(
            "w.toml: line 8, column 1: unknown key \"redy_within\"; did you mean \"ready_within\"?"
        ),
        "{said}"
    );
    Ok(())
}

/// An engine that was later than allowed makes the run INVALID, and its exit status says so.
#[test]
fn a_late_engine_makes_the_run_invalid() -> Result<()> {
    if !is_possible("fidelity") {
        return Ok(());
    }
    let desk = Desk::new()?;
    let text = "lab = 1\nname = \"late\"\n[[link]]\nname = \"core\"\ndelay = \"1ms\"\n[[run]]\nname = \"p\"\n\
                host = \"server\"\nping = { to = \"client\", count = 5, interval = \"10ms\" }\n";
    let scenario = desk.write("s.toml", text)?;
    fs::set_permissions(&scenario, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let out = lab(&["run", "s.toml", "--fidelity", "1ns"], &desk.path("")).output()?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    ensure!(out.status.code() == Some(6) && said.contains("INVALID"), "{}: {said}", out.status);
    Ok(())
}
