//! Puts chunks together into messages.

use super::header::{Basic, Fields};
use super::{DEFAULT_SIZE, EXTENDED, Error, Limits};
use crate::message::{self, Message};
use bytes::{Buf, Bytes, BytesMut};

/// Reads the chunks of one direction, fed with any split of its bytes.
///
/// A chunk's payload is taken as it comes, so what is held is the header of one chunk and the unfinished messages,
/// both bounded by [`Limits`]. Chunk sizes and aborts take effect here; all messages come out, those two as well.
/// After an error the connection cannot be read on.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    input: BytesMut,
    size: usize,
    lanes: Vec<Lane>,
    /// The lane and the bytes left of the chunk whose header was read last.
    open: Option<(usize, usize)>,
    partial: usize,
}

/// A chunk that has come in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The type of the message that it is part of.
    pub kind: u8,
    /// That message, if this was its last chunk.
    pub message: Option<Message>,
}

/// One chunk stream: the last header on it, and the message that is being put together.
#[derive(Debug)]
struct Lane {
    csid: u32,
    timestamp: u32,
    /// The time field of the last header, extended or not: what format 3 adds when it begins a message.
    delta: u32,
    /// Whether that field was extended.
    extended: bool,
    length: usize,
    kind: u8,
    stream: u32,
    body: BytesMut,
    /// Between the first chunk of a message and its last.
    begun: bool,
}

/// A header that is whole, and the bytes it takes.
struct Head {
    basic: Basic,
    fields: Fields,
    time: u32,
    size: usize,
}

impl Reader {
    /// A reader that expects chunks of [`DEFAULT_SIZE`].
    pub fn new(limits: Limits) -> Reader {
        Reader {
            limits,
            input: BytesMut::new(),
            size: DEFAULT_SIZE as usize,
            lanes: Vec::new(),
            open: None,
            partial: 0,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Changes what the peer may make us hold, from the next chunk on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Bytes pushed that no message or unfinished message has taken yet.
    pub fn unread(&self) -> usize {
        self.input.len()
    }

    /// Bytes of unfinished messages.
    pub fn partial(&self) -> usize {
        self.partial
    }

    /// The next whole message, `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the chunks break the protocol or a limit; see [`Error`].
    pub fn poll(&mut self) -> Result<Option<Message>, Error> {
        while let Some(chunk) = self.poll_chunk()? {
            if chunk.message.is_some() {
                return Ok(chunk.message);
            }
        }
        Ok(None)
    }

    /// The next whole chunk, `None` when more bytes are needed; for those who look at when chunks came.
    ///
    /// # Errors
    /// As of [`Reader::poll`].
    pub fn poll_chunk(&mut self) -> Result<Option<Chunk>, Error> {
        loop {
            let Some((lane, left)) = self.open else {
                if !self.begin()? {
                    return Ok(None);
                }
                continue;
            };
            if !self.fill(lane, left)? {
                return Ok(None);
            }
            self.open = None;
            let kind = self.lanes[lane].kind;
            return Ok(Some(Chunk { kind, message: self.finish(lane)? }));
        }
    }

    /// Reads the header of the next chunk; false until it is whole.
    fn begin(&mut self) -> Result<bool, Error> {
        let Some(head) = self.head() else { return Ok(false) };
        let index = self.lane(&head)?;
        let lane = &mut self.lanes[index];
        if !lane.begun {
            lane.begin(&head);
        } else if head.basic.format != 3 && !lane.goes_on(&head.fields, head.basic.format) {
            return Err(Error::Interrupted(lane.csid));
        }
        if lane.length > self.limits.message {
            return Err(Error::TooLong { length: lane.length, limit: self.limits.message });
        }
        let left = (lane.length - lane.body.len()).min(self.size);
        self.input.advance(head.size);
        self.open = Some((index, left));
        Ok(true)
    }

    /// The header at the front of the input, once it is whole.
    fn head(&self) -> Option<Head> {
        let basic = Basic::read(&self.input)?;
        let rest = self.input.get(basic.size..)?;
        let fields = Fields::read(basic.format, rest)?;
        let size = basic.size + Fields::size(basic.format);
        let rest = &rest[Fields::size(basic.format)..];
        if basic.format == 3 {
            let lane = self.lanes.iter().find(|lane| lane.csid == basic.csid);
            let (time, extra) = lane.map_or(Some((0, 0)), |lane| lane.repeated_time(rest))?;
            return Some(Head { basic, fields, time, size: size + extra });
        }
        if fields.time != EXTENDED {
            return Some(Head { basic, fields, time: fields.time, size });
        }
        let time = u32::from_be_bytes(*rest.first_chunk()?);
        Some(Head { basic, fields, time, size: size + 4 })
    }

    /// The lane of `head`, made if it is new.
    fn lane(&mut self, head: &Head) -> Result<usize, Error> {
        let csid = head.basic.csid;
        if let Some(index) = self.lanes.iter().position(|lane| lane.csid == csid) {
            return Ok(index);
        }
        // format 1 on a new chunk stream: rtmpdump's pings. Formats 2 and 3 leave the length unknown.
        if head.basic.format > 1 {
            return Err(Error::NoBeginning(csid));
        }
        if self.lanes.len() >= self.limits.streams {
            return Err(Error::Streams(self.limits.streams));
        }
        self.lanes.push(Lane::new(csid));
        Ok(self.lanes.len() - 1)
    }

    /// Moves what is there of the open chunk to its lane; true when that was all of it.
    fn fill(&mut self, lane: usize, left: usize) -> Result<bool, Error> {
        let size = left.min(self.input.len());
        if self.partial + size > self.limits.partial {
            return Err(Error::Partial(self.limits.partial));
        }
        self.partial += size;
        self.lanes[lane].append(&self.input[..size]);
        self.input.advance(size);
        self.open = Some((lane, left - size));
        Ok(left == size)
    }

    /// The message of `lane` if it is whole.
    fn finish(&mut self, lane: usize) -> Result<Option<Message>, Error> {
        let Some(message) = self.lanes[lane].take() else { return Ok(None) };
        self.partial -= message.payload.len();
        match message.kind {
            message::SET_CHUNK_SIZE => self.resize(control_value(&message.payload)?)?,
            message::ABORT => self.abort(control_value(&message.payload)?),
            _ => {}
        }
        Ok(Some(message))
    }

    fn resize(&mut self, size: u32) -> Result<(), Error> {
        if size == 0 || size > i32::MAX as u32 {
            return Err(Error::Size(size));
        }
        self.size = size as usize;
        Ok(())
    }

    fn abort(&mut self, csid: u32) {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.csid == csid) else { return };
        self.partial -= lane.body.len();
        lane.body = BytesMut::new();
        lane.begun = false;
    }
}

impl Lane {
    fn new(csid: u32) -> Lane {
        Lane {
            csid,
            timestamp: 0,
            delta: 0,
            extended: false,
            length: 0,
            kind: 0,
            stream: 0,
            body: BytesMut::new(),
            begun: false,
        }
    }

