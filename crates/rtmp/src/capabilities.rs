//! What a peer says of enhanced RTMP in `connect` and in its answer.

use crate::amf0::Value;
use levada_media::container::flv::tag::{FourCc, View};

/// What a peer can do beyond old RTMP (enhanced RTMP v2, "Enhancing NetConnection connect Command").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Codecs that it can decode or pass on.
    pub codecs: Vec<FourCc>,
    /// Whether it takes any codec at all: a recorder, a relay.
    pub any_codec: bool,
    /// It knows the request to reconnect.
    pub reconnect: bool,
    /// It knows several tracks of one kind.
    pub multitrack: bool,
    /// It can step over extensions of tag headers.
    pub extensions: bool,
    /// It knows nanoseconds.
    pub nanoseconds: bool,
}

impl Capabilities {
    /// What levada says of itself: it passes on any codec and any number of tracks.
    pub fn ours() -> Capabilities {
        Capabilities {
            codecs: Vec::new(),
            any_codec: true,
            reconnect: true,
            multitrack: true,
            extensions: true,
            nanoseconds: true,
        }
    }

    /// Reads them among the properties of a `connect` or of its answer; a peer of old RTMP has none.
    pub fn read(properties: &Value) -> Capabilities {
        let flags = properties.get("capsEx").and_then(Value::as_u32).unwrap_or(0);
        let list = match properties.get("fourCcList") {
            Some(Value::Array(values)) => values.as_slice(),
            _ => &[],
        };
        let names = list.iter().filter_map(Value::as_str);
        let maps =
            ["videoFourCcInfoMap", "audioFourCcInfoMap"].into_iter().filter_map(|map| properties.get(map));
        let names = names
            .chain(maps.flat_map(|map| map.fields().iter().filter(can_take).map(|(name, _)| name.as_str())));
        let mut capabilities = Capabilities {
            reconnect: flags & RECONNECT != 0,
            multitrack: flags & MULTITRACK != 0,
            extensions: flags & EXTENSIONS != 0,
            nanoseconds: flags & NANOSECONDS != 0,
            ..Capabilities::default()
        };
        for name in names.take(MAX_CODECS) {
            capabilities.any_codec |= name == "*";
            capabilities.codecs.extend(name.as_bytes().try_into().ok().map(FourCc));
        }
        capabilities
    }

    /// The properties that say this.
    pub fn write(&self) -> Vec<(String, Value)> {
        let named = self.codecs.iter().map(|codec| codec.to_string());
        let names: Vec<String> = named.chain(self.any_codec.then(|| "*".to_owned())).collect();
        let list = names.iter().map(|name| Value::String(name.clone())).collect();
        let map = |names: Vec<String>| {
            Value::Object(names.into_iter().map(|name| (name, CAN_FORWARD.into())).collect())
        };
        let flags = [
            (self.reconnect, RECONNECT),
            (self.multitrack, MULTITRACK),
            (self.extensions, EXTENSIONS),
            (self.nanoseconds, NANOSECONDS),
        ];
        let flags: u32 = flags.into_iter().filter(|(is, _)| *is).map(|(_, bit)| bit).sum();
        vec![
            ("fourCcList".to_owned(), Value::Array(list)),
            ("videoFourCcInfoMap".to_owned(), map(names.clone())),
            ("audioFourCcInfoMap".to_owned(), map(names)),
            ("capsEx".to_owned(), f64::from(flags).into()),
        ]
    }

    /// Whether the peer said anything of enhanced RTMP.
    pub fn is_enhanced(&self) -> bool {
        *self != Capabilities::default()
    }

    /// Whether the peer can be sent tags of `codec` in enhanced headers.
    pub fn takes(&self, codec: FourCc) -> bool {
        self.any_codec || self.codecs.contains(&codec)
    }

    /// What a player with these capabilities is shown.
    pub fn view(&self) -> View {
        match (self.any_codec || !self.codecs.is_empty(), self.multitrack && self.extensions) {
            (true, true) => View::Multitrack,
            (true, false) => View::Enhanced,
            (false, _) => View::Old,
        }
    }
}

/// Whether an entry of a codec map says that the peer decodes or forwards: one that only encodes is no player of it.
fn can_take((_, flags): &&(String, Value)) -> bool {
    flags.as_u32().unwrap_or(0) & (CAN_DECODE | CAN_FORWARD as u32) != 0
}

const CAN_DECODE: u32 = 1;
const CAN_FORWARD: f64 = 4.0;
const RECONNECT: u32 = 1;
const MULTITRACK: u32 = 2;
const EXTENSIONS: u32 = 4;
const NANOSECONDS: u32 = 8;
const MAX_CODECS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_read_as_they_were_written() {
        assert_eq!(Capabilities::read(&Value::Object(Capabilities::ours().write())), Capabilities::ours());
    }

    #[test]
    fn an_old_player_gets_old_tags_and_a_new_one_what_it_knows() {
        let of = |fields: Vec<(&str, Value)>| Capabilities::read(&Value::object(fields));
        assert_eq!(of(vec![("app", "live".into())]).view(), View::Old);
        let list = || ("fourCcList", Value::Array(vec!["hvc1".into(), "av01".into()]));
        let ffmpeg = of(vec![list()]);
        assert_eq!(
            (ffmpeg.view(), ffmpeg.takes(FourCc::HEVC), ffmpeg.takes(FourCc::OPUS)),
            (View::Enhanced, true, false)
        );
        assert_eq!(of(vec![list(), ("capsEx", 7.0.into())]).view(), View::Multitrack);
        let only_encodes = Value::object([("hvc1", 2.0.into())]);
        assert_eq!(of(vec![("videoFourCcInfoMap", only_encodes)]).view(), View::Old);
    }

    #[test]
    fn nonsense_is_no_capability() {
        let nonsense = Value::object([
            ("fourCcList", Value::Array(vec![Value::Null, "far too long".into()])),
            ("capsEx", f64::NAN.into()),
        ]);
        assert!(!Capabilities::read(&nonsense).is_enhanced());
    }
}
