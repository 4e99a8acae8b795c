//! tc's words, answers and refusals, against transcripts of the real program (iproute2 6.1 on Linux 6.18).
//!
//! `tc/transcript.txt` and `tc/tbf.txt` were recorded with the kernel's own tbf; `tc/netem.txt` with tc printing back the
//! message it had sent, since that kernel has no netem. Usage texts are left out.

use levada_link::tc::Devices;
use levada_link::{Compat, LinkConfig, Percent, Room};
use proptest::prelude::*;

fn tc(devices: &mut Devices, line: &str) -> (String, u8) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let reply = devices.run(&words, &|_| None);
    (reply.out + &reply.err, reply.status)
}

/// The lines of an answer, as far as the transcript has them.
fn told(answer: &str, lines: usize) -> Vec<&str> {
    answer.lines().take(lines).collect()
}

#[test]
fn a_session_goes_as_with_tc() {
    let mut devices = Devices::new(["lo"]);
    let mut commands = 0;
    let transcript = include_str!("tc/transcript.txt");
    for turn in transcript.split("$ tc ").skip(1) {
        let turn = turn.split("\n#").next().unwrap();
        let (line, answer) = turn.split_once('\n').unwrap_or((turn, ""));
        let status =
            answer.lines().find_map(|line| line.strip_prefix("-> ")).map_or(0, |s| s.parse().unwrap());
        let expected: Vec<&str> = answer.lines().filter(|line| !line.starts_with("-> ")).collect();
        let (answer, ended) = tc(&mut devices, line);
        assert_eq!((told(&answer, expected.len()), ended), (expected.clone(), status), "{line}");
        if status == 0 {
            assert_eq!(answer.lines().count(), expected.len(), "{line}");
        }
        commands += 1;
    }
    assert!(commands > 150, "{commands}");
}

#[test]
fn netem_reads_and_shows_as_tc() {
    for case in include_str!("tc/netem.txt").lines() {
        let (words, expected) = case.split_once(" =>").unwrap();
        let expected = expected.strip_prefix(' ').unwrap_or(expected);
        let mut devices = Devices::new(["lo"]);
        let (answer, status) = tc(&mut devices, &format!("qdisc add dev lo root handle 1: netem {words}"));
        let refused = expected.strip_prefix('[').and_then(|rest| rest.split_once("] "));
        if let Some((code, why)) = refused {
            assert_eq!((answer.lines().next(), status.to_string()), (Some(why), code.into()), "{words}");
            continue;
        }
        assert_eq!((answer.as_str(), status), ("", 0), "{words}");
        let (shown, _) = tc(&mut devices, "qdisc show dev lo");
        assert_eq!(shown, format!("qdisc netem 1: root refcnt 2 {expected}\n"), "{words}");
    }
}

#[test]
fn tbf_shows_with_the_roundings_of_tc_and_the_kernel() {
    for case in include_str!("tc/tbf.txt").lines() {
        let (words, expected) = case.split_once(" => ").unwrap();
        let mut devices = Devices::new(["lo"]);
        assert_eq!(tc(&mut devices, &format!("qdisc add dev lo root handle 1: tbf {words}")).0, "");
        let (shown, _) = tc(&mut devices, "qdisc show dev lo");
        assert_eq!(shown, format!("qdisc tbf 1: root refcnt 2 {expected}\n"), "{words}");
    }
}

