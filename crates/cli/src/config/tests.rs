use super::*;
use levada_serve::Config;
use std::time::Duration;

fn layers(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> (tempfile::TempDir, Layers) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("levada.toml");
    std::fs::write(&path, file).unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let flags = flags.iter().map(|(key, value)| Flag::new("--set", key, *value)).collect();
    (folder, Layers { file: Some(path), env, flags })
}

fn complaints(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Vec<String> {
    let (folder, layers) = layers(file, env, flags);
    let trouble = match layers.read::<Config>() {
        Ok(loaded) => loaded.judge(loaded.config.findings()).unwrap_err(),
        Err(trouble) => trouble,
    };
    let folder = format!("{}/", folder.path().display());
    trouble.0.iter().map(|one| one.to_string().replace(&folder, "")).collect()
}

#[test]
fn later_layers_win_and_keep_what_they_do_not_mention() {
    let file = "[limits]\nlisteners = 5\nsources = 6\nhead_timeout = '3s'\n[auth]\nsource_user = 'dj'\n";
    let env = [
        ("LEVADA__LIMITS__SOURCES", "7"),
        ("LEVADA__AUTH__SOURCE_PASSWORD", "12345678901234"),
        ("HOME", "/"),
    ];
    let (_folder, layers) =
        layers(file, &env, &[("limits.listeners", "9"), ("http.listen", "127.0.0.1:1,[::1]:2")]);
    let config = layers.read::<Config>().unwrap().config;
    assert_eq!((config.limits.listeners, config.limits.sources), (9, 7));
    assert_eq!(config.limits.head_timeout, Duration::from_secs(3));
    assert_eq!(config.auth.source_password.unwrap().expose(), "12345678901234", "digits stay a text");
    assert_eq!(config.auth.source_user, "dj");
    assert_eq!(config.http.listen.len(), 2);
    assert_eq!(config.limits.connections, Config::default().limits.connections);
}

#[test]
fn every_type_can_be_said_without_one() {
    let (_folder, layers) = layers(
        "[[mount]]\nname = '/a'\n",
        &[
            ("LEVADA__MOUNT__0__HIDDEN", "yes"),
            ("LEVADA__MOUNT__0__LINGER", "1m 30s"),
            ("LEVADA__MOUNT__0__TAKEOVER", "replace"),
            ("LEVADA__MOUNT__1__NAME", "/b"),
            ("LEVADA__MOUNT__1__URL_AUTH", "{ listener_add = 'http://127.0.0.1/x' }"),
            ("LEVADA__LIMITS__SIBLINGS", "['http://127.0.0.1:8001/']"),
            ("LEVADA__SERVER__HOSTNAME", ""),
        ],
        &[("mount.2.name", "/c"), ("mount.2.file", "c.ogg"), ("http.trusted_proxies", "127.0.0.1, ::1")],
    );
    let config = layers.read::<Config>().unwrap().config;
    assert_eq!(config.mount.iter().map(|mount| mount.name.as_str()).collect::<Vec<_>>(), ["/a", "/b", "/c"]);
    assert_eq!((config.mount[0].hidden, config.mount[0].linger), (Some(true), Some(Duration::from_secs(90))));
    assert!(config.mount[1].url_auth.as_ref().unwrap().listener_add.is_some());
    assert_eq!((config.limits.siblings.len(), config.http.trusted_proxies.len()), (1, 2));
    assert_eq!(config.server.hostname, None, "an empty variable says nothing");
}

#[test]
fn a_complaint_names_place_key_and_the_nearest_key() {
    for (file, told) in [
        ("[http]\nlisten_ = []\n", "levada.toml:2:1: http.listen_: unknown key, did you mean \"listen\"?"),
        (
            "[limits]\n  sources = 'many'\n",
            "levada.toml:2:13: limits.sources: \"many\" is not a whole number of at least 0",
        ),
        (
            "[limits]\nsources = -1\n",
            "levada.toml:2:11: limits.sources: -1 is not a whole number of at least 0",
        ),
        (
            "[limits]\nhead_timeout = 5\n",
            "levada.toml:2:16: limits.head_timeout: 5 is not a duration such as \"10s\" or \"1m 30s\"",
        ),
        (
            "[http]\nlisten = ['127.0.0.1']\n",
            "levada.toml:2:11: http.listen.0: invalid socket address syntax",
        ),
        ("[http]\nlisten = [\n", "levada.toml:2:11: unclosed array, expected `]`"),
        (
            "[[mount]]\nname = '/a'\ntakeover = 'maybe'\n",
            "levada.toml:3:12: mount.0.takeover: unknown variant `maybe`, expected `deny` or `replace`",
        ),
        (
            "[[mount]]\nname = 'a'\n",
            "levada.toml:2:8: mount.0.name: \"a\" is no mount name or pattern: a mount name begins with a slash",
        ),
        (
            "[[mount]]\nname = '/a'\n\n[[mount]]\nname = '/a'\n",
            "levada.toml:5:8: mount.1.name: an earlier entry is named \"/a\" too",
        ),
        (
            "[[mount]]\nname = '/a'\nfallback = '/a'\n",
            "levada.toml:3:12: mount.0.fallback: leads to the mount itself",
        ),
        (
            "[[mount]]\nname = '/a'\nfallback = 'b'\n",
            "levada.toml:3:12: mount.0.fallback: a mount name begins with a slash",
        ),
        ("[[relay]]\npattern = '/*'\n", "levada.toml:1:1: relay.0: missing field `from`"),
    ] {
        assert_eq!(complaints(file, &[], &[]), [told], "{file}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let file = "[http]\nlistn = 1\n[limits]\nsources = 'x'\n[[relay]]\nfrom = 7\n";
    let told = complaints(file, &[("LEVADA__AUTH__SOURCE_PASWORD", "x")], &[("limits.drian", "1s")]);
    assert_eq!(told.len(), 5, "{told:#?}");
    assert!(told.contains(
        &"environment LEVADA__AUTH__SOURCE_PASWORD: auth.source_pasword: unknown key, did you mean \"source_password\"?"
            .to_owned()
    ));
    assert!(told.contains(&"flag --set: limits.drian: unknown key, did you mean \"drain\"?".to_owned()));
}

#[test]
fn a_secret_may_be_in_a_file_of_its_own() {
    let (folder, mut layers) = layers("", &[], &[]);
    let path = folder.path().join("secret");
    std::fs::write(&path, "k7qf-3m9x\n").unwrap();
    layers.env.insert("LEVADA__AUTH__SOURCE_PASSWORD_FILE".into(), path.display().to_string());
    let loaded = layers.read::<Config>().unwrap();
    assert_eq!(loaded.config.auth.source_password.unwrap().expose(), "k7qf-3m9x");
    layers.env.insert("LEVADA__AUTH__SOURCE_PASSWORD".into(), "other".into());
    assert!(layers.read::<Config>().unwrap_err().to_string().contains("keep one of them"));
}

#[test]
fn what_is_shown_reads_back_names_origins_and_keeps_secrets() {
    let file = "[limits]\nsources = 3\n[[mount]]\nname = '/a'\nurl_auth = { listener_add = 'http://127.0.0.1/' }\n[auth]\nsource_password = 'k7qf-3m9x'\n";
    let (folder, layers) = layers(file, &[("LEVADA__LIMITS__LISTENERS", "7")], &[("mount.1.name", "/b")]);
    let shown = show(&layers.read::<Config>().unwrap()).unwrap();
    let shown = shown.replace(&format!("{}/", folder.path().display()), "");
    for line in [
        "sources = 3  # levada.toml:2:11",
        "listeners = 7  # environment LEVADA__LIMITS__LISTENERS",
        "head_bytes = 8192  # default",
        "source_password = \"***\"  # levada.toml:7:19",
        "name = \"/b\"  # flag --set",
        "[mount.url_auth]",
    ] {
        assert!(shown.lines().any(|one| one == line), "{line}\n{shown}");
    }
    assert!(!shown.contains("k7qf"));
    let again: Config = toml::from_str(&shown).unwrap();
    assert_eq!((again.limits.sources, again.mount.len()), (3, 2));
}

#[test]
fn a_flag_finds_an_entry_by_its_name_or_makes_it() {
    let (_folder, mut layers) = layers("[[mount]]\nname = '/a'\nlinger = '1s'\n", &[], &[]);
    for name in ["/b.ogg", "/a"] {
        layers.flags.push(Flag::entry("--mount", "mount", Step::Named(name.into()), "file", "x.ogg"));
    }
    for url in ["http://127.0.0.1:1/", "http://127.0.0.1:2/"] {
        layers.flags.push(Flag::entry("--relay", "relay", Step::New, "from", url));
    }
    let config = layers.read::<Config>().unwrap().config;
    let mounts: Vec<_> =
        config.mount.iter().map(|mount| (mount.name.as_str(), mount.file.is_some())).collect();
    assert_eq!(mounts, [("/a", true), ("/b.ogg", true)]);
    assert_eq!((config.mount[0].linger, config.relay.len()), (Some(Duration::from_secs(1)), 2));
}

#[test]
fn garbage_is_told_and_never_panics() {
    let (folder, mut layers) = layers("", &[], &[]);
    let path = folder.path().join("levada.toml");
    for bytes in [
        &b"\xff\xfe"[..],
        b"a = [1,\n\xc3",
        b"[[[",
        b"a.b.c = 1e999999",
        b"mount = 3",
        b"mount = [1, 2]",
        b"http = []",
    ] {
        std::fs::write(&path, bytes).unwrap();
        assert!(layers.read::<Config>().is_err(), "{bytes:?}");
    }
    layers.file = Some(folder.path().join("none.toml"));
    assert!(layers.read::<Config>().unwrap_err().to_string().contains("none.toml cannot be read"));
    layers.file = None;
    for (name, value) in
        [("LEVADA__", "x"), ("LEVADA____", "x"), ("LEVADA__MOUNT__9__NAME", "/x"), ("LEVADA__MOUNT", "[")]
    {
        layers.env = [(name.to_owned(), value.to_owned())].into();
        assert!(layers.read::<Config>().is_err(), "{name}");
    }
}
