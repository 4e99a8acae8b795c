//! What a directory is told of a stream, in the words and the escaping captured from Icecast 2.4.4.

use crate::{Mount, MountName, Source, status::subtype};
use std::time::SystemTime;

/// Everything that a directory is told of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The mount.
    pub mount: MountName,
    /// When its source came: another one is another stream.
    pub since: SystemTime,
    /// Where to listen.
    pub address: String,
    name: String,
    genre: String,
    description: String,
    url: String,
    content_type: String,
    subtype: String,
    bitrate: String,
    audio_info: String,
    title: String,
    listeners: usize,
    most: usize,
}

impl Facts {
    /// What is to be said of `mount`, fed by `source`, heard at `address` by at most `most`.
    pub fn of(mount: &Mount, source: &Source, address: String, most: usize) -> Facts {
        Facts {
            address,
            subtype: subtype(source.format, &mount.tracks()),
            title: mount.tags().line(),
            listeners: mount.listeners(),
            most,
            ..Facts::plain(mount.name.clone(), source)
        }
    }

    /// What `source` says itself, for `mount`.
    pub fn plain(mount: MountName, source: &Source) -> Facts {
        let or = |said: &str, otherwise: &str| if said.is_empty() { otherwise } else { said }.to_owned();
        Facts {
            mount,
            since: source.since,
            address: String::new(),
            name: or(&source.name, "Unspecified name"),
            genre: or(&source.genre, "various"),
            description: or(&source.description, "Unspecified description"),
            url: source.url.clone(),
            content_type: source.content_type.clone(),
            subtype: String::new(),
            bitrate: source.bitrate.clone(),
            audio_info: source.audio_info.clone(),
            title: String::new(),
            listeners: 0,
            most: 0,
        }
    }

    /// A stream comes in.
    pub fn add(&self) -> String {
        let form = form(
            "add",
            &[
                ("sn", &self.name),
                ("genre", &self.genre),
                ("cpswd", ""),
                ("desc", &self.description),
                ("url", &self.url),
                ("listenurl", &self.address),
                ("type", &self.content_type),
                ("stype", &self.subtype),
                ("b", &self.bitrate),
            ],
        );
        // The audio parameters come last, without a name of their own.
        format!("{form}&{}", escape(&self.audio_info))
    }

    /// It is still there, under the directory's name for it.
    pub fn touch(&self, sid: &str) -> String {
        let (listeners, most) = (self.listeners.to_string(), self.most.to_string());
        form(
            "touch",
            &[
                ("sid", sid),
                ("st", &self.title),
                ("listeners", &listeners),
                ("max_listeners", &most),
                ("stype", &self.subtype),
            ],
        )
    }

    /// It is gone.
    pub fn remove(sid: &str) -> String {
        form("remove", &[("sid", sid)])
    }
}

fn form(action: &str, fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().map(|(name, value)| format!("&{name}={}", escape(value)));
    fields.fold(format!("action={action}"), |form, field| form + &field)
}

/// Everything but letters and digits, in lower case.
fn escape(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Origin;

    #[test]
    fn forms_are_those_that_icecast_sends() {
        let mut source = Source::new(Origin::Icecast, "audio/mpeg", SystemTime::UNIX_EPOCH);
        source.name = "N é &".into();
        (source.genre, source.description) = ("G".into(), "D".into());
        source.url = "http://u/?a".into();
        source.audio_info = "bitrate=128;samplerate=44100".into();
        let mut facts = Facts::plain("/lim.mp3".parse().unwrap(), &source);
        facts.address = "http://radio.example:18300/lim.mp3".into();
        assert_eq!(
            facts.add(),
            "action=add&sn=N%20%c3%a9%20%26&genre=G&cpswd=&desc=D&url=http%3a%2f%2fu%2f%3fa\
             &listenurl=http%3a%2f%2fradio%2eexample%3a18300%2flim%2emp3&type=audio%2fmpeg&stype=&b=\
             &bitrate%3d128%3bsamplerate%3d44100"
        );
        (facts.title, facts.most) = ("A - T".into(), 7);
        assert_eq!(
            facts.touch("42"),
            "action=touch&sid=42&st=A%20%2d%20T&listeners=0&max_listeners=7&stype="
        );
        assert_eq!(Facts::remove("42"), "action=remove&sid=42");
    }
}