    /// Takes what `head` says of a new message.
    fn begin(&mut self, head: &Head) {
        let (format, fields) = (head.basic.format, &head.fields);
        if format < 3 {
            self.delta = head.time;
            self.extended = fields.time == EXTENDED;
        }
        if format < 2 {
            (self.length, self.kind) = (fields.length, fields.kind);
        }
        if format == 0 {
            self.stream = fields.stream;
            self.timestamp = self.delta;
        } else {
            // format 3 after format 0 adds that header's own time (RTMP 1.0, 5.3.1.2.4); ffmpeg relies on it
            self.timestamp = self.timestamp.wrapping_add(self.delta);
        }
        self.begun = true;
    }

    /// Whether a header amid a message only repeats that message's: some encoders write every chunk in full.
    fn goes_on(&self, fields: &Fields, format: u8) -> bool {
        format < 2 && fields.length == self.length && fields.kind == self.kind
    }

    /// The time in a format 3 header and the bytes it takes there: four or none. `None` until that can be told.
    ///
    /// An extended time is repeated before every chunk of its message. Not every encoder does so: the four bytes
    /// count as time only if they are the time that is expected, or the message's own (Flash Media Encoder).
    fn repeated_time(&self, rest: &[u8]) -> Option<(u32, usize)> {
        if !self.extended {
            return Some((0, 0));
        }
        let have = &rest[..rest.len().min(4)];
        let may_be = |time: u32| time.to_be_bytes().starts_with(have);
        if !may_be(self.delta) && !may_be(self.timestamp) {
            return Some((0, 0));
        }
        (have.len() == 4).then_some((self.delta, 4))
    }

    /// Memory grows with what has come, not with what was announced.
    fn append(&mut self, bytes: &[u8]) {
        let free = self.body.capacity() - self.body.len();
        if free < bytes.len() {
            let growth = self.body.len().max(FIRST_GROWTH).min(self.length - self.body.len());
            self.body.reserve(growth.max(bytes.len()));
        }
        self.body.extend_from_slice(bytes);
    }

    fn take(&mut self) -> Option<Message> {
        if self.body.len() < self.length {
            return None;
        }
        self.begun = false;
        let payload: Bytes = std::mem::take(&mut self.body).freeze();
        Some(Message { kind: self.kind, stream: self.stream, timestamp: self.timestamp, payload })
    }
}

fn control_value(payload: &[u8]) -> Result<u32, Error> {
    payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)).ok_or(Error::ShortControl)
}

const FIRST_GROWTH: usize = 4096;
