//! The page of a room as the server draws it: who is there, and the form to join them.

use crate::ordinary::Caller;
use levada_link::room::RoomName;
use maud::{DOCTYPE, Markup, html};

/// The page of the room called `name`, with the names of those who are in it.
pub(super) fn draw(caller: &Caller, name: &RoomName, present: &[String]) -> Markup {
    let host = caller.base();
    let host = host.split_once("://").map_or(host.as_str(), |(_, host)| host);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Room " (name) " · levada" }
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/page.css";
                link rel="stylesheet" href="/assets/room/page.css";
                script type="module" src="/assets/room/page.js" {}
            }
            body {
                div.top {
                    h1 { "Room " (name) }
                    p { (host) }
                }
                main.room data-room=(name) {
                    @if !caller.station.rooms.is_open() {
                        p { "This server has no rooms (" code { "levada serve --rooms ADDRESS" } ")." }
                    } @else if caller.station.webrtc.speaks() {
                        (form(present))
                    } @else {
                        p { "This server speaks no WebRTC (" code { "levada serve --webrtc ADDRESS" } "), so no browser can join." }
                    }
                }
                p.foot { a href="/" { "The streams of this server" } }
            }
        }
    }
}

fn form(present: &[String]) -> Markup {
    html! {
        p.count {
            @match present {
                [] => "Nobody is here yet.",
                names => { "Here now: " (names.join(", ")) "." }
            }
        }
        form {
            label { "Your name " input name="name" maxlength="48" autocomplete="nickname"; }
            label {
                "Passphrase, if you have agreed on one "
                input name="passphrase" type="password" autocomplete="off";
            }
            label.line { input name="music" type="checkbox"; "Headphones or music: leave my sound as it is" }
            button disabled { "Join" }
            noscript { p { "Joining takes a script." } }
        }
        p.say role="status" {}
        p.sealed role="status" {}
        div.here hidden {
            ul aria-label="Who is here" {}
            button type="button" aria-pressed="false" { "Mute" }
            " "
            button type="button" { "Leave" }
            p.about {
                "The letters beside a name are yours and theirs alone: read them out to each other. When both see the "
                "same, nobody is in between, not even this server."
            }
        }
    }
}
