use super::*;

fn wrong(text: &str) -> String {
    text.parse::<Scenario>().unwrap_err().to_string()
}

const HEAD: &str = "lab = 1\nname = \"x\"\n";

#[test]
fn unknown_keys_name_the_nearest_with_line_and_column() {
    let cases = [
        ("sed = 3\n", "line 3, column 1: unknown key \"sed\"; did you mean \"seed\"?"),
        (
            "[[link]]\nname = \"core\"\n  rat = \"1mbit\"\n",
            "line 5, column 3: unknown key \"rat\"; did you mean \"rate\"?",
        ),
        (
            "[[run]]\nname = \"a\"\nhost = \"client\"\nstop = { sginal = \"INT\" }\n",
            "line 6, column 10: unknown key \"sginal\"; did you mean \"signal\"?",
        ),
    ];
    for (text, said) in cases {
        assert_eq!(wrong(&format!("{HEAD}{text}")), said);
    }
}

#[test]
fn impossible_values_are_explained() {
    let cases = [
        ("[[link]]\nname = \"core\"\nrate = \"-1mbit\"\n", "negative"),
        ("[[link]]\nname = \"core\"\nrate = \"1mbps2\"\n", "unknown unit"),
        ("[[link]]\nname = \"kore\"\nrate = \"1mbit\"\n", "no link \"kore\"; did you mean \"core\"?"),
        (
            "[[run]]\nname = \"a\"\nhost = \"cliant\"\ncmd = \"true\"\n",
            "no host \"cliant\"; did you mean \"client\"?",
        ),
        ("[[run]]\nname = \"a\"\nhost = \"client\"\n", "one of cmd, ping"),
        ("[[run]]\nname = \"a\"\nhost = \"client\"\ncmd = \"true\"\nafter = [\"b\"]\n", "no step \"b\""),
        (
            "[[run]]\nname = \"a\"\nhost = \"client\"\ncmd = \"true\"\nready = \"tpc:80\"\n",
            "none of tcp:PORT",
        ),
        ("[[expect]]\nmetric = \"a\"\nmin = \"fast\"\n", "no number, time, rate"),
        ("[[at]]\nt = \"1s\"\nlink.cor = \"rate=1mbit\"\n", "did you mean \"core\"?"),
        ("[[at]]\nt = \"1s\"\nlink.core = \"rte=1mbit\"\n", "did you mean \"rate\"?"),
        ("duration = \"1\"\n", "unit"),
        ("hosts = [\"a\"]\n[[router]]\nname = \"r\"\nnat = \"conical\"\n", "full-cone"),
        (
            "hosts = [\"a\"]\n[[router]]\nname = \"r\"\nnat = \"symmetric\"\n[[link]]\nname = \"l\"\nends = [\"a\", \"r\"]\n",
            "needs two links",
        ),
        (
            "[[link]]\nname = \"core\"\nbucket = \"1mbit:1000b\"\n",
            "a burst of 1000 bytes is less than a packet (1514 bytes with its header)",
        ),
    ];
    for (text, part) in cases {
        let said = wrong(&format!("{HEAD}{text}"));
        assert!(said.contains(part), "{text}: {said}");
    }
    assert!(wrong("lab = 2\nname = \"x\"\n").contains("lab = 1"));
    assert!(wrong("lab = 1\nname = \"../x\"\n").contains("folder"));
}

#[test]
fn links_take_words_directions_and_presets() {
    let text = format!(
        "{HEAD}hosts = [\"a\", \"b\"]\n[[link]]\nname = \"l\"\nends = [\"a\", \"b\"]\nrate = \"1mbit\"\n\
         delay = \"100ms 100ms 25% distribution normal\"\ndown = \"rate=2mbit\"\n[[link]]\nname = \"m\"\n\
         ends = [\"a\", \"b\"]\npreset = \"3g\"\nqueue = \"10p\"\n"
    );
    let scenario: Scenario = text.parse().unwrap();
    let topology = scenario.topology().unwrap();
    let profile = &topology.links()[0].profile;
    assert_eq!(profile.up.to_string(), "rate=1mbit delay=100ms±100ms~25% distribution=normal");
    assert_eq!(profile.down.rate.unwrap().to_string(), "2mbit");
    assert_eq!(topology.links()[1].profile.down.to_string(), "rate=1600kbit queue=10p delay=150ms");
}

#[test]
fn a_matrix_is_all_combinations_and_values_can_be_set() {
    let text = format!(
        "{HEAD}[[link]]\nname = \"core\"\ndelay = \"1ms\"\n[matrix]\nseed = [1, 2]\n\"link.core.delay\" = [\"1ms\", \"5ms\"]\n"
    );
    let scenario: Scenario = text.parse().unwrap();
    let all = scenario.combinations();
    assert_eq!(all.len(), 4);
    let (changed, _) = Scenario::with(&text, &all[3]).unwrap();
    let delay = changed.topology().unwrap().links()[1].profile.down.delay;
    assert_eq!((changed.seed, delay), (2, Duration::from_millis(5)));
    let set: Override = "link.core.rate=2mbit".parse().unwrap();
    let (changed, _) = Scenario::with(&text, &[set]).unwrap();
    assert_eq!(changed.topology().unwrap().links()[1].profile.up.to_string(), "rate=2mbit delay=1ms");
    let nowhere: Override = "link.cor.rate=2mbit".parse().unwrap();
    assert!(Scenario::with(&text, &[nowhere]).is_err());
}

#[test]
fn amounts_have_units() {
    for (text, value) in [("150ms", 0.15), ("1.8mbit", 1.8e6), ("25%", 0.25), ("3", 3.0), ("64kb", 65536.0)] {
        assert!((Amount::parse(text).unwrap().value - value).abs() < 1e-9, "{text}");
    }
    assert!(Amount::parse("12 apples").is_err());
}
