//! Scripts, styles and pictures of the page, part of the program, compressed once.

use crate::ordinary::Refusal;
use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use rust_embed::RustEmbed;
use std::{
    collections::HashMap,
    io::Write,
    sync::{Mutex, PoisonError},
};

#[derive(RustEmbed)]
#[folder = "../../web"]
struct Web;

#[derive(Clone)]
struct Asset {
    plain: Bytes,
    zipped: Bytes,
    tag: String,
}

/// Answers with the asset at `path`, or says that there is none.
pub(super) fn answer(path: &str, headers: &HeaderMap) -> Response {
    let Some(asset) = find(path) else { return Refusal::not_found().into_response() };
    let said = |name: header::HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    if said(header::IF_NONE_MATCH).contains(&asset.tag) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let zip = said(header::ACCEPT_ENCODING).contains("gzip") && asset.zipped.len() < asset.plain.len();
    let about = [
        (header::CONTENT_TYPE, content_type(path).to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::VARY, "Accept-Encoding".to_owned()),
        (header::ETAG, asset.tag),
    ];
    match zip {
        true => (about, [(header::CONTENT_ENCODING, "gzip")], asset.zipped).into_response(),
        false => (about, asset.plain).into_response(),
    }
}

/// The asset, compressed when it was first asked for. As many as the program carries.
fn find(path: &str) -> Option<Asset> {
    static KNOWN: Mutex<Option<HashMap<String, Asset>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(asset) = known.get(path) {
        return Some(asset.clone());
    }
    let file = Web::get(path)?;
    let tag: String = file.metadata.sha256_hash().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let plain = Bytes::from(file.data.into_owned());
    let asset = Asset { zipped: zip(&plain), plain, tag: format!("\"{tag}\"") };
    known.insert(path.to_owned(), asset.clone());
    Some(asset)
}

fn zip(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.map(Bytes::from).unwrap_or_else(|_| Bytes::copy_from_slice(plain))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_page_weighs_less_than_sixty_kilobytes() {
        let first = [
            "page.css",
            "page.js",
            "player.js",
            "ladder.js",
            "ways.js",
            "clock.js",
            "chart.js",
            "relays.js",
            "icon.svg",
        ];
        let weight: usize = first.iter().map(|path| find(path).unwrap().zipped.len()).sum();
        assert!(weight < 30_000, "{weight}");
        let chart = find("vendor/uplot/uPlot.iife.min.js").unwrap().zipped.len();
        assert!(weight + chart < 60_000, "{weight} + {chart}");
    }

    #[test]
    fn what_plays_video_is_there_with_its_licence() {
        for path in ["vendor/hls/hls.light.min.mjs", "vendor/mpegts/mpegts.js"] {
            let asset = find(path).unwrap();
            assert!(
                asset.zipped.len() * 2 < asset.plain.len()
                    && content_type(path).starts_with("text/javascript")
            );
            assert!(find(&format!("{}/LICENSE", path.rsplit_once('/').unwrap().0)).is_some(), "{path}");
        }
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let tag = find("page.js").unwrap().tag;
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, tag.parse().unwrap());
        assert_eq!(answer("page.js", &headers).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(answer("../Cargo.toml", &headers).status(), StatusCode::NOT_FOUND);
    }
}
