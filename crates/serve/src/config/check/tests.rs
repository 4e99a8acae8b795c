//! What is said of odd configurations.

use super::*;

fn findings(text: &str) -> Vec<String> {
    let config: Config = toml::from_str(text).unwrap();
    let word = |finding: &Finding| if finding.fatal { "error" } else { "warning" };
    config.findings().iter().map(|finding| format!("{} {finding}", word(finding))).collect()
}

#[test]
fn the_default_is_flawless() {
    assert_eq!(Config::default().findings(), []);
}

#[test]
fn each_impossible_value_is_named_with_its_key() {
    for (text, key) in [
        ("[http]\nlisten = []", "http.listen"),
        ("[http]\nlisten = ['127.0.0.1:8000', '127.0.0.1:8000']", "http.listen"),
        ("[http]\nshoutcast = ['127.0.0.1:8000']\nlisten = ['127.0.0.1:8000']", "http.shoutcast"),
        ("[http]\nkey = 'Cargo.toml'", "http.key"),
        ("[http]\ncertificate = 'no-such-file'", "http.certificate"),
        ("[http.acme]\ndomains = ['*.example.org']\nproduction = true", "http.acme.domains"),
        ("[http.acme]\nproduction = true", "http.acme.domains"),
        ("[http]\nfiles = 'Cargo.toml'", "http.files"),
        ("[limits]\nhead_bytes = 10", "limits.head_bytes"),
        ("[limits]\nsiblings = ['ftp://example.org']", "limits.siblings"),
        ("[auth]\nsource_user = ''", "auth.source_user"),
        ("[auth]\nsource_password = ''", "auth.source_password"),
        ("[[mount]]\nname = 'a'", "mount.0.name"),
        ("[[mount]]\nname = '/a'\n[[mount]]\nname = '/a'", "mount.1.name"),
        ("[[mount]]\nname = '/a'\nfallback = '/a'", "mount.0.fallback"),
        ("[[mount]]\nname = '/*'\nfile = 'Cargo.toml'", "mount.0.file"),
        ("[[mount]]\nname = '/a'\nfile = 'no-such-file'", "mount.0.file"),
        ("[[mount]]\nname = '/a'\nalways_on = 'no-such-file'", "mount.0.always_on"),
        ("[[mount]]\nname = '/a'\nalways_on = 'Cargo.toml'", "mount.0.always_on"),
        (
            "[[mount]]\nname = '/a'\nalways_on = '../../media/testcard.flv'\nfile = '../../media/chords.mp3'",
            "mount.0.always_on",
        ),
        (
            "[[mount]]\nname = '/a'\nalways_on = '../../media/testcard.flv'\ninput = 'udp://239.1.2.3:5'",
            "mount.0.always_on",
        ),
        ("[[mount]]\nname = '/a'\nrecord = { path = '/r/%q' }", "mount.0.record.path"),
        ("[[mount]]\nname = '/*'\nrecord = { path = '/r/%s' }", "mount.0.record.path"),
        ("[[mount]]\nname = '/*'\nmulticast = 'udp://239.1.2.3:5'", "mount.0.multicast"),
        ("[[mount]]\nname = '/a'\nfile = 'Cargo.toml'\ninput = 'udp://239.1.2.3:5'", "mount.0.input"),
        (
            "[[mount]]\nname = '/a'\nmulticast = 'udp://239.1.2.3:5'\ninput = 'udp://239.1.2.3:5'",
            "mount.0.multicast",
        ),
        ("[[mount]]\nname = '/a'\nicy_metaint = 0", "mount.0.icy_metaint"),
        ("[[mount]]\nname = '/*'\nswarm = true\nswarm_port = 8001", "mount.0.swarm_port"),
        (
            "[[mount]]\nname = '/a'\nswarm = true\nswarm_port = 8001\n\
             [[mount]]\nname = '/b'\nswarm = true\nswarm_port = 8001",
            "mount.1.swarm_port",
        ),
        ("[[mount]]\nname = '/a'\nswarm = true\nswarm_peers = 0", "mount.0.swarm_peers"),
        ("[[mount]]\nname = '/a'\nswarm = true\nswarm_tracker = 'here'", "mount.0.swarm_tracker"),
        ("[[mount]]\nname = '/a'\nswarm = true\nswarm_channel = 'bbb'", "mount.0.swarm_channel"),
        ("[[mount]]\nname = '/a'\nswarm = true\nswarm_standby_of = 'h:8001'", "mount.0.swarm_standby_of"),
        ("[[mount]]\nname = '/a'\nsource_timeout = '0s'", "mount.0.source_timeout"),
        (
            "[[mount]]\nname = '/a'\nurl_auth = { listener_add = 'file:///x' }",
            "mount.0.url_auth.listener_add",
        ),
        ("[[mount]]\nname = '/a'\nhooks = { play = 'http://h/' }", "mount.0.hooks.secret"),
        ("[[relay]]\nfrom = []", "relay.0.from"),
        ("[[relay]]\nfrom = ['http://example.org']\nmount = '/x'", "relay.0.mount"),
        ("[[relay]]\nfrom = ['http://example.org/a']\nevery = '10ms'", "relay.0.every"),
    ] {
        let found = findings(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(&format!("error {key}: ")), "{text}: {found:?}");
    }
}

