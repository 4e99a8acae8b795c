//! Icecast's mounts, and who may listen to them.

use super::{toml::Table, xml::Element};
use std::path::Path;
use toml::{Value, map::Map};

/// One `<mount>`. `webroot` is where Icecast looks for its files.
pub fn mount(mount: &Element, webroot: &Path) -> Table {
    let mut table = Table::new("[[mount]]");
    if mount.attribute("type") == Some("default") {
        table.note("Icecast uses its default mount instead of a mount's own entry; here the entries below refine it.");
        table.set("name", Some("/*"));
        let _nameless = mount.say("mount-name");
    } else {
        table.set("name", mount.say("mount-name"));
    }
    table.set("source_user", mount.say("username"));
    table.set("source_password", mount.say("password"));
    table.number("max_listeners", mount.number("max-listeners").filter(|most| *most > 0));
    table.seconds("max_listener_duration", mount.number("max-listener-duration").filter(|time| *time > 0));
    table.seconds("source_timeout", mount.number("source-timeout").filter(|time| *time > 0));
    fallback(mount, &mut table);
    let below = |path: &str| webroot.join(path.trim_start_matches('/')).display().to_string();
    table.set("intro", mount.say("intro").map(below));
    table.set("hidden", mount.yes("hidden"));
    match mount.say("public") {
        None | Some("-1") => {}
        Some(said) => table.set("public", Some(said == "1")),
    }
    for (theirs, ours) in [
        ("stream-name", "stream_name"),
        ("stream-description", "description"),
        ("stream-url", "url"),
        ("genre", "genre"),
        ("bitrate", "bitrate"),
        ("type", "content_type"),
    ] {
        table.set(ours, mount.say(theirs));
    }
    let interval = mount.number("icy-metadata-interval").or(mount.number("mp3-metadata-interval"));
    table.number("icy_metaint", interval.filter(|bytes| *bytes > 0));
    mount.all("authentication").for_each(|auth| authentication(auth, &mut table));
    table
}

/// Whether listeners come back has the opposite default in Icecast.
fn fallback(mount: &Element, table: &mut Table) {
    let target = mount.say("fallback-mount");
    table.set("fallback", target);
    let comes_back = mount.yes("fallback-override").or(target.map(|_| false));
    table.set("fallback_override", comes_back);
    table.set("fallback_when_full", mount.yes("fallback-when-full"));
}

fn authentication(auth: &Element, table: &mut Table) {
    let options: Vec<_> = auth.all("option").collect();
    let option = |name: &str| {
        let named = options.iter().find(|option| option.attribute("name") == Some(name));
        named.and_then(|option| option.attribute("value")).filter(|value| !value.is_empty())
    };
    match auth.attribute("type") {
        Some("htpasswd") => {
            table.set("htpasswd", option("filename"));
            if option("allow_duplicate_users").is_some_and(|value| value != "0") {
                table.note("allow_duplicate_users: several listeners may share a user here.");
            }
        }
        Some("url") => table.set("url_auth", Some(Value::Table(hooks(&option)))),
        other => table.note(&format!("listeners' authentication of type {other:?} has no counterpart.")),
    }
}

fn hooks<'a>(option: &impl Fn(&str) -> Option<&'a str>) -> Map<String, Value> {
    let mut hooks = Map::new();
    for name in ["listener_add", "listener_remove", "stream_auth", "mount_add", "mount_remove"] {
        if let Some(url) = option(name) {
            hooks.insert(name.into(), with_login(url, option("username"), option("password")).into());
        }
    }
    for name in ["auth_header", "timelimit_header", "header_prefix"] {
        if let Some(value) = option(name) {
            hooks.insert(name.into(), value.into());
        }
    }
    if let Some(list) = option("headers") {
        let names = list.split(',').map(|name| Value::from(name.trim()));
        hooks.insert("headers".into(), Value::Array(names.collect()));
    }
    hooks
}

/// Icecast names user and password beside the address; here they are in it.
fn with_login(text: &str, user: Option<&str>, password: Option<&str>) -> String {
    let Ok(mut url) = text.parse::<url::Url>() else { return text.into() };
    if let Some(user) = user {
        let _cannot = url.set_username(user);
        let _cannot = url.set_password(password);
    }
    url.into()
}
