//! The recipes of the README, run as they stand, on ports of their own.

mod kit;

use anyhow::{Context, Result, ensure};
use kit::programs::Desk;
use std::{fs, net::TcpListener, path::Path, process::Command};

#[test]
fn every_recipe_of_the_readme_works() -> Result<()> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = fs::read_to_string(readme)?;
    let recipes: Vec<&str> =
        text.split("```sh recipe\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    ensure!(recipes.len() >= 7, "recipes are missing");
    for recipe in recipes {
        run(recipe).with_context(|| format!("this recipe does not work:\n{recipe}"))?;
    }
    Ok(())
}

fn run(recipe: &str) -> Result<()> {
    let desk = Desk::new()?;
    for (name, clip) in [("clip.ogg", "chords.ogg"), ("clip.mp3", "chords.mp3"), ("clip.ogv", "testcard.ogv")]
    {
        fs::copy(kit::clip(clip), desk.path(name))?;
    }
    desk.write("icecast.xml", ICECAST_XML)?;
    fs::write(desk.path("server.pcap"), capture()?)?;
    let mut script = recipe.to_owned();
    for port in [7777, 8000, 8001, 8002, 9999, 10000] {
        let own = free_port()?;
        for before in [":", "port ", "port="] {
            script = script.replace(&format!("{before}{port}"), &format!("{before}{own}"));
        }
    }
    // a busy machine is slower than the reader's: what sleeps, sleeps twice as long
    let script = format!(
        "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\nsleep() {{ command sleep $((2 * $1)); }}\n{script}"
    );
    let binary = Path::new(env!("CARGO_BIN_EXE_levada")).parent().context("the binary is nowhere")?;
    let path = format!("{}:{}", binary.display(), std::env::var("PATH")?);
    let out = Command::new("timeout")
        .args(["60", "bash", "-euo", "pipefail", "-c", &script])
        .current_dir(desk.path(""))
        .env("PATH", path)
        .env("LEVADA__SERVER__STATE", desk.path("state"))
        .output()?;
    let said = || format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    ensure!(out.status.success(), "{}", said());
    for heard in ["heard.ogg", "heard.mp3"].map(|name| desk.path(name)) {
        if heard.exists() {
            ensure!(!kit::codecs(&heard)?.is_empty(), "{} cannot be played", heard.display());
        }
    }
    Ok(())
}

/// A hundred datagrams to port 5004, as tcpdump would have captured them.
fn capture() -> Result<Vec<u8>> {
    use levada_capture::{InterfaceId, LinkType, Packet, pcap};
    let mut writer = pcap::Writer::new(Vec::new(), LinkType::RAW, pcap::Precision::Micro, 0)?;
    for number in 0..100u8 {
        let mut packet = vec![0x45, 0, 4, 0, 0, number, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend_from_slice(&[0x13, 0x8c, 0x13, 0x8c, 3, 236, 0, 0, number]);
        packet.resize(1024, 7);
        let at = std::time::Duration::from_millis(1_700_000_000_000 + 5 * u64::from(number));
        writer.packet(&Packet::new(InterfaceId(0), at, &packet))?;
    }
    Ok(writer.into_inner())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

const ICECAST_XML: &str = "<icecast><location>Funchal</location><limits><clients>100</clients></limits>\
    <authentication><source-password>a-long-secret</source-password><admin-user>admin</admin-user>\
    <admin-password>another-long-secret</admin-password></authentication>\
    <listen-socket><port>8000</port></listen-socket>\
    <mount type=\"normal\"><mount-name>/radio.ogg</mount-name><fallback-mount>/spare.ogg</fallback-mount></mount>\
    </icecast>";
