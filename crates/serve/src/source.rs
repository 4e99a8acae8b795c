//! Who feeds a mount, and what it says of its stream.

use crate::{config::MountPolicy, http::Fields, relay::Via};
use levada_media::Format;
use serde::Serialize;
use std::{net::IpAddr, time::SystemTime};

/// What kind of source feeds a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// An Icecast or SHOUTcast source client.
    Icecast,
    /// Another server that we pull from.
    Relay,
    /// An RTMP encoder.
    Rtmp,
    /// Datagrams to a group or a port.
    Multicast,
    /// A WebRTC publisher.
    Whip,
    /// A file of this machine.
    File,
    /// A team of peers that pass the stream on to each other.
    Swarm,
}

/// A source as it introduced itself, with the mount's overrides applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What kind it is.
    pub origin: Origin,
    /// The content type that listeners are told.
    pub content_type: String,
    /// The container that its bytes are cut as.
    pub format: Format,
    /// Name of the stream; empty where not said, like all the texts below.
    pub name: String,
    /// Description of the stream.
    pub description: String,
    /// Genre of the stream.
    pub genre: String,
    /// A page about the stream.
    pub url: String,
    /// Bit rate as the source says it, in kbit/s.
    pub bitrate: String,
    /// `ice-audio-info` as it was sent: `samplerate=44100;channels=2`.
    pub audio_info: String,
    /// Whether directories may list it.
    pub public: bool,
    /// Where it comes from; `None` for a file.
    pub peer: Option<IpAddr>,
    /// What it calls itself.
    pub agent: String,
    /// The user it logged in as.
    pub user: String,
    /// The servers that its stream has passed, when it is a relay.
    pub via: Via,
    /// When it came.
    pub since: SystemTime,
}

impl Source {
    /// A source of `origin` that says nothing but its content type.
    pub fn new(origin: Origin, content_type: &str, since: SystemTime) -> Source {
        Source {
            origin,
            content_type: content_type.to_owned(),
            format: Format::from_content_type(content_type),
            name: String::new(),
            description: String::new(),
            genre: String::new(),
            url: String::new(),
            bitrate: String::new(),
            audio_info: String::new(),
            public: false,
            peer: None,
            agent: String::new(),
            user: String::new(),
            via: Via::default(),
            since,
        }
    }

    /// Takes over what `ice-*` and `icy-*` fields say (a source's request or a parent's answer).
    pub fn described_by(mut self, head: &impl AsRef<Fields>) -> Source {
        let fields = head.as_ref();
        let said =
            |names: &[&str]| names.iter().find_map(|name| fields.get(name)).unwrap_or_default().to_owned();
        self.name = said(&["ice-name", "icy-name"]);
        self.description = said(&["ice-description", "icy-description"]);
        self.genre = said(&["ice-genre", "icy-genre"]);
        self.url = said(&["ice-url", "icy-url"]);
        self.audio_info = said(&["ice-audio-info", "icy-audio-info"]);
        self.bitrate = said(&["ice-bitrate", "icy-br"]);
        if self.bitrate.is_empty() {
            self.bitrate = self.audio_parameter("bitrate").unwrap_or_default().to_owned();
        }
        self.public = matches!(said(&["ice-public", "icy-pub", "icy-public"]).as_str(), "1");
        self.agent = said(&["user-agent"]);
        self
    }

    /// Lets the mount's policy have the last word.
    pub fn overridden_by(mut self, policy: &MountPolicy) -> Source {
        let mut say = |slot: fn(&mut Source) -> &mut String, value: &Option<String>| {
            if let Some(value) = value {
                *slot(&mut self) = value.clone();
            }
        };
        say(|s| &mut s.name, &policy.stream_name);
        say(|s| &mut s.description, &policy.description);
        say(|s| &mut s.genre, &policy.genre);
        say(|s| &mut s.url, &policy.url);
        say(|s| &mut s.bitrate, &policy.bitrate);
        say(|s| &mut s.content_type, &policy.content_type);
        self.format = Format::from_content_type(&self.content_type);
        self.public = policy.public.unwrap_or(self.public);
        self
    }

    /// A value of `ice-audio-info`, with or without the `ice-` in front of its name.
    pub fn audio_parameter(&self, name: &str) -> Option<&str> {
        self.audio_info
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| key.trim().trim_start_matches("ice-").eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{First, HeadReader};

    #[test]
    fn butt_and_shoutcast_fields_are_understood() {
        let text = "PUT /stream HTTP/1.1\r\nice-name: N\r\nicy-genre: G\r\nice-public: 1\r\n\
                    ice-audio-info: ice-bitrate=128;ice-channels=2;ice-samplerate=44100\r\n\r\n";
        let Ok(Some(First::Request(head, _))) = HeadReader::default().read(text.as_bytes()) else { panic!() };
        let source = Source::new(Origin::Icecast, "audio/mpeg", SystemTime::UNIX_EPOCH).described_by(&head);
        assert_eq!((source.name.as_str(), source.genre.as_str(), source.public), ("N", "G", true));
        assert_eq!((source.bitrate.as_str(), source.audio_parameter("channels")), ("128", Some("2")));
    }

    #[test]
    fn the_mount_has_the_last_word() {
        let policy =
            MountPolicy { stream_name: Some("Ours".into()), public: Some(false), ..MountPolicy::default() };
        let source = Source::new(Origin::File, "audio/mpeg", SystemTime::UNIX_EPOCH).overridden_by(&policy);
        assert_eq!((source.name.as_str(), source.format), ("Ours", Format::Mp3));
    }
}
