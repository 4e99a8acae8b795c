use super::*;
use std::time::Duration;

#[test]
fn both_spellings_say_the_same() {
    let pairs = [
        ("netem delay 100ms 100ms 25%", "delay=100ms±100ms~25%"),
        ("netem rate 1mbit 20 48 5 limit 50", "rate=1mbit overhead=20/48+5 queue=50p"),
        ("netem delay 10ms reorder 25% 50% gap 5", "delay=10ms reorder=25%~50%/5"),
        ("netem loss gemodel 1% 30%", "loss=gemodel:1%,30%,100%,0%"),
        ("netem loss state 1% ecn", "loss=state:1%,99%,0%,100%,0% ecn=yes"),
        ("netem slot 800us 1ms packets 42 bytes 512", "slot=800us..1ms,packets=42,bytes=512"),
        ("netem slot distribution normal 7.5ms 1.2ms", "slot=normal:7500us±1200us"),
        ("tbf rate 200kbit burst 1024kbit limit 1024kbit", "bucket=200kbit:128kb queue=128kb"),
        ("netem duplicate 1% corrupt 0.1% 10% seed 7", "duplicate=1% corrupt=0.1%~10% seed=7"),
    ];
    for (tc, nice) in pairs {
        let config: LinkConfig = tc.parse().unwrap();
        assert_eq!(config.to_string(), nice);
        assert_eq!(nice.parse(), Ok(config));
    }
}

#[test]
fn what_tc_has_no_words_for_reads_back_too() {
    for text in [
        "perfect",
        "rate=10mbit queue=60ms aqm=codel delay=10ms±2ms order=keep",
        "bucket=200kbit:128kb,peak=1mbit:1600b,mpu=64,overhead=14/48+5",
        "rate=1mbit aqm=codel:10ms,200ms,ecn",
        "loss=list:3,7-9 outage=10s..12s,30s..31s,lose",
        "rate=1mbit aqm=drophead outage=2s/30s compat=physical",
    ] {
        let config: LinkConfig = text.parse().unwrap();
        assert_eq!(config.to_string(), text.trim_end_matches(" compat=physical"), "{config:?}");
    }
    assert_eq!("".parse(), Ok(LinkConfig::default()));
}

#[test]
fn a_mistake_is_named_with_what_was_meant() {
    let refused = |text: &str| text.parse::<LinkConfig>().unwrap_err().to_string();
    assert_eq!(refused("dealy=10ms"), "unknown key \"dealy\"; did you mean \"delay\"?");
    assert_eq!(refused("delay=10"), "delay: \"10\" has the unknown unit \"\"; one writes s, ms, us or ns");
    assert_eq!(refused("rate=-1mbit"), "rate: \"-1mbit\" is negative");
    assert_eq!(refused("rate=1mbit rate=2mbit"), "rate is given twice");
    assert_eq!(refused("trace=nowhere"), "there is no trace \"nowhere\" here");
    assert_eq!(refused("reorder=5%"), "reordering lets packets skip the delay, so there must be one");
    assert_eq!(
        refused("netem dealy 10ms").lines().next(),
        Some("What is \"dealy\"? Did you mean \"delay\"?")
    );
    assert!(refused("compat=netem aqm=codel").starts_with("netem has no"));
    assert!(refused("bucket=1mbit:0").contains("burst"));
    assert!(refused("loss=1%~burst0.5").contains("mean length"));
}

#[test]
fn an_edit_keeps_the_rest_and_a_refused_one_everything() {
    let mut link: LinkConfig = "rate=10mbit delay=10ms loss=1%".parse().unwrap();
    link.edit("rate=2mbit loss=none", Library::EMPTY).unwrap();
    assert_eq!(link.to_string(), "rate=2mbit delay=10ms");
    assert!(link.edit("rate=3mbit delay=oops", Library::EMPTY).is_err());
    assert_eq!(link.to_string(), "rate=2mbit delay=10ms");
}

#[test]
fn a_table_of_keys_reads_with_tc_words_as_values() {
    #[derive(serde::Deserialize, serde::Serialize)]
    struct Scenario {
        core: LinkConfig,
        up: LinkConfig,
    }
    let text = "up = \"netem loss gemodel 1% 30%\"\n\
        [core]\nrate = \"2mbit\"\ndelay = \"80ms 20ms 25% distribution normal\"\nseed = 7\necn = true\n";
    let scenario: Scenario = toml::from_str(text).unwrap();
    assert_eq!(
        scenario.core.to_string(),
        "rate=2mbit delay=80ms±20ms~25% distribution=normal ecn=yes seed=7"
    );
    let again: Scenario = serde_json::from_str(&serde_json::to_string(&scenario).unwrap()).unwrap();
    assert_eq!((again.core, again.up), (scenario.core, scenario.up));
    assert!(toml::from_str::<Scenario>("up = \"\"\n[core]\nrat = \"1mbit\"\n").is_err());
}

#[test]
fn names_come_from_the_library() {
    let replay = Replay::parse("lte", "1\n2\n").unwrap();
    let library = Library { trace: &|name| (name == "lte").then(|| replay.clone()), ..Library::EMPTY };
    let config = LinkConfig::parse("trace=lte delay=20ms", library).unwrap();
    assert_eq!(config.to_string(), "trace=lte delay=20ms");
    assert_eq!(config.trace.as_ref().map(|trace| trace.rate()), Some(replay.rate()));
}

#[test]
fn tc_words_come_back_exactly() {
    for nice in [
        "rate=10mbit overhead=-14/48+5 queue=50p delay=1234567ns±2us~12.5% distribution=pareto",
        "delay=10ms loss=0.3%~25% duplicate=1%~2% corrupt=0.00001% reorder=25%/4 seed=9",
        "loss=state:1%,50%,10%,90%,0.1%",
        "bucket=1mbit:10kb,peak=2mbit:1600b,mpu=64 queue=30000b",
        "bucket=1mbit:10kb queue=10kb delay=100ms",
    ] {
        let config: LinkConfig = nice.parse().unwrap();
        let words = config.to_tc().unwrap();
        let mut back: LinkConfig = words[0].parse().unwrap();
        if let Some(bucket) = words.get(1) {
            let bucket: LinkConfig = bucket.parse().unwrap();
            (back.bucket, back.queue) = (bucket.bucket, bucket.queue);
        }
        assert_eq!(back, config, "{words:?}");
    }
    assert_eq!("aqm=codel".parse::<LinkConfig>().unwrap().to_tc(), None);
    let delay = "delay=1s".parse::<LinkConfig>().unwrap();
    assert_eq!((delay.delay, delay.to_tc()), (Duration::from_secs(1), Some(vec!["netem delay 1s".into()])));
}