#[test]
fn what_is_said_of_a_team_that_is_none_is_told() {
    let text = "[[mount]]\nname = '/a'\nswarm_transport = 'quic'";
    assert_eq!(findings(text), ["warning mount.0.swarm_transport: does nothing without swarm = true"]);
    let all = "[[mount]]\nname = '/*'\nswarm = true\nswarm_key = 'team.key'\nswarm_tracker = 'track.example:7777'\n\
               [[mount]]\nname = '/a'\nswarm_port = 8001\nswarm_token = 'seven quiet words'\n\
               swarm_transport = 'quic'\nswarm_peers = 100\nswarm_channel = 'bbb'\nswarm_standby_of = '[::1]:8002'";
    assert_eq!(findings(all), [""; 0]);
    let odd = toml::from_str::<Config>("[[mount]]\nname = '/a'\nswarm_transport = 'tcp'").unwrap_err();
    assert!(odd.to_string().contains("expected `plain` or `quic`"), "{odd}");
}

#[test]
fn a_circle_of_fallbacks_is_told_once_and_shown() {
    let found = findings(
        "[[mount]]\nname='/a'\nfallback='/b'\n[[mount]]\nname='/b'\nfallback='/c'\n[[mount]]\nname='/c'\nfallback='/a'\n",
    );
    assert_eq!(found, ["error mount.0.fallback: goes round in a circle: /a → /b → /c → /a"]);
}

#[test]
fn one_fallback_for_every_mount_is_no_circle() {
    let text = "[[mount]]\nname='/*'\nfallback='/backup'\n[[mount]]\nname='/backup'\n";
    assert_eq!(findings(text), [""; 0]);
    let config: Config = toml::from_str(text).unwrap();
    assert_eq!(config.policy(&"/backup".parse().unwrap()).fallback, None);
    assert!(config.policy(&"/a".parse().unwrap()).fallback.is_some());
}

#[test]
fn no_secret_of_the_configuration_is_overlooked() {
    let config: Config = toml::from_str(
        "[auth]\nsource_password='1'\nadmin_password='2'\nrelay_password='3'\napi_token='4'\n\
         [[mount]]\nname='/a'\nsource_password='5'\nsigning_key='6'\nplay_token='8'\nswarm_token='11'\n\
         hooks={ play='http://h/', secret='9' }\n\
         [[relay]]\nfrom=['http://h/']\npassword='7'\n\
         [store]\naccess_key='a'\nsecret_key='10'\n",
    )
    .unwrap();
    let fields = [include_str!("../../config.rs"), include_str!("../mount.rs")]
        .iter()
        .map(|text| text.matches(": Option<Secret>,").count() + text.matches(": Secret;").count())
        .sum::<usize>();
    assert_eq!((config.secrets().len(), fields), (11, 11));
    let shown = toml::to_string(&config).unwrap();
    assert_eq!(shown.matches("\"***\"").count(), 11, "{shown}");
}

#[test]
fn known_passwords_warn_at_home_and_stop_in_public() {
    for weak in ["hackme", "Changeme", "admin123", "123456", "password!"] {
        let home = findings(&format!("[auth]\nsource_password = '{weak}'"));
        assert!(home[0].starts_with("warning auth.source_password"), "{home:?}");
        let text =
            format!("[http]\nlisten = ['0.0.0.0:8000']\n[[mount]]\nname = '/a'\nsource_password = '{weak}'");
        assert!(findings(&text)[0].starts_with("error mount.0.source_password"));
    }
    assert!(
        findings("[auth]\nadmin_password = '***'")[0].starts_with("error auth.admin_password: is masked")
    );
    assert_eq!(findings("[auth]\nsource_password = 'k7qf-3m9x-wd2h'"), [""; 0]);
}
