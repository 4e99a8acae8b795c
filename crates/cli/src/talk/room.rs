//! A room, from what was typed to the devices and the socket.

use super::room_screen::RoomScreen;
use super::{Talk, desk::Desk, drive, find, keyring, native};
use crate::output::Console;
use crate::{exit, run};
use anyhow::{Context, Result};
use levada_device::{Sink, Source};
use levada_link::room::{BadName, DisplayName, RoomName};
use levada_talk::room::{Member, Reason, Told};
use std::net::UdpSocket;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// A room and where it is, as it is typed: `NAME@SERVER` or `NAME@SERVER:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    room: RoomName,
    server: String,
}

/// This is no such address.
#[derive(Debug, thiserror::Error)]
pub enum BadAddress {
    /// It names no room, or no server.
    #[error("say NAME@SERVER or NAME@SERVER:PORT")]
    Form,
    /// The room's name is none.
    #[error(transparent)]
    Name(#[from] BadName),
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(typed: &str) -> Result<Address, BadAddress> {
        let (room, server) = typed.split_once('@').ok_or(BadAddress::Form)?;
        if server.is_empty() {
            return Err(BadAddress::Form);
        }
        Ok(Address { room: room.parse()?, server: server.to_owned() })
    }
}

/// Takes part in the room.
pub fn join(talk: &Talk, console: Console, stop: &AtomicBool) -> Result<()> {
    let Some(Address { room, server }) = &talk.room else { return Ok(()) };
    let options = &talk.native;
    let at = find(server, PORT)?;
    let name = DisplayName::of(&talk.name.clone().unwrap_or_else(user));
    let mut config = options.in_room(at, room.clone(), name)?;
    let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)
        .map_err(|why| exit::Exit(exit::NETWORK, format!("there is no port to talk from: {why}")))?;
    let form = native::form(config.rendition);
    let (source, sink) = (Source::open(&talk.input, form)?, Sink::open(&talk.output, form)?);
    config.place = options.place(&source, &sink);
    let (rendition, key) = (config.rendition, config.identity.public());
    let mut member = Member::new(config, keyring::chance()?).context("no such rendition")?;
    member.mute(options.is_muted());
    let time = talk.duration()?;
    let tail =
        if time.is_some() { u64::MAX } else { u64::from(rendition.rate) / u64::from(rendition.frames) };
    let desk = Desk::new(source, sink, tail, None).reopening([&talk.input, &talk.output], form, console);
    console.say(format!("entering room {room} at {at} …"));
    console.say(format!("this end's key is {key}"));
    let mut screen = RoomScreen::new(console, talk.output == "-", options.safety_shown());

    let keys = run::Keys::begin();
    let (mut end, mut was_in) = (None, false);
    let (began, mut last) = (Instant::now(), Instant::now());
    let where_ = format!("room {room} at {at}");
    let each = |member: &mut Member| {
        while let Some(told) = member.told() {
            was_in |= matches!(told, Told::In { .. });
            screen.told(&told, member);
            let ends = match told {
                Told::Refused(why) => Some((exit::NETWORK, format!("{where_}: {why}"))),
                Told::Apart(_, reason) if member.is_unwanted() => Some(unwanted(&where_, reason)),
                _ => None,
            };
            end = end.take().or(ends);
        }
        if !was_in && began.elapsed() > PATIENCE {
            end = end
                .take()
                .or_else(|| Some((exit::NETWORK, format!("{at} does not answer, or has no rooms"))));
        }
        for key in keys.iter().flat_map(run::Keys::pressed) {
            if key.eq_ignore_ascii_case(&b'q') {
                return false;
            }
            screen.key(key, member);
        }
        if last.elapsed() >= SHOWN {
            screen.show(member, last.elapsed());
            last = Instant::now();
        }
        end.is_none()
    };
    super::hurry(talk, console);
    let desk = drive(member, desk, socket, time, stop, each, Member::leave, |_, _, _| ())?;
    if let Some((code, why)) = end {
        return Err(exit::Exit(code, why).into());
    }
    if !was_in {
        return Err(exit::Exit(exit::NETWORK, format!("{at} did not answer")).into());
    }
    screen.end();
    desk.finish()
}

fn unwanted(where_: &str, reason: Reason) -> (u8, String) {
    let why = match reason {
        Reason::Secret => "nobody there knows the same passphrase",
        Reason::Unknown => "nobody there is among the known peers",
        Reason::Stranger => "nobody there knows this end's key",
    };
    (exit::AUTH, format!("{where_}: {why}"))
}

/// How the user of this machine is called.
fn user() -> String {
    let said = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    said.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| "somebody".into())
}

/// Where servers have their rooms, if they do not say otherwise.
const PORT: u16 = 4445;
/// So long a server is waited for at first.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the screen is drawn.
const SHOWN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_typed_with_their_server() {
        let good: Address = "band@[::1]:4445".parse().unwrap();
        assert_eq!((good.room.as_str(), &good.server[..]), ("band", "[::1]:4445"));
        for bad in ["band", "band@", "@server", "a b@server", ""] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