#[test]
fn the_seminars_lines_are_understood() {
    let mut devices = Devices::new(["lo", "s1-eth2"]);
    for line in [
        "qdisc show dev lo",
        "qdisc add dev lo root handle 1: netem delay 100ms 100ms 25% distribution normal",
        "qdisc add dev lo parent 1:1 handle 10: tbf rate 200kbit burst 1024kbit limit 1024kbit",
        "qdisc change dev lo parent 1:1 handle 10: tbf rate 100kbit burst 128kbit limit 128kbit",
    ] {
        assert_eq!(tc(&mut devices, line).1, 0, "{line}");
    }
    assert_eq!(
        tc(&mut devices, "qdisc show").0,
        "qdisc netem 1: dev lo root refcnt 2 limit 1000 delay 100ms  100ms 25%\n\
         qdisc tbf 10: dev lo parent 1:1 rate 100Kbit burst 16Kb lat 0us \n\
         qdisc noqueue 0: dev s1-eth2 root refcnt 2 \n",
    );
    let links = devices.links("lo");
    assert_eq!(links.len(), 2);
    assert_eq!(
        (links[0].correlation, links[1].queue),
        (Percent::of(25.0), Room::Bytes(levada_link::Size(16_384)))
    );
    assert_eq!(tc(&mut devices, "qdisc del dev lo root"), (String::new(), 0));
    assert_eq!(
        tc(&mut devices, "qdisc del dev lo root"),
        ("Error: Cannot delete qdisc with handle of zero.\n".into(), 2)
    );
    assert!(devices.links("lo").is_empty());
}

#[test]
fn a_packet_is_in_netem_before_tbf_whichever_is_above() {
    for (root, child) in [
        ("netem delay 5ms", "tbf rate 1mbit burst 2kb limit 9kb"),
        ("tbf rate 1mbit burst 2kb limit 9kb", "netem delay 5ms"),
    ] {
        let mut devices = Devices::new(["lo"]).compat(Compat::Netem);
        tc(&mut devices, &format!("qdisc add dev lo root handle 1: {root}"));
        tc(&mut devices, &format!("qdisc add dev lo parent 1:1 handle 2: {child}"));
        let links = devices.links("lo");
        assert_eq!(links.iter().map(|link| link.bucket.is_some()).collect::<Vec<_>>(), [false, true]);
        assert_eq!(
            links.iter().map(|link| link.compat).collect::<Vec<_>>(),
            [Compat::Netem, Compat::Physical]
        );
    }
}

#[test]
fn below_netem_there_is_nothing_to_delete() {
    let mut devices = Devices::new(["lo"]);
    tc(&mut devices, "qdisc add dev lo root handle 1: netem delay 1ms");
    let (answer, status) = tc(&mut devices, "qdisc del dev lo parent 1:1");
    assert_eq!((answer.as_str(), status), ("Error: Cannot find specified qdisc on specified device.\n", 2));
}

#[test]
fn a_table_is_asked_for_by_name() {
    let table = levada_link::distribution::Table::parse("mine", "-8192 0 8192").unwrap();
    let table = std::sync::Arc::new(table);
    let tables = |name: &str| (name == "mine").then(|| table.clone());
    let words = "netem delay 10ms 1ms distribution mine";
    let config = LinkConfig::from_tc(words, &tables).unwrap();
    assert_eq!(config.to_tc(), Some(vec![words.to_owned()]));
    assert!(
        words.parse::<LinkConfig>().unwrap_err().to_string().starts_with("No distribution data for mine")
    );
}

proptest! {
    #[test]
    fn odd_command_lines_do_not_panic(words in proptest::collection::vec(
        prop_oneof![
            "(qdisc|add|change|replace|del|show|dev|lo|root|parent|handle|1:1|1:|10:|netem|tbf|ffff:|none)",
            "(delay|loss|rate|burst|limit|latency|slot|distribution|normal|state|gemodel|reorder|gap|peakrate|mtu)",
            "[0-9]{1,12}(ms|%|kbit|kb|s|:)?",
            "\\PC{0,6}",
        ],
        0..14,
    )) {
        let mut devices = Devices::new(["lo"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let _ = devices.run(&words, &|_| None);
        let mut whole = vec!["qdisc", "add", "dev", "lo", "root"];
        whole.extend(&words);
        let _ = devices.run(&whole, &|_| None);
        let _ = (devices.run(&["qdisc"], &|_| None), devices.links("lo"));
        let _ = words.join(" ").parse::<LinkConfig>();
    }
}
