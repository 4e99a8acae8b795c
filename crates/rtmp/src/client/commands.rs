//! What a client says to start its stream, and what it makes of the answers.

use super::{Closed, Event, Phase, Role, Session};
use crate::{
    Capabilities, Refusal,
    amf0::{self, Value},
    chunk,
    message::{Command, Control, Message},
    status::{self, Status},
    wire::Error,
};
use levada_media::container::flv::tag::Tag;

impl Session {
    /// The properties in the order in which ffmpeg and librtmp send them; some servers read them by position.
    pub(super) fn connect(&mut self) {
        let text = |name: &str, value: String| (name.to_owned(), Value::String(value));
        let number = |name: &str, value: f64| (name.to_owned(), Value::Number(value));
        let (app, tc_url) = (text("app", self.address.app.clone()), text("tcUrl", self.address.tc_url()));
        let mut properties = match self.role {
            Role::Publish => vec![
                app,
                text("type", "nonprivate".to_owned()),
                text("flashVer", PUBLISHER_VERSION.to_owned()),
                tc_url,
            ],
            Role::Play => vec![
                app,
                text("flashVer", PLAYER_VERSION.to_owned()),
                tc_url,
                ("fpad".to_owned(), false.into()),
                number("capabilities", 15.0),
                number("audioCodecs", 4071.0),
                number("videoCodecs", 252.0),
                number("videoFunction", 1.0),
            ],
        };
        if self.config.enhanced {
            properties.extend(Capabilities::ours().write());
        }
        self.call += 1.0;
        let arguments = vec![Value::Object(properties)];
        let connect = Command { name: "connect".to_owned(), transaction: self.call, arguments };
        self.wire.say(chunk::COMMAND, &connect.message(0));
    }

    pub(super) fn command(&mut self, message: &Message) -> Result<(), Error> {
        let command = Command::read(message)?;
        match command.name.as_str() {
            "_result" => self.result(&command),
            "_error" => self.error(&command),
            "onStatus" => self.status(command.argument(0).unwrap_or(&Value::Null)),
            "onBWDone" => {
                self.call("_checkbw", [], 0);
            }
            "_onbwcheck" => {
                let result = Command::new("_result", command.transaction, []);
                self.wire.say(chunk::COMMAND, &result.message(0));
            }
            "close" => self.close(Closed::Ended),
            _ => self.wire.stats.ignored += 1,
        }
        Ok(())
    }

    fn result(&mut self, command: &Command) {
        match self.phase {
            Phase::Connecting if command.transaction == CONNECT_CALL => self.connected(command),
            Phase::Creating { call } if command.transaction == call => {
                // a server that names no stream means the first
                let stream = command.argument(0).and_then(Value::as_u32).unwrap_or(1);
                self.created(stream);
            }
            _ => {}
        }
    }

    /// The connection stands: ask for a stream.
    fn connected(&mut self, command: &Command) {
        // servers put them among the properties or into the information
        let mut objects = command.arguments.iter().map(Capabilities::read);
        self.server = objects.find(Capabilities::is_enhanced).unwrap_or_default();
        match self.role {
            Role::Publish => {
                self.wire.set_out_size(chunk::OUT_SIZE);
                let key = self.address.stream_key();
                self.call("releaseStream", [key.as_str().into()], 0);
                self.call("FCPublish", [key.as_str().into()], 0);
            }
            Role::Play => self.wire.control(Control::WindowSize(WINDOW)),
        }
        let call = self.call("createStream", [], 0);
        self.phase = Phase::Creating { call };
    }

    fn created(&mut self, stream: u32) {
        self.phase = Phase::Starting { stream };
        let key = self.address.stream_key();
        match self.role {
            Role::Publish => {
                self.call("publish", [key.as_str().into(), "live".into()], stream);
            }
            Role::Play => {
                self.call("play", [key.as_str().into(), Value::Number(LIVE_OR_RECORDED)], stream);
                self.tell_buffer(stream);
            }
        }
    }

    /// An error ends the session if it answers something that we need; `releaseStream` may fail.
    fn error(&mut self, command: &Command) {
        let needed = match self.phase {
            Phase::Connecting => command.transaction == CONNECT_CALL,
            Phase::Creating { call } => command.transaction == call,
            _ => false,
        };
        if needed {
            // the information follows the command object, or the null in its place
            let information = command.arguments.iter().find(|value| value.get("code").is_some());
            self.refused(information.unwrap_or(&Value::Null));
        }
    }

    fn refused(&mut self, information: &Value) {
        let status = Status::read(information);
        match status::redirect_in(information) {
            Some(url) => self.close(Closed::Redirected(url)),
            None => self.close(Closed::Refused { refusal: Refusal::of(&status), status }),
        }
    }

    fn status(&mut self, information: &Value) {
        let status = Status::read(information);
        match (status.code.as_str(), self.role) {
            _ if status.is_error() => self.refused(information),
            (status::PUBLISHING, Role::Publish) | (status::PLAYING, Role::Play) => self.started(),
            (status::PLAY_UNPUBLISHED | status::PLAY_STOPPED | status::PLAY_COMPLETE, Role::Play)
            | (status::UNPUBLISHED, Role::Publish) => self.close(Closed::Ended),
            (status::RECONNECT, _) => {
                let tc_url = information.get("tcUrl").and_then(Value::as_str).map(str::to_owned);
                self.events.push_back(Event::Reconnect { tc_url, description: status.description });
            }
            _ => {}
        }
    }

    fn started(&mut self) {
        if let Phase::Starting { stream } = self.phase {
            self.phase = Phase::Running { stream };
            self.events.push_back(Event::Started);
        }
    }

    /// `onPlayStatus`, which comes as data: the end of what is played.
    pub(super) fn play_status(&mut self, tag: &Tag) {
        let values = amf0::read_all(&tag.payload).unwrap_or_default();
        let code = values.iter().find_map(|value| value.get("code")).and_then(Value::as_str);
        if code == Some(status::PLAY_COMPLETE) {
            self.close(Closed::Ended);
        }
    }
}

/// `connect` is the first call of a connection.
const CONNECT_CALL: f64 = 1.0;
/// What encoders say, so that servers treat us as one.
const PUBLISHER_VERSION: &str = concat!("FMLE/3.0 (compatible; levada ", env!("CARGO_PKG_VERSION"), ")");
const PLAYER_VERSION: &str = "LNX 9,0,124,2";
/// What is live, or else what was recorded under that name (RTMP 1.0, 7.2.2.1).
const LIVE_OR_RECORDED: f64 = -2000.0;
/// After how many bytes players want to hear of us; what ffmpeg says.
const WINDOW: u32 = 5_000_000;
