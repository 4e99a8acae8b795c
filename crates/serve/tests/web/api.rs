//! Our own interface.

use crate::kit::{Reply, Rig, Wire, basic, mp3, until};
use anyhow::{Context, Result, ensure};
use levada_serve::history::Count;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const TOKEN: &str = "Authorization: Bearer tok\r\nContent-Type: application/json\r\n";

fn problem(reply: &Reply, status: u16) -> Result<()> {
    let json = reply.json()?;
    ensure!(reply.status == status && json["status"] == status, "{reply:?}");
    ensure!(reply.field("content-type") == Some("application/problem+json"), "{reply:?}");
    ensure!(
        json["title"].is_string() && json["detail"].as_str().is_some_and(|text| !text.is_empty()),
        "{json}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_is_told_whole() -> Result<()> {
    let rig = Rig::start("[[mount]]\nname = '/a/m.mp3'\nfallback = '/b'\nmax_listeners = 7\n").await?;
    let fields = "ice-name: N\r\nUser-Agent: pusher\r\nice-bitrate: 128\r\n";
    let _source = rig.feed("/a/m.mp3", "audio/mpeg", fields, &mp3(50)).await?;
    let _listener = rig.listen("/a/m.mp3").await?;
    rig.admin("/admin/metadata?mount=/a/m.mp3&mode=updinfo&artist=A&title=T").await?;
    for path in ["/api/v1/mounts/a%2Fm.mp3", "/api/v1/mounts/%2Fa%2fm.mp3"] {
        let mount = rig.get(path).await?.json()?;
        let expected = json!({
            "name": "/a/m.mp3", "live": true, "listeners": 1, "peak": 1, "connections": 1, "received": 50 * 417,
            "max_listeners": 7, "fallback": "/b", "playing": null, "silent_seconds": null, "dropped": 0,
            "url": format!("http://{}/a/m.mp3", rig.address),
            "title": { "title": "T", "artist": "A", "album": "", "url": "" },
        });
        for (key, value) in expected.as_object().context("an object")? {
            assert_eq!(&mount[key], value, "{key}");
        }
        assert_eq!(mount["stream"]["name"], "N");
        assert_eq!(mount["source"]["origin"], "icecast");
        assert_eq!((&mount["source"]["peer"], &mount["source"]["agent"]), (&Value::Null, &Value::Null));
    }
    let told = rig.admin("/api/v1/mounts").await?.json()?;
    assert_eq!(told[0]["source"]["peer"], "127.0.0.1");
    assert_eq!(
        (&told[0]["source"]["agent"], &told[0]["source"]["user"]),
        (&json!("pusher"), &json!("source"))
    );
    let server = rig.get("/api/v1/server").await?.json()?;
    assert_eq!(
        (&server["id"], &server["listeners"], &server["sources"]),
        (&json!("rig"), &json!(1), &json!(1))
    );
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_administrator_sees_addresses_or_changes_anything() -> Result<()> {
    let rig = Rig::start("[[mount]]\nname = '/h'\nhidden = true\n").await?;
    let _source = rig.feed("/m.mp3", "audio/mpeg", "User-Agent: pusher\r\n", &mp3(50)).await?;
    let _listener = rig.listen("/m.mp3").await?;
    for path in ["mounts", "mounts/m.mp3", "mounts/m.mp3/history", "relays", "server"] {
        let text = rig.get(&format!("/api/v1/{path}")).await?.text();
        let text = text.replace(&rig.address.to_string(), "");
        ensure!(
            !text.contains("127.0.0.1") && !text.contains("pusher") && !text.contains("/h\""),
            "{path} {text}"
        );
    }
    let changes = [
        ("GET", "mounts/m.mp3/listeners"),
        ("DELETE", "mounts/m.mp3/listeners/1"),
        ("DELETE", "mounts/m.mp3/source"),
        ("POST", "mounts/m.mp3/title"),
        ("POST", "mounts/m.mp3/fallback"),
        ("POST", "mounts/m.mp3/move"),
        ("POST", "reload"),
    ];
    for (method, path) in changes {
        let who = [
            String::new(),
            basic("source", "hush"),
            basic("admin", "no"),
            "Authorization: Bearer no\r\n".into(),
        ];
        for who in who {
            let reply = rig.ask(method, &format!("/api/v1/{path}"), &who, "").await?;
            problem(&reply, 401).with_context(|| format!("{method} {path} {who:?}"))?;
        }
    }
    problem(&rig.ask("GET", "/api/v1/mounts", &basic("admin", "no"), "").await?, 401)?;
    problem(&rig.get("/api/v1/mounts/h").await?, 404)?;
    ensure!(rig.admin("/api/v1/mounts/h").await?.status == 200);
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_made_by_token_or_password() -> Result<()> {
    let rig = Rig::start("").await?;
    let _a = rig.feed("/a.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let _b = rig.feed("/b.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let _listener = rig.listen("/a.mp3").await?;
    let mount = rig.server.station().mounts.find(&"/a.mp3".parse()?).context("it is fed")?;
    let title = r#"{"title":"T\n1","artist":"A"}"#;
    ensure!(rig.ask("POST", "/api/v1/mounts/a.mp3/title", TOKEN, title).await?.status == 204);
    assert_eq!(mount.tags().line(), "A - T 1");
    let to = r#"{"to":"/b.mp3"}"#;
    ensure!(rig.ask("POST", "/api/v1/mounts/a.mp3/fallback", TOKEN, to).await?.status == 204);
    assert_eq!(mount.policy().fallback, Some("/b.mp3".parse()?));
    ensure!(rig.ask("POST", "/api/v1/mounts/a.mp3/fallback", TOKEN, r#"{"to":null}"#).await?.status == 204);
    assert_eq!(mount.policy().fallback, None);
    ensure!(rig.ask("POST", "/api/v1/mounts/a.mp3/move", TOKEN, to).await?.status == 204);
    let listeners = rig.ask("GET", "/api/v1/mounts/a.mp3/listeners", TOKEN, "").await?.json()?;
    assert_eq!((&listeners[0]["peer"], &listeners[0]["agent"]), (&json!("127.0.0.1"), &json!("agent <1>")));
    let gaps = &listeners[0]["gaps"];
    let bounds = gaps["up_to_ms"].as_array().context("bounds")?.len();
    assert_eq!(gaps["count"].as_array().context("counts")?.len(), bounds + 1);
    ensure!(listeners[0]["frames"].as_u64() > Some(0) && listeners[0]["missed"] == 0, "{listeners}");
    let id = listeners[0]["id"].as_u64().context("a number")?;
    let admin = basic("admin", "adm");
    ensure!(
        rig.ask("DELETE", &format!("/api/v1/mounts/a.mp3/listeners/{id}"), &admin, "").await?.status == 204
    );
    until("the listener is gone", || mount.listeners() == 0).await?;
    ensure!(rig.ask("DELETE", "/api/v1/mounts/a.mp3/source", &admin, "").await?.status == 204);
    until("the source is gone", || mount.source().is_none()).await?;
    for (method, path, body, status) in [
        ("DELETE", "mounts/a.mp3/source", "", 404),
        ("DELETE", "mounts/b.mp3/listeners/1", "", 404),
        ("DELETE", "mounts/b.mp3/listeners/x", "", 400),
        ("POST", "mounts/a.mp3/title", title, 404),
        ("POST", "mounts/b.mp3/title", "{", 400),
        ("POST", "mounts/b.mp3/title", r#"{"titel":"x"}"#, 400),
        ("POST", "mounts/b.mp3/move", r#"{"to":null}"#, 400),
        ("POST", "mounts/b.mp3/move", to, 400),
        ("POST", "mounts/b.mp3/move", r#"{"to":"/nope"}"#, 404),
        ("POST", "mounts/b.mp3/fallback", r#"{"to":"nope"}"#, 400),
        ("GET", "mounts/nope", "", 404),
        ("GET", "mounts/%00", "", 404),
        ("GET", "nothing", "", 404),
        ("POST", "mounts/b.mp3", "", 405),
    ] {
        let reply = rig.ask(method, &format!("/api/v1/{path}"), TOKEN, body).await?;
        problem(&reply, status).with_context(|| format!("{method} {path} {body}"))?;
    }
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_told_in_columns() -> Result<()> {
    let rig = Rig::start("").await?;
    let _source = rig.feed("/m.mp3", "audio/mpeg", "", &mp3(1)).await?;
    let (name, begin) = ("/m.mp3".parse()?, Instant::now());
    for look in 1..=3 {
        let count = Count { listeners: look, received: 16_000 * look as u64, sent: 0 };
        let now = begin + Duration::from_secs(look as u64);
        rig.server.station().history.note(&name, count, now, 9_000 + look as u64);
    }
    let history = rig.get("/api/v1/mounts/m.mp3/history").await?.json()?;
    assert_eq!((&history["fine"]["every"], &history["coarse"]["every"]), (&json!(5), &json!(60)));
    let last = |column: &str| history["fine"][column].as_array().and_then(|list| list.last().cloned());
    assert_eq!(
        (last("at"), last("listeners"), last("kbits_in")),
        (Some(json!(9_003)), Some(json!(3)), Some(json!(128.0)))
    );
    let lengths =
        ["at", "listeners", "kbits_in", "kbits_out"].map(|c| history["fine"][c].as_array().map(Vec::len));
    ensure!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
    assert_eq!(rig.get("/api/v1/mounts/m.mp3").await?.json()?["kbits_in"], 128.0);
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_are_told_by_name_and_to_the_administrator_by_address() -> Result<()> {
    let rig = Rig::start("").await?;
    let _source = rig.feed("/m.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let mut child = Wire::connect(rig.address).await?;
    child.send("GET /m.mp3 HTTP/1.1\r\nUser-Agent: kid\r\nLevada-Via: grandkid, kid-1\r\n\r\n").await?;
    ensure!(child.head().await?.field("levada-via") == Some("rig"));
    let other =
        Rig::start_as("kid-2", &format!("[[relay]]\nfrom = ['http://{}/m.mp3']\n", rig.address)).await?;
    let station = other.server.station();
    let name = "/m.mp3".parse()?;
    until("the relay plays", || station.mounts.find(&name).is_some_and(|mount| mount.source().is_some()))
        .await?;
    let above = rig.get("/api/v1/relays").await?.json()?;
    assert_eq!((&above["id"], &above["parents"]), (&json!("rig"), &json!([])));
    let children = above["children"].as_array().context("children")?;
    let kid = children.iter().find(|child| child["id"] == "kid-1").context("the child is missing")?;
    assert_eq!((&kid["mount"], &kid["agent"], &kid["peer"]), (&json!("/m.mp3"), &json!("kid"), &Value::Null));
    assert_eq!(children.len(), 2);
    let below = other.get("/api/v1/relays").await?.json()?;
    assert_eq!(
        (&below["parents"][0]["mount"], &below["parents"][0]["via"]),
        (&json!("/m.mp3"), &json!(["rig"]))
    );
    let seen = rig.admin("/api/v1/relays").await?.json()?;
    assert_eq!(seen["children"][0]["peer"], "127.0.0.1");
    other.server.stop().await;
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_is_asked_for_and_its_failure_told() -> Result<()> {
    let rig = Rig::start("").await?;
    let reply = rig.ask("POST", "/api/v1/reload", TOKEN, "").await?;
    problem(&reply, 422)?;
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_every_route_and_every_schema() -> Result<()> {
    let rig = Rig::start("").await?;
    let text = rig.get("/api/v1/openapi.json").await?;
    let doc = text.json()?;
    ensure!(doc["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", doc["openapi"]);
    let paths = doc["paths"].as_object().context("paths")?;
    for (path, methods) in paths {
        for method in methods.as_object().context("methods")?.keys() {
            let asked = path.replace("{name}", "nope").replace("{id}", "1");
            // Following the events has no end.
            if path != "/api/v1/events" {
                let status = rig.ask(&method.to_ascii_uppercase(), &asked, "", "").await?.status;
                ensure!(matches!(status, 200 | 401 | 404), "{method} {path} was answered {status}");
            }
        }
    }
    let mut wanted = BTreeSet::new();
    references(&doc, &mut wanted);
    ensure!(wanted.len() >= 8, "{wanted:?}");
    for reference in wanted {
        let pointer = reference.trim_start_matches('#');
        ensure!(doc.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    rig.server.stop().await;
    Ok(())
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}
