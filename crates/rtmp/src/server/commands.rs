//! The commands of clients, one by one.

use super::{Active, Connect, Event, Play, Publish, Request, Session, Waiting};
use crate::{
    amf0::{self, Value},
    message::{self, Command, Message},
    status::{self, Status},
    wire::Error,
};
use bytes::BytesMut;

impl Session {
    /// Obeys a command, or ignores it: clients of thirty years call what no server has any more.
    pub(super) fn command(&mut self, message: &Message) -> Result<(), Error> {
        let command = Command::read(message)?;
        if (command.name == "connect") == self.client.is_some() {
            return Err(Error::Order(command.name));
        }
        match command.name.as_str() {
            "connect" => self.connect(&command),
            "createStream" => self.create_stream(&command),
            "publish" => self.publish(&command, message.stream)?,
            "play" => self.play(&command, message.stream)?,
            "play2" => self.play2(&command, message.stream)?,
            "deleteStream" => self.delete_stream(command.argument(0).and_then(Value::as_u32)),
            "closeStream" => self.finish_stream(message.stream),
            "FCUnpublish" => self.announce_unpublish(&command),
            "releaseStream" => self.answer(&command, Value::Undefined),
            "FCPublish" => self.announce_publish(&command),
            "FCSubscribe" => self.announce_play(&command),
            "getStreamLength" => self.answer(&command, Value::Number(0.0)),
            "_checkbw" => self.answer(&command, Value::Undefined),
            "pause" | "pauseRaw" => self.pause(&command),
            _ => self.wire.stats.ignored += 1,
        }
        Ok(())
    }

    fn connect(&mut self, command: &Command) {
        let client = Connect::read(command.arguments.first().unwrap_or(&Value::Null));
        self.client = Some(client.clone());
        self.ask(Waiting::Connect { transaction: command.transaction }, Request::Connect(client));
    }

    /// The lowest free number: the first stream is 1, which is where shared media go.
    fn create_stream(&mut self, command: &Command) {
        let Some(stream) = (1..=MAX_STREAMS).find(|stream| !self.streams.contains(stream)) else {
            let status = Status::error("NetConnection.Call.Failed", "too many streams");
            self.say(&Command::new("_error", command.transaction, [status.value([])]), 0);
            return;
        };
        self.streams.push(stream);
        self.answer(command, Value::Number(f64::from(stream)));
    }

    fn publish(&mut self, command: &Command, stream: u32) -> Result<(), Error> {
        let (Some(client), None) = (&self.client, self.active) else {
            return Err(Error::Order(command.name.clone()));
        };
        let address = client.address(command.text(0).unwrap_or_default());
        let mode = command.text(1).unwrap_or("live").to_owned();
        self.ask(Waiting::Publish { stream }, Request::Publish(Publish { address, mode }));
        Ok(())
    }

    fn play(&mut self, command: &Command, stream: u32) -> Result<(), Error> {
        let start = command.argument(1).and_then(Value::as_f64).unwrap_or(-2000.0);
        self.play_name(command, command.text(0).unwrap_or_default(), start, stream)
    }

    /// Flash's way to change the quality of what plays: a new name in an object.
    fn play2(&mut self, command: &Command, stream: u32) -> Result<(), Error> {
        if self.active.is_some() {
            self.wire.stats.ignored += 1;
            return Ok(());
        }
        let name = command.argument(0).and_then(|options| options.get("streamName")).and_then(Value::as_str);
        self.play_name(command, name.unwrap_or_default(), -2000.0, stream)
    }

    fn play_name(&mut self, command: &Command, name: &str, start: f64, stream: u32) -> Result<(), Error> {
        let (Some(client), None) = (&self.client, self.active) else {
            return Err(Error::Order(command.name.clone()));
        };
        let address = client.address(name);
        let waiting = Waiting::Play { stream };
        // the bytes that all players share go to one message stream, the first that a client creates
        if stream != message::MEDIA_STREAM {
            let status = Status::error(status::PLAY_FAILED, "only the first stream of a connection can play");
            self.reject(waiting, &status, None);
            return Ok(());
        }
        self.ask(waiting, Request::Play(Play { address, start }));
        Ok(())
    }

    fn ask(&mut self, waiting: Waiting, request: Request) {
        self.waiting = Some(waiting);
        self.events.push_back(Event::Request(request));
    }

    fn delete_stream(&mut self, stream: Option<u32>) {
        let Some(stream) = stream else { return };
        self.finish_stream(stream);
        self.streams.retain(|known| *known != stream);
    }

    /// Ends what the client does on `stream`.
    fn finish_stream(&mut self, stream: u32) {
        match self.active {
            Some(Active::Publishing { stream: active }) if active == stream => self.unpublish(stream),
            Some(Active::Playing { stream: active }) if active == stream => {
                self.active = None;
                self.status(stream, status::PLAY_STOPPED, "stopped");
                self.events.push_back(Event::Stopped);
            }
            _ => {}
        }
    }

    fn unpublish(&mut self, stream: u32) {
        self.active = None;
        self.status(stream, status::UNPUBLISHED, "unpublished");
        self.events.push_back(Event::Unpublished);
    }

    fn announce_publish(&mut self, command: &Command) {
        self.answer(command, Value::Undefined);
        // Flash Media Live Encoder waits for this one
        self.announce("onFCPublish", status::PUBLISHING, command);
    }

    fn announce_unpublish(&mut self, command: &Command) {
        self.answer(command, Value::Undefined);
        self.announce("onFCUnpublish", status::UNPUBLISHED, command);
        if let Some(Active::Publishing { stream }) = self.active {
            self.unpublish(stream);
        }
    }

    fn announce_play(&mut self, command: &Command) {
        self.answer(command, Value::Undefined);
        self.announce("onFCSubscribe", status::PLAYING, command);
    }

    fn announce(&mut self, name: &str, code: &str, command: &Command) {
        let status = Status::good(code, command.text(0).unwrap_or_default());
        self.say(&Command::new(name, 0.0, [status.value([])]), 0);
    }

    fn pause(&mut self, command: &Command) {
        let (Some(Active::Playing { stream }), Some(Value::Boolean(paused))) =
            (self.active, command.argument(0).cloned())
        else {
            return;
        };
        let code = if paused { status::PAUSED } else { status::UNPAUSED };
        self.status(stream, code, if paused { "paused" } else { "playing" });
        self.events.push_back(Event::Paused(paused));
    }

    /// The result of a call, if one is wanted.
    fn answer(&mut self, command: &Command, value: Value) {
        if command.transaction != 0.0 {
            self.say(&Command::new("_result", command.transaction, [value]), 0);
        }
    }
}

/// A data message: a name and values.
pub(super) fn data<const N: usize>(stream: u32, name: &str, values: [Value; N]) -> Message {
    let mut payload = BytesMut::new();
    amf0::write(&mut payload, &Value::from(name));
    values.iter().for_each(|value| amf0::write(&mut payload, value));
    Message { kind: message::DATA, stream, timestamp: 0, payload: payload.freeze() }
}

/// Message streams of one connection; clients make one, or one for each direction.
const MAX_STREAMS: u32 = 8;
