//! An error as RFC 9457 writes it: `application/problem+json`.

use crate::{auth::Denied, ordinary};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// The status as a number.
    pub status: u16,
    /// The status in words.
    pub title: &'static str,
    /// One sentence for whoever can act.
    pub detail: String,
    #[serde(skip)]
    #[schema(ignore)]
    denied: Option<Denied>,
}

impl Problem {
    /// A problem of `status`.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or("Unknown");
        Problem { status: status.as_u16(), title, detail: detail.into(), denied: None }
    }

    /// 400.
    pub fn bad(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }
}

impl From<Denied> for Problem {
    fn from(why: Denied) -> Problem {
        let status = StatusCode::from_u16(why.status().0).unwrap_or(StatusCode::FORBIDDEN);
        Problem { denied: Some(why), ..Problem::new(status, why.to_string()) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let text = serde_json::to_string(&self).unwrap_or_default();
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = match self.denied {
            Some(why) => ordinary::denied(why, text),
            None => (status, text).into_response(),
        };
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
