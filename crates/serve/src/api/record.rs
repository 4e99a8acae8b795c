//! What is recorded, and who says so.

use super::{
    Problem,
    changes::{Done, Given, administered, given},
};
use crate::{ordinary::Caller, record::Recording};
use axum::{Json, extract::Path, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// How the recording of a mount goes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordView {
    /// Whether it is to be recorded; it is while it has a source.
    pub record: bool,
    /// The file that is written now.
    pub file: Option<String>,
    /// Files begun since the server started.
    pub files: u64,
    /// Bytes written since then.
    pub bytes: u64,
    /// Pages of the stream that the disk was too slow for.
    pub missed: u64,
    /// Why nothing is written, where that has a reason: a full disk, or a stream that the format has no place for.
    pub error: Option<String>,
}

/// Whether a mount is to be recorded.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// True begins, false ends; until the server starts anew.
    pub record: bool,
}

/// How the recording of a mount goes. For the administrator.
#[utoipa::path(get, path = "/api/v1/mounts/{name}/record", tag = "administer", params(("name" = String, Path)),
    security(("basic" = []), ("token" = [])),
    responses((status = 200, body = RecordView), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn look(caller: Caller, Path(name): Path<String>) -> Result<Json<RecordView>, Problem> {
    let recording = recording(&caller, &name).await?;
    let state = recording.state();
    Ok(Json(RecordView {
        record: recording.is_wanted(),
        file: state.file.map(|file| file.display().to_string()),
        files: state.files,
        bytes: state.bytes,
        missed: state.missed,
        error: state.error,
    }))
}

/// Begins or ends the recording of a mount whose configuration says where it goes.
#[utoipa::path(post, path = "/api/v1/mounts/{name}/record", tag = "administer", params(("name" = String, Path)),
    request_body = Wish, security(("basic" = []), ("token" = [])),
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn set(caller: Caller, Path(name): Path<String>, wish: Given<Wish>) -> Done {
    let recording = recording(&caller, &name).await?;
    recording.want(given(wish)?.record);
    Ok(StatusCode::NO_CONTENT)
}

async fn recording(caller: &Caller, name: &str) -> Result<Arc<Recording>, Problem> {
    let mount = administered(caller, name).await?;
    let found = caller.station.recordings.find(&mount.name);
    found.ok_or_else(|| Problem::not_found("the configuration says of this mount nothing about recording"))
}
