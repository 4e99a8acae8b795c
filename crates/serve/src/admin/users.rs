//! `/admin/manageauth`: who is in a mount's file of users.

use super::{
    Params,
    commands::{Outcome, known, needed, xml},
};
use crate::{
    ordinary::{Caller, Refusal},
    xml::Xml,
};
use std::path::Path;

/// Lists the users, adds one or deletes one.
pub(super) fn manage(caller: &Caller, params: &Params) -> Outcome {
    let mount = known(caller, params)?;
    let policy = mount.policy();
    let path = policy.htpasswd.as_deref().ok_or_else(missing)?;
    let message = match params.text("action").as_deref() {
        Some("add") => Some(add(caller, params, path)?),
        Some("delete") => Some(delete(caller, params, path)?),
        _ => None,
    };
    let doc = Xml::new()
        .open("icestats")
        .open_with("source", "mount", mount.name.as_str())
        .each(caller.station.auth.users(path), |xml, user| {
            xml.open("User").leaf("username", user).close("User")
        })
        .close("source")
        .each(message, |xml, message| xml.open("iceresponse").leaf("message", message).close("iceresponse"))
        .close("icestats");
    Ok(xml(doc.end()))
}

fn add(caller: &Caller, params: &Params, path: &Path) -> Result<&'static str, Refusal> {
    let user = user(params)?;
    let password = needed(params, "password").map_err(|_| missing())?;
    match caller.station.auth.add_user(path, &user, &password) {
        Ok(true) => Ok("User added"),
        Ok(false) => Ok("User already exists - not added"),
        Err(why) => Err(Refusal::failed(format!("User add failed: {why}"))),
    }
}

fn delete(caller: &Caller, params: &Params, path: &Path) -> Result<&'static str, Refusal> {
    match caller.station.auth.remove_user(path, &user(params)?) {
        Ok(_) => Ok("User deleted"),
        Err(why) => Err(Refusal::failed(format!("User delete failed: {why}"))),
    }
}

/// A name that can stand in a line of the file.
fn user(params: &Params) -> Result<String, Refusal> {
    let user = needed(params, "username").map_err(|_| missing())?;
    let odd = |c: char| c.is_control() || c == ':';
    if user.len() > LONGEST || user.starts_with('#') || user.trim() != user || user.contains(odd) {
        return Err(Refusal::bad("that is no name for a user"));
    }
    Ok(user)
}

/// Icecast writes these words in lower case here, and in upper case elsewhere.
fn missing() -> Refusal {
    Refusal::bad("missing parameter")
}

const LONGEST: usize = 128;
