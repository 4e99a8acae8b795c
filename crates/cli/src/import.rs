//! Turns `icecast.xml` into our configuration, and says what has no counterpart.

mod mounts;
mod toml;
mod xml;

use self::{
    toml::{Document, Table, quiet},
    xml::Element,
};
use crate::config::{Complaint, Origin, line_and_column};
use std::{
    fmt::Write,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

/// `icecast.xml` as TOML, with comments.
///
/// # Errors
/// When the text is no XML, or not Icecast's.
pub fn import(text: &str, path: &Path) -> Result<String, Complaint> {
    let root = Element::parse(text).map_err(|why| {
        let (line, column) = line_and_column(text, why.0);
        Complaint::new(Origin::File(path.into(), line, column), "", format!("this is no XML: {why}"))
    })?;
    if root.name != "icecast" {
        let text = format!("this is no icecast.xml: it begins with <{}>", root.name);
        return Err(Complaint::new(Origin::File(path.into(), 1, 1), "", text));
    }
    let mut document = Document::default();
    sections(&root, &mut document);
    let mut written =
        format!("# Imported from {}.\n\n{}", quiet(&path.display().to_string()), document.text());
    let rest = root.not_understood();
    if !rest.is_empty() {
        written.push_str("\n# What has no counterpart:\n");
    }
    for (way, element) in rest {
        let why =
            REASONS.iter().find(|(name, _)| *name == element.name).map_or("not known here", |(_, why)| why);
        writeln!(written, "#   {} {}", quiet(&way), why).expect("a string takes what is written");
    }
    Ok(written)
}

fn sections(root: &Element, document: &mut Document) {
    let webroot = root.child("paths").and_then(|paths| paths.say("webroot"));
    let webroot = PathBuf::from(webroot.unwrap_or("/usr/share/icecast2/web"));
    document.add(http(root));
    document.add(auth(root));
    document.add(limits(root));
    document.add(server(root));
    document.add(every_mount(root));
    let (defaults, named): (Vec<_>, Vec<_>) =
        root.all("mount").partition(|mount| mount.attribute("type") == Some("default"));
    for mount in defaults.into_iter().chain(named) {
        document.add(mounts::mount(mount, &webroot));
    }
    document.add(master(root));
    root.all("relay").for_each(|one| document.add(relay(one)));
    for directory in root.all("directory") {
        for url in directory.all("yp-url") {
            let mut table = Table::new("[[directory]]");
            table.set("url", url.text());
            table.seconds("timeout", directory.number("yp-url-timeout"));
            document.add(table);
        }
    }
}

fn http(root: &Element) -> Table {
    let mut table = Table::new("[http]");
    let (mut listen, mut shoutcast) = (Vec::new(), Vec::new());
    let mut stream = root.say("shoutcast-mount");
    for socket in root.all("listen-socket") {
        let Some(address) = address(socket, &mut table) else { continue };
        if socket.yes("ssl").or(socket.yes("tls")) == Some(true) {
            table.note(&format!("{address} was for TLS only; here plain and TLS share every port."));
        }
        if let Some(mount) = socket.say("shoutcast-mount") {
            stream = Some(mount);
            shoutcast.push(SocketAddr::new(address.ip(), address.port().saturating_add(1)));
        }
        match socket.yes("shoutcast-compat") {
            Some(true) => shoutcast.push(address),
            _ => listen.push(address),
        }
    }
    for (key, addresses) in [("listen", listen), ("shoutcast", shoutcast)] {
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        table.set(key, Some(texts).filter(|texts| !texts.is_empty()));
    }
    table.set("shoutcast_mount", stream);
    let serves_files = root.yes("fileserve") != Some(false);
    let Some(paths) = root.child("paths") else { return table };
    let certificate = paths.say("ssl-certificate").or(paths.say("tls-certificate"));
    table.set("certificate", certificate);
    let log = root.child("logging").and_then(|logging| logging.say("accesslog"));
    if let (Some(folder), Some(file)) = (paths.say("logdir"), log) {
        table.set("access_log", Some(Path::new(folder).join(file).display().to_string()));
    }
    // Its own pages are in Debian's folder; ours need no files.
    let files = paths.say("webroot").filter(|folder| *folder != "/usr/share/icecast2/web");
    table.set("files", files.filter(|_| serves_files));
    table
}

fn address(socket: &Element, table: &mut Table) -> Option<SocketAddr> {
    let port = socket.number("port").and_then(|port| u16::try_from(port).ok())?;
    let host = socket.say("bind-address").unwrap_or("0.0.0.0");
    match host.parse::<IpAddr>() {
        Ok(ip) => Some(SocketAddr::new(ip, port)),
        Err(_) => {
            table.note(&format!("bind-address {host}: write it as a number."));
            None
        }
    }
}

fn auth(root: &Element) -> Table {
    let mut table = Table::new("[auth]");
    let Some(auth) = root.child("authentication") else { return table };
    for (theirs, ours) in [
        ("source-password", "source_password"),
        ("admin-user", "admin_user"),
        ("admin-password", "admin_password"),
        ("relay-user", "relay_user"),
        ("relay-password", "relay_password"),
    ] {
        table.set(ours, auth.say(theirs));
    }
    table
}

fn limits(root: &Element) -> Table {
    let mut table = Table::new("[limits]");
    let Some(limits) = root.child("limits") else { return table };
    table.number("listeners", limits.number("clients"));
    table.number("sources", limits.number("sources"));
    table.seconds("head_timeout", limits.number("header-timeout").filter(|time| *time > 0));
    table
}

fn server(root: &Element) -> Table {
    let mut table = Table::new("[server]");
    for name in ["hostname", "location", "admin"] {
        table.set(name, root.say(name));
    }
    table
}

/// Icecast's server-wide limits that are a mount's here.
fn every_mount(root: &Element) -> Table {
    let mut table = Table::new("[[mount]]");
    let Some(limits) = root.child("limits") else { return table };
    let timeout = limits.number("source-timeout").filter(|time| *time > 0);
    let no_burst = limits.yes("burst-on-connect") == Some(false);
    if timeout.is_some() || no_burst {
        table.set("name", Some("/*"));
        table.seconds("source_timeout", timeout);
        table.set("burst", no_burst.then_some("0s"));
    }
    table
}

fn master(root: &Element) -> Table {
    let mut table = Table::new("[[relay]]");
    let Some(host) = root.say("master-server") else { return table };
    let port = root.number("master-server-port").unwrap_or(8000);
    table.note("all mounts of the master");
    table.set("from", Some(vec![format!("http://{host}:{port}")]));
    table.seconds("every", root.number("master-update-interval").filter(|time| *time > 0));
    table.set("user", root.say("master-username"));
    table.set("password", root.say("master-password"));
    table.set("on_demand", root.yes("relays-on-demand").filter(|yes| *yes));
    table
}

fn relay(relay: &Element) -> Table {
    let mut table = Table::new("[[relay]]");
    let upstreams: Vec<_> = relay.all("upstream").collect();
    let parents = if upstreams.is_empty() { vec![relay] } else { upstreams };
    let from: Vec<String> = parents.iter().filter_map(|parent| upstream(parent, relay)).collect();
    table.set("from", Some(from).filter(|from| !from.is_empty()));
    table.set("mount", relay.say("local-mount"));
    table.set("on_demand", relay.yes("on-demand"));
    table.set("user", relay.say("username"));
    table.set("password", relay.say("password"));
    let _always = relay.say("relay-shoutcast-metadata");
    table
}

fn upstream(parent: &Element, relay: &Element) -> Option<String> {
    if let Some(uri) = parent.say("uri") {
        return Some(uri.to_owned());
    }
    let port = parent.number("port").unwrap_or(8000);
    let mount = parent.say("mount").or(relay.say("mount")).unwrap_or("/");
    Some(format!("http://{}:{port}{mount}", parent.say("server")?))
}

/// Why what has no counterpart has none.
const REASONS: &[(&str, &str)] = &[
    ("queue-size", "listeners are bounded in time here, whatever the bit rate."),
    ("burst-size", "the burst is in time here: `burst` of a mount, 4 s by default."),
    ("client-timeout", "does nothing in Icecast either."),
    ("workers", "all cores are used."),
    ("threadpool", "all cores are used."),
    ("alias", "the status page is at / without one; other aliases belong into a proxy."),
    ("allow-ip", "belongs into a firewall or proxy."),
    ("deny-ip", "belongs into a firewall or proxy."),
    ("dump-file", "`levada pull URL -o FILE` records a mount."),
    ("charset", "titles are UTF-8; older ones are recognised."),
    ("http-headers", "the usual CORS headers are always sent."),
    ("on-connect", "programs are not started; `url_auth.mount_add` tells another server."),
    ("on-disconnect", "programs are not started; `url_auth.mount_remove` tells another server."),
    ("no-yp", "say `public = false`."),
    ("subtype", "is found in the stream."),
    ("basedir", "only matters with chroot."),
    ("adminroot", "the pages are built in."),
    ("pidfile", "the system's service manager knows."),
    ("errorlog", "goes to standard error, where the service manager takes it."),
    ("playlistlog", "titles are in the log."),
    ("loglevel", "say LEVADA_LOG=warn, info or debug."),
    ("logsize", "logs are rotated by others; SIGHUP opens them anew."),
    ("logarchive", "logs are rotated by others; SIGHUP opens them anew."),
    ("security", "belongs into the service manager."),
    ("server-id", "is ours."),
];

#[cfg(test)]
mod tests;
