//! Passwords for a server that nobody gave any: made at its first start, shown once, kept as hashes.

use crate::{
    config::{Complaint, Loaded, Node, Origin, Trouble, Value},
    output::Console,
};
use levada_serve::{
    Config,
    auth::{Role, Stored, make_password},
    config::Secret,
};
use std::{
    fmt::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The passwords that the configuration does not name.
pub struct Passwords {
    stored: Stored,
    folder: PathBuf,
    /// Made in this run and not shown yet.
    made: Vec<(Role, String)>,
    /// Could not be kept: good for this run only.
    fleeting: Vec<(Role, Secret)>,
}

impl Passwords {
    /// Those kept in `folder`.
    pub fn at(folder: &Path) -> Passwords {
        let folder = folder.to_owned();
        Passwords { stored: Stored::at(&folder), folder, made: Vec::new(), fleeting: Vec::new() }
    }

    /// Fills in what the configuration leaves out, with what was kept.
    ///
    /// # Errors
    /// When a kept hash cannot be read.
    pub fn fill(&self, loaded: &mut Loaded<Config>) -> Result<(), Trouble> {
        for role in ROLES {
            if slot(&mut loaded.config, role).is_some() {
                continue;
            }
            let path = self.stored.path(role);
            let origin = Origin::State(path.as_path().into());
            let kept = self.stored.read(role).map_err(|why| {
                Complaint::new(origin.clone(), key(role), format!("the kept hash cannot be read: {why}"))
            })?;
            let fleeting =
                self.fleeting.iter().find(|(whose, _)| *whose == role).map(|(_, secret)| secret.clone());
            let Some(secret) = kept.or(fleeting) else { continue };
            let node = Node { value: Value::Text(secret.expose().to_owned()), origin };
            let way: Vec<&str> = key(role).split('.').collect();
            let _fits = loaded.said.set(&way, node);
            *slot(&mut loaded.config, role) = Some(secret);
        }
        Ok(())
    }

    /// The same for a later reading of the configuration.
    pub fn kept(&self) -> Passwords {
        Passwords {
            made: Vec::new(),
            fleeting: self.fleeting.clone(),
            folder: self.folder.clone(),
            stored: self.stored.clone(),
        }
    }

    /// Whether every password is there; a server that runs makes no new ones.
    ///
    /// # Errors
    /// When one is missing.
    pub fn complete(&self, loaded: &Loaded<Config>) -> Result<(), Trouble> {
        let auth = &loaded.config.auth;
        for (role, secret) in [(Role::Source, &auth.source_password), (Role::Admin, &auth.admin_password)] {
            if secret.is_none() {
                let text = "is gone, and none was made at a first start; set one, or start anew";
                return Err(Complaint::new(Origin::Default, key(role), text).into());
            }
        }
        Ok(())
    }

    /// Makes what is still missing. Where it cannot be kept, it is good for this run only.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn make(&mut self, config: &mut Config) -> std::io::Result<()> {
        for role in ROLES {
            if slot(config, role).is_some() {
                continue;
            }
            let (password, hash) = make_password()?;
            if let Err(why) = self.stored.keep(role, &hash) {
                tracing::warn!(folder = %self.folder.display(), %why, "a made password is good for this run only");
                self.fleeting.push((role, hash.clone()));
            }
            *slot(config, role) = Some(hash);
            self.made.push((role, password));
        }
        Ok(())
    }

    /// Forgets what was made: the server did not start, and nobody has seen it.
    pub fn unmake(&mut self) {
        for (role, _) in self.made.drain(..) {
            let _never_kept = self.stored.forget(role);
        }
    }

    /// Shows what was made, once, with lines to paste. Quiet or not: there is no second time.
    pub fn show(&mut self, config: &Config, address: Option<&SocketAddr>, console: Console) {
        let made = std::mem::take(&mut self.made);
        if made.is_empty() {
            return;
        }
        if console.json() {
            let said = made.iter().map(|(role, password)| (key(*role).to_owned(), password.clone().into()));
            let said: serde_json::Map<String, serde_json::Value> = said.collect();
            console.statistics(&said, false);
            return;
        }
        let mut text = String::new();
        let kept = if self.fleeting.is_empty() {
            format!("only their hashes are kept, in {}", self.folder.display())
        } else {
            "they could not be kept and are good for this run only".into()
        };
        let _string =
            write!(text, "\nNobody set passwords, so they were made. They are shown this once; {kept}.\n\n");
        for (role, password) in &made {
            let (name, user) = match role {
                Role::Source => ("source", &config.auth.source_user),
                Role::Admin => ("admin", &config.auth.admin_user),
            };
            let _string = writeln!(text, "  {name:<7} user {user}, password {password}");
        }
        let source = made.iter().find(|(role, _)| *role == Role::Source);
        if let (Some((_, password)), Some(address)) = (source, address) {
            text.push_str(&recipes(&config.auth.source_user, password, &reachable(config, address)));
        }
        eprintln!("{text}");
    }
}

/// Lines to paste into the programs that people use.
fn recipes(user: &str, password: &str, host: &str) -> String {
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "8000"));
    format!(
        "
Ready to paste:
  levada  levada push --loop clip.ogg icecast://{user}:{password}@{host}/live.ogg
  ffmpeg  ffmpeg -re -i input.mp3 -c copy -f mp3 -content_type audio/mpeg icecast://{user}:{password}@{host}/live.mp3
  VLC     cvlc input.ogg --sout '#std{{access=shout,mux=ogg,dst={user}:{password}@{host}/live.ogg}}'
  OBS     Settings, Output, Recording, type Custom Output (FFmpeg), to URL
          icecast://{user}:{password}@{host}/live.webm
          container webm, muxer settings content_type=video/webm
  BUTT    Settings, Server, Add: type Icecast, address {name}, port {port}, password {password},
          mountpoint live.mp3, user {user}
Then listen to http://{host}/live.mp3
"
    )
}

/// The address as a person would type it.
fn reachable(config: &Config, address: &SocketAddr) -> String {
    match &config.server.hostname {
        Some(name) => format!("{name}:{}", address.port()),
        None if address.ip().is_unspecified() => format!("localhost:{}", address.port()),
        None => address.to_string(),
    }
}

/// Where state is kept when nobody says: what the service manager gives, or the user's own state directory.
pub fn default_folder() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let managed = from("STATE_DIRECTORY");
    let xdg = from("XDG_STATE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("levada"));
    let home = from("HOME").map(|home| home.join(".local/state/levada"));
    managed.or(xdg).or(home).unwrap_or_else(|| "levada-state".into())
}

fn slot(config: &mut Config, role: Role) -> &mut Option<Secret> {
    match role {
        Role::Source => &mut config.auth.source_password,
        Role::Admin => &mut config.auth.admin_password,
    }
}

fn key(role: Role) -> &'static str {
    match role {
        Role::Source => "auth.source_password",
        Role::Admin => "auth.admin_password",
    }
}

const ROLES: [Role; 2] = [Role::Source, Role::Admin];
