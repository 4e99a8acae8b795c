use super::*;
use levada_serve::Config;
use std::time::Duration;

fn read(xml: &str) -> (Config, String) {
    let text = import(xml, Path::new("icecast.xml")).unwrap();
    (::toml::from_str(&text).unwrap_or_else(|why| panic!("{why}\n{text}")), text)
}

#[test]
fn everything_with_a_counterpart_is_taken_over() {
    let (config, text) = read(include_str!("fixture.xml"));
    let addresses: Vec<String> = config.http.listen.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["0.0.0.0:8000", "127.0.0.1:8443", "[::1]:8010"]);
    assert_eq!(config.http.shoutcast, ["0.0.0.0:8001".parse().unwrap()]);
    assert_eq!(config.http.shoutcast_mount.as_str(), "/live.mp3");
    assert_eq!(config.http.certificate.as_deref(), Some(Path::new("/etc/icecast2/bundle.pem")));
    assert_eq!(config.http.access_log.as_deref(), Some(Path::new("/var/log/icecast2/access.log")));
    assert_eq!(config.http.files.as_deref(), Some(Path::new("/srv/radio/web")));
    let secret = |secret: &Option<levada_serve::config::Secret>| secret.as_ref().unwrap().expose().to_owned();
    assert_eq!(secret(&config.auth.source_password), "s&cret <1>");
    assert_eq!(
        (config.auth.admin_user.as_str(), secret(&config.auth.relay_password)),
        ("boss", "r3lay".into())
    );
    assert_eq!((config.limits.listeners, config.limits.sources), (5_000, 12));
    assert_eq!(config.limits.head_timeout, Duration::from_secs(15));
    assert_eq!(config.server.hostname.as_deref(), Some("radio.example.org"));
    assert_eq!((config.server.location.as_str(), config.server.admin.as_str()), ("Cellar", "me@example.org"));

    let names: Vec<&str> = config.mount.iter().map(|mount| mount.name.as_str()).collect();
    assert_eq!(names, ["/*", "/*", "/main.ogg", "/backup.ogg", "/members.mp3"]);
    let main = config.policy(&"/main.ogg".parse().unwrap());
    assert_eq!((main.source_user.as_deref(), main.max_listeners), (Some("dj"), Some(100)));
    assert_eq!(main.fallback.as_ref().unwrap().as_str(), "/backup.ogg");
    assert!(!main.fallback_override && main.fallback_when_full && main.hidden);
    assert_eq!(main.max_listener_duration, Some(Duration::from_secs(3600)), "the default mount's");
    assert_eq!(main.source_timeout, Duration::from_secs(20));
    assert_eq!((main.public, main.icy_metaint), (Some(true), 8_192));
    assert_eq!(main.intro.as_deref(), Some(Path::new("/srv/radio/web/intro.ogg")));
    let backup = config.policy(&"/backup.ogg".parse().unwrap());
    assert_eq!(backup.htpasswd.as_deref(), Some(Path::new("/etc/icecast2/users")));
    let hooks = config.policy(&"/members.mp3".parse().unwrap()).url_auth.unwrap();
    assert_eq!(hooks.listener_add.unwrap().as_str(), "http://u:p@127.0.0.1/in.php");
    assert_eq!(
        (hooks.headers, hooks.auth_header.as_str()),
        (vec!["cookie".into(), "x-token".into()], "X-Ok: 1")
    );

    assert_eq!(config.relay.len(), 3);
    assert_eq!(config.relay[0].from[0].as_str(), "http://master.example.org:8001/");
    assert_eq!((config.relay[0].every, config.relay[0].on_demand), (Duration::from_secs(60), true));
    assert_eq!(config.relay[1].from[0].as_str(), "http://192.0.2.7:8080/example.ogg");
    assert_eq!(config.relay[1].mount.as_ref().unwrap().as_str(), "/different.ogg");
    assert_eq!(config.relay[2].from.len(), 2);
    assert_eq!(config.directory[0].url.as_str(), "http://dir.example.org/cgi-bin/yp-cgi");
    assert_eq!(config.directory[0].timeout, Duration::from_secs(15));

    for told in [
        "#   <limits><queue-size> listeners are bounded in time here",
        "#   <mount><dump-file> `levada pull",
        "#   <security> belongs into the service manager.",
        "#   <novelty> not known here",
        "# 127.0.0.1:8443 was for TLS only",
    ] {
        assert!(text.contains(told), "{told}\n{text}");
    }
    assert!(!text.contains("<webroot>") && !text.contains("<mount-name>"));
}

#[test]
fn debians_file_is_imported_and_its_passwords_are_named() {
    let path = Path::new("/etc/icecast2/icecast.xml");
    let Ok(xml) = std::fs::read_to_string(path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let text = import(&xml, path).unwrap();
    let config: Config = ::toml::from_str(&text).unwrap();
    assert_eq!(config.http.listen, ["0.0.0.0:8000".parse().unwrap()]);
    let weak: Vec<String> = config.findings().into_iter().map(|finding| finding.key).collect();
    assert_eq!(weak, ["auth.source_password", "auth.admin_password", "auth.relay_password"]);
}

#[test]
fn other_files_are_refused_with_their_place() {
    for (text, told) in [
        ("<icecast>\n  <limits>\n</icecast>", "icecast.xml:3:"),
        ("<icecast>", "the file ends in the middle"),
        ("", "there is no element"),
        ("<html></html>", "begins with <html>"),
        ("{}", "there is no element"),
        (&"<a>".repeat(100_000), "nested too deeply"),
    ] {
        let why = import(text, Path::new("icecast.xml")).unwrap_err().to_string();
        assert!(why.contains(told), "{why}");
    }
}

#[test]
fn what_is_imported_cannot_leave_its_place() {
    let (config, text) =
        read("<icecast><location>a\"\n[limits]\nsources = 1</location><x\u{85}y>\n</x\u{85}y></icecast>");
    assert_eq!(config.server.location, "a\"\n[limits]\nsources = 1");
    assert_eq!(config.limits.sources, Config::default().limits.sources, "{text}");
}
