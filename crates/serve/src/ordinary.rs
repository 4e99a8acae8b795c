//! Ordinary requests: the page, the API, administration. They have a length and an end.

use crate::{
    Station,
    conn::Conn,
    front::{After, refuse},
    http::{Head, Status},
};
use std::sync::Arc;

/// Answers one ordinary request.
pub async fn answer(conn: Conn, head: Head, _station: &Arc<Station>) -> After {
    refuse(conn, head.version, Status::NOT_FOUND, "The file you requested could not be found").await
}
