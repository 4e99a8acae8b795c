//! Icecast's administration: the commands below `/admin/`, their words and their XML.
//!
//! They change things by GET, as their callers expect; what keeps another site's page from making a browser do so is
//! that such requests are refused by where they say they come from.

mod acts;
mod charset;
mod commands;
mod params;
mod users;

pub(crate) use acts::{follow_up, kick, kill_source, move_all, retitle};
pub use charset::{decode, tidy};
pub use params::Params;

use crate::{
    MountName,
    auth::Asks,
    ordinary::{Caller, Refusal},
};
use axum::{
    extract::{Path, Request},
    http::Method,
    response::{IntoResponse, Redirect, Response},
};
use commands::{COMMANDS, Command, Does, metadata};

/// Who may give a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admits {
    /// Everybody.
    All,
    /// The administrator.
    Admin,
    /// The administrator, and relays.
    Relay,
    /// The administrator, and whoever may feed the mount that it is about.
    Source,
}

/// `/admin/…`: one command. What Icecast shows as a page (`.xsl`) is on ours.
pub async fn command(
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let plain = name.strip_suffix(".xsl").unwrap_or(&name);
    let found = COMMANDS.iter().find(|command| command.names.contains(&plain));
    let command = found.ok_or_else(|| Refusal::bad("Unrecognised command"))?;
    let understood = [Method::GET, Method::POST].contains(request.method());
    if !(understood || request.method() == Method::HEAD && command.does == Does::Tell) {
        return Err(Refusal::bad("unknown request"));
    }
    if plain != name && command.does == Does::Tell {
        return Ok(Redirect::to("/").into_response());
    }
    if caller.is_foreign() {
        return Err(Refusal::foreign());
    }
    let params = Params::of(request).await;
    admit(&caller, command, &params).await?;
    if command.does != Does::Work {
        return (command.run)(&caller, &params);
    }
    let run = command.run;
    let working = tokio::task::spawn_blocking(move || run(&caller, &params));
    working.await.unwrap_or_else(|_| Err(Refusal::failed("the command did not come to its end")))
}

/// `/admin.cgi?pass=…&mode=updinfo&song=…`: how SHOUTcast sources tell their titles. They cannot name a mount.
pub async fn shoutcast(caller: Caller, request: Request) -> Result<Response, Refusal> {
    let params = Params::of(request).await;
    let password = params.text("pass").ok_or_else(|| Refusal::bad("missing pass parameter"))?;
    let config = caller.station.config();
    let mount = match params.text("mount") {
        Some(name) => name.parse().map_err(|_| Refusal::bad("Source does not exist"))?,
        None => config.http.shoutcast_mount.clone(),
    };
    let policy = config.policy(&mount);
    let user = policy.source_user.as_ref().unwrap_or(&config.auth.source_user);
    caller.may_as(Asks::Titles(&mount), user, &password).await?;
    metadata(&caller, &params.with("mount", mount.as_str())).map(IntoResponse::into_response)
}

async fn admit(caller: &Caller, command: &Command, params: &Params) -> Result<(), Refusal> {
    let config = caller.station.config();
    let mount: Option<MountName> = params.text("mount").and_then(|name| name.parse().ok());
    let asks = match (command.admits, &mount) {
        (Admits::All, _) => return Ok(()),
        (Admits::Relay, _) if caller.user() == config.auth.relay_user => Asks::Relay,
        (Admits::Source, Some(mount)) if !caller.calls_itself_admin(&config) => Asks::Titles(mount),
        _ => Asks::Admin,
    };
    Ok(caller.may(asks).await?)
}
