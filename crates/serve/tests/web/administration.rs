//! Icecast's commands, in its words.

use crate::kit::{Rig, Wire, basic, mp3, until};
use anyhow::{Result, ensure};
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn commands_answer_in_icecasts_words() -> Result<()> {
    let rig = Rig::start("").await?;
    let _a = rig.feed("/a.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let _b = rig.feed("/b.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let _listener = rig.listen("/a.mp3").await?;
    for (command, status, words) in [
        ("nosuch", 400, "<b>400 - Unrecognised command</b>"),
        ("!POKE", 400, "<b>400 - Unrecognised command</b>"),
        ("metadata?mount=/nope&mode=updinfo&song=x", 400, "<b>400 - Source does not exist</b>"),
        ("metadata?mode=updinfo&song=x", 400, "<b>400 - Unknown admin request</b>"),
        ("metadata?mount=/a.mp3", 400, "<b>400 - Missing parameter</b>"),
        ("metadata?mount=/a.mp3&mode=foo&song=x", 200, "<message>No such action</message><return>0</return>"),
        ("listclients", 400, "<b>400 - Unknown admin request</b>"),
        ("listclients?mount=/nope", 400, "<b>400 - Source does not exist</b>"),
        ("killclient?mount=/a.mp3&id=999", 200, "<message>Client 999 not found</message><return>0</return>"),
        ("killclient?mount=/a.mp3", 400, "<b>400 - Missing parameter</b>"),
        ("moveclients?mount=/a.mp3&destination=/nope", 400, "<b>400 - No such destination</b>"),
        (
            "moveclients?mount=/a.mp3&destination=/a.mp3",
            400,
            "<b>400 - supplied mountpoints are identical</b>",
        ),
        (
            "moveclients?mount=/a.mp3",
            200,
            "<icestats><current_source>/a.mp3</current_source><source mount=\"/b.mp3\">",
        ),
        ("fallbacks?mount=/a.mp3", 400, "<b>400 - Missing parameter</b>"),
        ("killsource?mount=/nope", 400, "<b>400 - Source does not exist</b>"),
        ("updatemetadata?mount=/a.mp3", 200, "<icestats><source mount=\"/a.mp3\"/></icestats>"),
        ("buildm3u?mount=/a.mp3&username=u&password=p%40", 200, "http://u:p%40@127.0.0.1:"),
    ] {
        let reply = rig.admin(&format!("/admin/{command}")).await?;
        ensure!(
            reply.status == status && reply.text().contains(words),
            "{command}: {} {}",
            reply.status,
            reply.text()
        );
    }
    let clients = rig.admin("/admin/listclients?mount=/a.mp3").await?.text();
    let (before, after) = clients.split_once("<Connected>").expect("there is a listener");
    ensure!(
        before
            == "<?xml version=\"1.0\"?>\n<icestats><source mount=\"/a.mp3\"><Listeners>1</Listeners><listener>\
                <IP>127.0.0.1</IP><UserAgent>agent &lt;1&gt;</UserAgent>",
        "{clients}"
    );
    ensure!(after.ends_with("</ID></listener></source></icestats>\n"), "{clients}");
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_open_what_is_theirs_and_nothing_else() -> Result<()> {
    let rig = Rig::start("[[mount]]\nname = '/dj'\nsource_user = 'dj'\nsource_password = 'vinyl'\n").await?;
    let _a = rig.feed("/a.mp3", "audio/mpeg", "", &mp3(1)).await?;
    let (nobody, wrong, source) = (String::new(), basic("admin", "guess"), basic("source", "hush"));
    let (dj, relay, admin) = (basic("dj", "vinyl"), basic("relay", "rel"), basic("admin", "adm"));
    for (path, who, status) in [
        ("/admin/stats", &nobody, 401),
        ("/admin/stats", &wrong, 401),
        ("/admin/stats", &source, 401),
        ("/admin/stats", &relay, 401),
        ("/admin/stats", &admin, 200),
        ("/admin/streamlist.txt", &nobody, 401),
        ("/admin/streamlist.txt", &relay, 200),
        ("/admin/streamlist.txt", &admin, 200),
        ("/admin/metadata?mount=/a.mp3&mode=updinfo&song=x", &nobody, 401),
        ("/admin/metadata?mount=/a.mp3&mode=updinfo&song=x", &source, 200),
        ("/admin/metadata?mount=/a.mp3&mode=updinfo&song=x", &dj, 401),
        ("/admin/metadata?mount=/a.mp3&mode=updinfo&song=x", &admin, 200),
        ("/admin/listclients?mount=/a.mp3", &source, 200),
        ("/admin/killclient?mount=/a.mp3&id=1", &source, 401),
        ("/admin/moveclients?mount=/a.mp3", &source, 401),
        ("/admin/fallbacks?mount=/a.mp3&fallback=/b", &source, 401),
        ("/admin/publicstats.json", &nobody, 200),
        ("/admin/nosuch", &nobody, 400),
    ] {
        let reply = rig.ask("GET", path, who, "").await?;
        ensure!(reply.status == status, "{path} by {who:?}: {}", reply.status);
        let asked = reply.field("www-authenticate") == Some("Basic realm=\"Icecast2 Server\"");
        ensure!(asked == (status == 401), "{path}");
    }
    ensure!(rig.ask("HEAD", "/admin/killsource?mount=/a.mp3", &admin, "").await?.status == 400);
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn titles_come_in_every_way_that_sources_know() -> Result<()> {
    let rig = Rig::start("[http]\nshoutcast_mount = '/a.mp3'\n").await?;
    let _a = rig.feed("/a.mp3", "audio/mpeg", "", &mp3(1)).await?;
    let mount = rig.server.station().mounts.find(&"/a.mp3".parse()?).expect("it is fed");
    for (query, line, url) in [
        ("song=Art%20-%20T", "Art - T", ""),
        ("song=%E9t%E9", "été", ""),
        ("song=%C3%A9&url=http://u/", "é", "http://u/"),
        ("artist=Aa&title=Tt", "Aa - Tt", "http://u/"),
        ("song=%C3%A9&charset=ISO-8859-1", "Ã©", "http://u/"),
        ("url=http://v/", "Ã©", "http://v/"),
        ("song=a%0d%0ab&url=", "a  b", ""),
        ("song=", "", ""),
    ] {
        let reply = rig.admin(&format!("/admin/metadata?mount=%2Fa.mp3&mode=updinfo&{query}")).await?;
        ensure!(
            reply.text().contains("<message>Metadata update successful</message><return>1</return>"),
            "{query}"
        );
        let tags = mount.tags();
        ensure!((tags.line().as_str(), tags.url.as_str()) == (line, url), "{query}: {tags:?}");
    }
    let reply = rig.get("/admin.cgi?pass=hush&mode=updinfo&song=from+shoutcast").await?;
    ensure!(reply.status == 200 && mount.tags().line() == "from shoutcast", "{reply:?}");
    ensure!(rig.get("/admin.cgi?mode=updinfo&song=x").await?.text().contains("missing pass parameter"));
    ensure!(rig.get("/admin.cgi?pass=no&mode=updinfo&song=x").await?.status == 401);
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_and_listeners_can_be_ended_and_fallbacks_set() -> Result<()> {
    let rig = Rig::start("").await?;
    let _a = rig.feed("/a.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let _b = rig.feed("/b.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let _listener = rig.listen("/a.mp3").await?;
    let station = rig.server.station();
    let mount = station.mounts.find(&"/a.mp3".parse()?).expect("it is fed");
    let set = rig.admin("/admin/fallbacks?mount=/a.mp3&fallback=/b.mp3").await?.text();
    ensure!(
        set == "<html><head><title>Admin request successful</title></head><body><p>Fallback configured</p></body></html>"
    );
    let list = rig.admin("/admin/listmounts").await?.text();
    ensure!(
        list.contains("<source mount=\"/a.mp3\"><fallback>/b.mp3</fallback><listeners>1</listeners>"),
        "{list}"
    );
    let id = station.sessions.of(&mount.name)[0].id.0;
    let reply = rig.admin(&format!("/admin/killclient?mount=/b.mp3&id={id}")).await?;
    ensure!(reply.text().contains("not found"), "a listener is removed from its own mount only");
    let reply = rig.admin(&format!("/admin/killclient?mount=/a.mp3&id={id}")).await?;
    ensure!(reply.text().contains(&format!("<message>Client {id} removed</message><return>1</return>")));
    until("the listener is gone", || mount.listeners() == 0).await?;
    let reply = rig.ask("GET", "/admin/killsource?mount=/a.mp3", &basic("source", "hush"), "").await?;
    ensure!(reply.text().contains("<message>Source Removed</message><return>1</return>"), "{}", reply.text());
    until("the source is gone", || mount.source().is_none()).await?;
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn icecasts_pages_for_people_lead_to_ours() -> Result<()> {
    let rig = Rig::start("").await?;
    for path in ["/status.xsl", "/server_version.xsl", "/auth.xsl", "/admin/", "/admin/stats.xsl"] {
        let reply = rig.get(path).await?;
        ensure!((reply.status, reply.field("location")) == (303, Some("/")), "{path} {reply:?}");
    }
    let missing = rig.get("/%3Cscript%3E.mp3").await?;
    ensure!(missing.status == 404);
    ensure!(
        missing.text().contains("<b>404 - The file you requested could not be found</b>"),
        "{}",
        missing.text()
    );
    ensure!(rig.ask("DELETE", "/x", "", "").await?.status == 405);
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_mount_are_managed_in_icecasts_words() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("users");
    fs::write(&file, "# ours\n")?;
    let rig = Rig::start(&format!("[[mount]]\nname = '/a.mp3'\nhtpasswd = '{}'\n", file.display())).await?;
    let _a = rig.feed("/a.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let _b = rig.feed("/b.mp3", "audio/mpeg", "", &mp3(50)).await?;
    let list = "<icestats><source mount=\"/a.mp3\"><User><username>u</username></User></source>";
    for (query, status, words) in [
        ("mount=/a.mp3", 200, "<icestats><source mount=\"/a.mp3\"/></icestats>"),
        ("mount=/a.mp3&action=add&username=u", 400, "missing parameter"),
        ("mount=/a.mp3&action=add&username=a:b&password=p", 400, "that is no name for a user"),
        ("mount=/a.mp3&action=add&username=u&password=p", 200, list),
        (
            "mount=/a.mp3&action=add&username=u&password=p",
            200,
            "<message>User already exists - not added</message>",
        ),
        ("mount=/b.mp3&action=add&username=u&password=p", 400, "missing parameter"),
    ] {
        let reply = rig.admin(&format!("/admin/manageauth?{query}")).await?;
        ensure!(
            reply.status == status && reply.text().contains(words),
            "{query}: {} {}",
            reply.status,
            reply.text()
        );
    }
    ensure!(rig.get("/status-json.xsl").await?.text().contains("\"authenticator\":\"htpasswd\""));
    for (password, status) in [("q", 401), ("p", 200)] {
        let mut wire = Wire::connect(rig.address).await?;
        wire.send(&format!("GET /a.mp3 HTTP/1.1\r\nHost: h\r\n{}\r\n", basic("u", password))).await?;
        ensure!(wire.head().await?.status == status, "{password}");
    }
    let gone = rig.admin("/admin/manageauth?mount=/a.mp3&action=delete&username=u").await?.text();
    ensure!(
        gone.contains("<source mount=\"/a.mp3\"/><iceresponse><message>User deleted</message></iceresponse>"),
        "{gone}"
    );
    ensure!(fs::read_to_string(&file)? == "# ours\n");
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_has_its_line_in_the_log() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("access.log");
    let rig = Rig::start(&format!("[http]\naccess_log = '{}'\n", log.display())).await?;
    let _a = rig.feed("/a.mp3", "audio/mpeg", "", &mp3(1)).await?;
    rig.admin("/admin/listmounts").await?;
    rig.ask("GET", "/admin/stats", &basic("admin", "no"), "").await?;
    rig.get("/admin.cgi?pass=hush&mode=updinfo&mount=/a.mp3&song=x").await?;
    rig.server.stop().await;
    let text = fs::read_to_string(&log)?;
    let lines: Vec<_> = text.lines().collect();
    ensure!(lines.len() == 3, "{text}");
    for (line, (user, request)) in lines.iter().zip([
        ("admin", "] \"GET /admin/listmounts HTTP/1.1\" 200 "),
        ("-", "] \"GET /admin/stats HTTP/1.1\" 401 "),
        ("-", "] \"GET /admin.cgi?pass=***&mode=updinfo&mount=/a.mp3&song=x HTTP/1.1\" 200 "),
    ]) {
        ensure!(line.starts_with(&format!("127.0.0.1 - {user} [")) && line.contains(request), "{line}");
        ensure!(line.ends_with("\"-\" \"-\" 0"), "{line}");
    }
    Ok(())
}
