//! What the API changes. Each of these needs the administrator.

use super::{Destination, Problem, ReloadView, TitleView, mounts::shown};
use crate::{CannotServe, Mount, MountName, SessionId, admin, ordinary::Caller};
use axum::{
    Json,
    extract::{Path, rejection::JsonRejection},
    http::StatusCode,
};
use levada_media::Tags;
use std::sync::Arc;

pub(super) type Done = Result<StatusCode, Problem>;
pub(super) type Given<T> = Result<Json<T>, JsonRejection>;

/// Ends one listener.
#[utoipa::path(delete, path = "/api/v1/mounts/{name}/listeners/{id}", tag = "administer",
    params(("name" = String, Path), ("id" = u64, Path)), security(("basic" = []), ("token" = [])),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn kick(caller: Caller, Path((name, id)): Path<(String, String)>) -> Done {
    let mount = administered(&caller, &name).await?;
    let id = id.parse().map(SessionId).map_err(|_| Problem::bad("a listener's id is a number"))?;
    match admin::kick(&caller.station, &mount, id) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("there is no such listener")),
    }
}

/// Ends whatever feeds the mount.
#[utoipa::path(delete, path = "/api/v1/mounts/{name}/source", tag = "administer",
    params(("name" = String, Path)), security(("basic" = []), ("token" = [])),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn kill_source(caller: Caller, Path(name): Path<String>) -> Done {
    let mount = administered(&caller, &name).await?;
    match admin::kill_source(&caller.station, &mount) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("nothing feeds this mount")),
    }
}

/// Tells listeners what is playing from now on.
#[utoipa::path(post, path = "/api/v1/mounts/{name}/title", tag = "administer",
    params(("name" = String, Path)), request_body = TitleView, security(("basic" = []), ("token" = [])),
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn retitle(caller: Caller, Path(name): Path<String>, title: Given<TitleView>) -> Done {
    let mount = administered(&caller, &name).await?;
    let TitleView { title, artist, album, url } = given(title)?;
    let tidy = |text: String| admin::tidy(&text);
    let tags = Tags { title: tidy(title), artist: tidy(artist), album: tidy(album), url: tidy(url) };
    match admin::retitle(&caller.station, &mount, tags) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("nothing feeds this mount")),
    }
}

/// Sets the mount that listeners hear while this one has no source, until the configuration is read again.
#[utoipa::path(post, path = "/api/v1/mounts/{name}/fallback", tag = "administer",
    params(("name" = String, Path)), request_body = Destination, security(("basic" = []), ("token" = [])),
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn follow_up(caller: Caller, Path(name): Path<String>, to: Given<Destination>) -> Done {
    let mount = administered(&caller, &name).await?;
    let to = given(to)?.to.map(|name| name.parse::<MountName>()).transpose();
    let to = to.map_err(|why| Problem::bad(why.to_string()))?;
    if to.as_ref() == Some(&mount.name) {
        return Err(Problem::bad("a mount cannot fall back to itself"));
    }
    admin::follow_up(&caller.station, &mount, to);
    Ok(StatusCode::NO_CONTENT)
}

/// Lets the listeners of the mount hear another one from now on.
#[utoipa::path(post, path = "/api/v1/mounts/{name}/move", tag = "administer",
    params(("name" = String, Path)), request_body = Destination, security(("basic" = []), ("token" = [])),
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn move_all(caller: Caller, Path(name): Path<String>, to: Given<Destination>) -> Done {
    let mount = administered(&caller, &name).await?;
    let to = given(to)?.to.ok_or_else(|| Problem::bad("it must be said where to"))?;
    let to = shown(&caller, &to, true)?;
    if to.name == mount.name {
        return Err(Problem::bad("they are there already"));
    }
    if to.source().is_none() {
        return Err(Problem::bad("nothing feeds the destination"));
    }
    admin::move_all(&caller.station, &mount, &to);
    Ok(StatusCode::NO_CONTENT)
}

/// Reads the configuration again and puts it in force; nobody is dropped. A wrong one changes nothing.
#[utoipa::path(post, path = "/api/v1/reload", tag = "administer", security(("basic" = []), ("token" = [])),
    responses((status = 200, body = ReloadView), (status = 401, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn reload(caller: Caller) -> Result<Json<ReloadView>, Problem> {
    administrator(&caller).await?;
    match caller.station.reload().await {
        Ok(changed) => Ok(Json(ReloadView { changed: changed.iter().map(ToString::to_string).collect() })),
        Err(why @ CannotServe::Busy) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string())),
        Err(why) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why.to_string())),
    }
}

/// The mount called `name`, for the administrator and nobody else.
pub(super) async fn administered(caller: &Caller, name: &str) -> Result<Arc<Mount>, Problem> {
    administrator(caller).await?;
    shown(caller, name, true)
}

async fn administrator(caller: &Caller) -> Result<(), Problem> {
    if caller.is_foreign() {
        return Err(Problem::new(StatusCode::FORBIDDEN, "this was sent by another site's page"));
    }
    Ok(caller.administers().await?)
}

pub(super) fn given<T>(body: Given<T>) -> Result<T, Problem> {
    body.map(|Json(value)| value).map_err(|why| Problem::bad(why.body_text()))
}
