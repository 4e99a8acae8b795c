//! From what was typed to the configuration of a server.

use super::Serve;
use crate::config::{Complaint, Flag, Layers, Loaded, Origin, Step, Trouble};
use levada_serve::Config;

impl Serve {
    /// The layers of the configuration; they are read anew at every reload.
    pub(super) fn layers(&self) -> Layers {
        let mut flags = Vec::new();
        let list = |values: Vec<String>| toml::Value::from(values).to_string();
        for (name, key, addresses) in [
            ("--http", "http.listen", &self.http),
            ("--shoutcast", "http.shoutcast", &self.shoutcast),
            ("--rtmp", "rtmp.listen", &self.rtmp),
            ("--webrtc", "webrtc.listen", &self.webrtc),
            ("--rooms", "rooms.listen", &self.rooms),
        ] {
            if !addresses.is_empty() {
                let texts = addresses.iter().map(ToString::to_string).collect();
                flags.push(Flag::new(name, key, list(texts)));
            }
        }
        for (name, key, path) in [
            ("--cert", "http.certificate", &self.cert),
            ("--key", "http.key", &self.key),
            ("--state", "server.state", &self.state),
        ] {
            flags.extend(path.as_ref().map(|path| Flag::new(name, key, path.to_string_lossy())));
        }
        for mount in &self.mount {
            let entry = Step::Named(mount.name.to_string());
            flags.push(Flag::entry("--mount", "mount", entry, "file", mount.file.to_string_lossy()));
        }
        for url in &self.relay {
            flags.push(Flag::entry("--relay", "relay", Step::New, "from", list(vec![url.to_string()])));
        }
        flags.extend(self.set.iter().map(|set| Flag::new("--set", &set.key, &set.value)));
        Layers { file: self.config.clone(), env: environment(), flags }
    }
}

/// Reads a server's configuration and looks whether it can be meant; what is odd, but no error, comes with it.
///
/// # Errors
/// Everything that is wrong, with its place.
pub fn read(layers: &Layers) -> Result<(Loaded<Config>, Vec<Complaint>), Trouble> {
    let loaded = layers.read::<Config>()?;
    let mut odd = loaded.judge(loaded.config.findings())?;
    odd.extend(open_secret(&loaded));
    Ok((loaded, odd))
}

/// A password in a file that everybody on this machine can read; told once, however many there are.
fn open_secret(loaded: &Loaded<Config>) -> Option<Complaint> {
    use std::os::unix::fs::PermissionsExt;
    let secrets = loaded.config.secrets();
    let mut plain = secrets.iter().filter(|(_, secret)| !secret.is_hash());
    plain.find_map(|(key, _)| {
        let origin = loaded.origin(&key.split('.').collect::<Vec<_>>());
        let Origin::File(path, ..) = &origin else { return None };
        let open = std::fs::metadata(path).ok()?.permissions().mode() & 0o004 != 0;
        let text = "everybody on this machine can read this file, and it holds passwords";
        open.then(|| Complaint::new(origin.clone(), key, text))
    })
}

/// Variables that are no text are none of ours.
fn environment() -> std::collections::BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("LEVADA__"))
        .collect()
}
