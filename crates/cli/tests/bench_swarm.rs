//! `levada bench swarm` at a small size: every peer plays all that is dealt, plain and encrypted.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::levada;
use serde_json::Value;

#[test]
fn a_team_in_one_process_plays_every_chunk_and_checks_whose_it_is() -> Result<()> {
    let seen = whole(&["--group-time", "200ms"])?;
    // Groups of some nine chunks are signed once.
    let checked = seen["checked_per_peer_s"].as_f64().context("no signatures")?;
    ensure!(checked > 2.0 && checked < 10.0, "{seen}");
    ensure!(seen["transport"] == "plain", "{seen}");
    Ok(())
}

#[test]
fn a_team_in_one_process_encrypts_if_told_to() -> Result<()> {
    let seen = whole(&["--quic", "--threads", "2"])?;
    ensure!(seen["transport"] == "quic" && seen["group_ms"] == 80, "{seen}");
    Ok(())
}

/// Twenty peers of which none missed anything; a machine that stood still for a while may try again.
fn whole(more: &[&str]) -> Result<Value> {
    let mut seen = Value::Null;
    for _ in 0..3 {
        let bench = ["bench", "swarm", "-n", "20", "--secs", "2"];
        let out = levada().args(bench).args(more).output()?;
        let said = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.success(), "{said}");
        seen = serde_json::from_slice(&out.stdout)?;
        println!("{seen}");
        if seen["lost"] == 0 && plays_what_is_dealt(&seen)? {
            return Ok(seen);
        }
    }
    anyhow::bail!("chunks are missing: {seen}")
}

fn plays_what_is_dealt(seen: &Value) -> Result<bool> {
    let (played, dealt) = (&seen["played_per_peer_s"], &seen["dealt_per_s"]);
    let ratio = played.as_f64().context("nothing played")? / dealt.as_f64().context("nothing dealt")?;
    ensure!(seen["cpu_s"].as_f64() > Some(0.0) && seen["silent"] == 0, "{seen}");
    // They play by groups, and what was played just before is not counted.
    Ok(ratio > 0.8 && ratio < 1.2)
}
