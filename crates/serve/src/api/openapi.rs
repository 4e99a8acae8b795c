//! The API's description (OpenAPI 3.1), made from the handlers and the types themselves.

use super::{changes, mounts, record};
use std::sync::LazyLock;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};

/// The document.
pub fn description() -> &'static str {
    &TEXT
}

#[derive(OpenApi)]
#[openapi(
    info(title = "levada", description = "Mounts, listeners, titles and relays of a levada server."),
    paths(
        mounts::server,
        mounts::list,
        mounts::one,
        mounts::history,
        mounts::listeners,
        mounts::relays,
        changes::kick,
        changes::kill_source,
        changes::retitle,
        changes::follow_up,
        changes::move_all,
        changes::reload,
        record::look,
        record::set,
        crate::events::follow,
    ),
    modifiers(&Credentials)
)]
struct Description;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        for (name, scheme) in [("basic", HttpAuthScheme::Basic), ("token", HttpAuthScheme::Bearer)] {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
        }
    }
}

static TEXT: LazyLock<String> =
    LazyLock::new(|| Description::openapi().to_pretty_json().expect("a description is plain data"));
