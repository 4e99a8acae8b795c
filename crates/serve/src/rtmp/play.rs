//! A player: whether it may, what it can show, and the way into egress.

use super::talk::Talk;
use crate::{
    MountName, Station,
    admission::{self, Guest, No},
    egress::{Framing, Joining, Pace},
    http::{First, Head, HeadReader},
    renditions::Output,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use levada_rtmp::{Address, Refusal, server::Play};
use std::sync::Arc;
use url::form_urlencoded;

/// A player that may in.
pub(super) struct Admitted {
    guest: Guest,
    head: Head,
    output: Output,
}

/// Whether a player may in, by the same rules as every listener.
pub(super) async fn admit(
    asked: &Play,
    talk: &Talk,
    station: &Arc<Station>,
) -> Result<Admitted, (Refusal, String)> {
    let missing = || (Refusal::NotFound, "there is no such stream".to_owned());
    let name: MountName = asked.address.path().parse().map_err(|_| missing())?;
    let head = head(&name, &asked.address, talk).ok_or_else(missing)?;
    let guest = admission::let_in(&name, &head, talk.peer.ip(), station).await.map_err(|no| match no {
        No::Missing => missing(),
        No::Turned(why) => (Refusal::Denied, why.to_string()),
        No::Full => (Refusal::Unsuitable, "this mount has all the listeners it takes".to_owned()),
    })?;
    let view = talk.session.client().map(|client| client.capabilities.view()).unwrap_or_default();
    let output = Output::Rtmp(view);
    if !output.carries(guest.source.format, &guest.playing.tracks()) {
        return Err((Refusal::Unsuitable, "this player cannot show this stream".into()));
    }
    Ok(Admitted { guest, head, output })
}

/// From here on the player is egress's.
pub(super) async fn enter(talk: Talk, admitted: Admitted, station: &Arc<Station>) {
    let Admitted { guest, head, output } = admitted;
    let peer = talk.peer.ip();
    let Ok((transport, greeting, farewell)) = talk.hand_over("the stream has ended") else { return };
    let followed = guest.followed(station);
    let way = format!("PLAY {} RTMP/1.0", guest.mount.name);
    let (session, expires, mount) = guest.settle(&head, peer, &way, station);
    let (start, merge) = (admission::start(&head, &mount), admission::merge(&head, &mount));
    let joining = Joining {
        transport,
        head: greeting,
        framing: Framing::Raw,
        pace: Pace::Low,
        burst: start.burst(),
        catch_up: start.catch_up(output),
        rendition: station.renditions.open(&followed, output, merge, station),
        intro: None,
        farewell: Some(farewell),
        expires,
        session,
    };
    admission::enter(joining, &mount, None, station);
}

/// What the player asks for as the head of a request, so that everything that admits listeners admits players.
fn head(name: &MountName, address: &Address, talk: &Talk) -> Option<Head> {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&address.params).finish();
    let mut text = format!("GET {name}?{query} HTTP/1.1\r\n");
    if let Some(client) = talk.session.client() {
        let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(LONGEST).collect::<String>();
        text += &format!("User-Agent: {}\r\n", plain(&client.flash_version));
        text += &format!("Referer: {}\r\n", plain(&client.page_url));
    }
    if let (Some(user), Some(password)) = (address.param("user"), address.param("password")) {
        text += &format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")));
    }
    match HeadReader::default().read((text + "\r\n").as_bytes()) {
        Ok(Some(First::Request(head, _))) => Some(head),
        _ => None,
    }
}

/// Characters of what a client calls itself.
const LONGEST: usize = 200;
