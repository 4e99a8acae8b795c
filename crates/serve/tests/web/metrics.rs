//! `/metrics`, read by a parser that takes nothing but the format.

use crate::kit::{Rig, mp3};
use anyhow::{Context, Result, bail, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Samples by name and labels.
type Samples = BTreeMap<String, f64>;

/// Reads the text format 0.0.4: each family has its help and its type once and before its samples, which stand
/// together; names and labels have their grammar; no sample is there twice.
fn parse(text: &str) -> Result<Samples> {
    let (mut samples, mut families, mut current) =
        (Samples::new(), BTreeSet::new(), None::<(String, String)>);
    let mut helped = None;
    ensure!(text.ends_with('\n'), "the last line has no end");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').context("help without text")?;
            ensure!(
                families.insert(name.to_owned()) && !help.is_empty(),
                "{name} comes twice or without help"
            );
            helped = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').context("type without kind")?;
            ensure!(
                helped.as_deref() == Some(name) && ["counter", "gauge", "histogram"].contains(&kind),
                "{line}"
            );
            ensure!(name.ends_with("_total") == (kind == "counter"), "{line}");
            current = Some((name.to_owned(), kind.to_owned()));
        } else {
            let (name, kind) =
                current.as_ref().with_context(|| format!("a sample before its type: {line}"))?;
            let (key, value) = line.rsplit_once(' ').context("a sample without value")?;
            let labels =
                key.strip_prefix(name.as_str()).with_context(|| format!("{line} is not of {name}"))?;
            let part = ["_bucket", "_sum", "_count"].iter().find_map(|part| labels.strip_prefix(part));
            ensure!(part.is_some() == (kind == "histogram"), "{line}");
            let labels = part.unwrap_or(labels);
            check_labels(labels).with_context(|| line.to_owned())?;
            ensure!(samples.insert(key.to_owned(), value.parse()?).is_none(), "{key} comes twice");
        }
    }
    Ok(samples)
}

fn check_labels(text: &str) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).context("no braces")?;
    for label in inner.split("\",") {
        let (name, value) = label.split_once("=\"").context("no value")?;
        ensure!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !name.is_empty(), "label {name}");
        if value.trim_end_matches('"').contains(['"', '\n']) {
            bail!("unescaped {value}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_what_a_strict_parser_takes_and_counts_what_happened() -> Result<()> {
    let rig = Rig::start("[limits]\nsources = 1\n[[mount]]\nname = '/h'\nhidden = true\n").await?;
    let _source = rig.feed("/m.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let _listener = rig.listen("/m.mp3").await?;
    rig.admin("/admin/metadata?mount=/m.mp3&mode=updinfo&song=x").await?;
    rig.get("/admin/stats").await?;
    ensure!(crate::kit::put(rig.address, "/n.mp3", "Content-Type: audio/mpeg\r\n", b"").await.is_err());
    let reply = rig.get("/metrics").await?;
    ensure!(reply.field("content-type") == Some("text/plain; version=0.0.4; charset=utf-8"), "{reply:?}");
    let samples = parse(&reply.text())?;
    for (name, value) in [
        ("levada_listeners", 1.0),
        ("levada_sources", 1.0),
        ("levada_mount_up{mount=\"/m.mp3\"}", 1.0),
        ("levada_mount_listeners{mount=\"/m.mp3\"}", 1.0),
        ("levada_mount_received_bytes_total{mount=\"/m.mp3\"}", 50.0 * 417.0),
        ("levada_mount_titles_total{mount=\"/m.mp3\"}", 1.0),
        ("levada_mount_listener_sessions_total{mount=\"/m.mp3\"}", 1.0),
        ("levada_refusals_total{reason=\"source\"}", 1.0),
        ("levada_refusals_total{reason=\"credentials\"}", 1.0),
        ("levada_requests_total", 3.0),
        ("levada_mount_received_frames_total{mount=\"/m.mp3\"}", 50.0),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name}");
    }
    let of = |name: &str, rest: &str| samples[&format!("levada_mount_{name}{{mount=\"/m.mp3\"{rest}}}")];
    ensure!(of("sent_frames_total", "") >= 1.0, "{samples:?}");
    let all = of("arrival_gap_seconds_count", "");
    assert_eq!(of("arrival_gap_seconds_bucket", ",le=\"+Inf\""), all);
    ensure!(
        of("arrival_gap_seconds_bucket", ",le=\"0.001\"") <= all && of("arrival_gap_seconds_sum", "") < 60.0
    );
    ensure!(samples.contains_key("levada_reactor_writes_total{reactor=\"0\"}"));
    ensure!(!reply.text().contains("/h\""), "hidden mounts are for the administrator");
    ensure!(parse(&rig.admin("/metrics").await?.text())?.contains_key("levada_mount_up{mount=\"/h\"}"));
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_and_the_alerts_name_what_there_is() -> Result<()> {
    let rig = Rig::start("").await?;
    let _source = rig.feed("/m.mp3", "audio/mpeg", "", &mp3(1)).await?;
    let page = rig.get("/metrics").await?.text();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring");
    let dashboard = fs::read_to_string(folder.join("grafana.json"))?;
    serde_json::from_str::<serde_json::Value>(&dashboard)?;
    let mut named = BTreeSet::new();
    for text in [dashboard, fs::read_to_string(folder.join("alerts.yml"))?] {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        named.extend(words.filter(|word| word.starts_with("levada_")).map(str::to_owned));
    }
    ensure!(named.len() > 10, "{named:?}");
    for name in named {
        ensure!(page.contains(&format!("# TYPE {name} ")), "{name} is not on the page");
    }
    rig.server.stop().await;
    Ok(())
}
