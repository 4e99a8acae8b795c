//! `levada demo`: it needs nothing, ends by itself or when it is told to, and says what it saw.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::{Program, http, levada};
use serde_json::Value;

#[test]
fn six_seconds_of_demo_lose_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?; // with nothing in it
    let out = levada().current_dir(folder.path()).args(["demo", "--for", "6s", "--json"]).output()?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    ensure!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    let told: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
    ensure!(told["lost"] == serde_json::json!([]), "{told}");
    let streams = told["streams"].as_array().context("no streams")?;
    ensure!(streams.len() == 6, "{told}");
    for stream in streams {
        let (published, verified) = (number(stream, "published_bytes")?, number(stream, "verified_bytes")?);
        let listeners = number(stream, "listeners")?;
        // each hears what was published after it came, and the header set
        ensure!(listeners == 4 && verified * 2 > published * listeners, "{stream}");
        ensure!(number(stream, "relay_lag_ms")? < 3_000, "{stream}");
    }
    Ok(())
}

#[test]
fn the_addresses_it_tells_can_be_opened_and_a_signal_ends_it_with_a_summary() -> Result<()> {
    let mut demo = Program::start(levada().arg("demo"))?;
    let origin = demo.wait_for("origin ")?;
    let relay = demo.wait_for("relay ")?;
    demo.wait_for("speech.aac")?;
    for server in [&origin, &relay] {
        ensure!(http::get(server)?.status == 200, "{server}");
        kit::eventually("a stream to be heard", || {
            Ok(http::listen(&format!("{server}testcard.ogv"), "", 30_000).ok())
        })?;
    }
    demo.signal("INT")?;
    let (well, said) = demo.wait()?;
    ensure!(well && said.contains("nothing lost"), "{said}");
    Ok(())
}

fn number(value: &Value, name: &str) -> Result<u64> {
    value[name].as_u64().with_context(|| format!("no {name} in {value}"))
}
