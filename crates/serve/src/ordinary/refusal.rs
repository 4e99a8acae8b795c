//! A refusal as Icecast words it: a small page with the status and one sentence.

use crate::{auth::Denied, xml::escape};
use axum::{
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A status and why.
    Because(StatusCode, String),
    /// The client may not do that.
    Denied(Denied),
}

impl Refusal {
    /// 400, and why.
    pub fn bad(why: impl Into<String>) -> Refusal {
        Refusal::Because(StatusCode::BAD_REQUEST, why.into())
    }

    /// 500, and what went wrong here.
    pub fn failed(why: impl Into<String>) -> Refusal {
        Refusal::Because(StatusCode::INTERNAL_SERVER_ERROR, why.into())
    }

    /// 404 in Icecast's words.
    pub fn not_found() -> Refusal {
        Refusal::Because(StatusCode::NOT_FOUND, "The file you requested could not be found".into())
    }

    /// 403 for what another site's page made a browser send.
    pub fn foreign() -> Refusal {
        Refusal::Because(StatusCode::FORBIDDEN, "This request was made by another site's page".into())
    }
}

impl From<Denied> for Refusal {
    fn from(why: Denied) -> Refusal {
        Refusal::Denied(why)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::Because(status, why) => {
                let (code, why) = (status.as_u16(), escape(&why));
                let page = format!(
                    "<html><head><title>Error {code}</title></head><body><b>{code} - {why}</b></body></html>\r\n"
                );
                (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
            }
            Refusal::Denied(why) => denied(why, format!("{why}\r\n")),
        }
    }
}

/// The answer to somebody who may not, with `text` as its body.
pub(crate) fn denied(why: Denied, text: String) -> Response {
    let status = StatusCode::from_u16(why.status().0).unwrap_or(StatusCode::FORBIDDEN);
    let (name, value) = why.field();
    let mut response = (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response();
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value.try_into()) {
        response.headers_mut().insert(name, value);
    }
    response
}
