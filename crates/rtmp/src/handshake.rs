//! The greeting before the first chunk, for both ends: simple (each echoes the other) and digest (each signs).

mod digest;

use bytes::{Bytes, BytesMut};

/// What a greeting asks of its owner.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// More bytes from the peer.
    More,
    /// These bytes to the peer, in one write; then call again.
    Write(Bytes),
    /// Nothing: what is left in the input are chunks.
    Done,
}

/// How a client greets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Random bytes, echoed. What librtmp and OBS do.
    Simple,
    /// Signed random bytes. Adobe's servers want it before they carry H.264; others fall back to simple.
    #[default]
    Digest,
}

/// Why a greeting failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not 3: encrypted RTMP, or another protocol altogether.
    #[error("handshake version {0} is not RTMP's 3")]
    Version(u8),
}

/// The greeting as a server gives it: answers a good digest with a digest, everything else simply.
#[derive(Debug)]
pub struct Server {
    seed: u64,
    phase: ServerPhase,
}

#[derive(Debug, Clone, Copy)]
enum ServerPhase {
    Hello,
    Echo,
    Done,
}

impl Server {
    /// A greeting whose random bytes come from `seed`.
    pub fn new(seed: u64) -> Server {
        Server { seed, phase: ServerPhase::Hello }
    }

    /// Takes what it can from the front of `input`.
    ///
    /// # Errors
    /// When the first byte is not RTMP's, at once.
    pub fn advance(&mut self, input: &mut BytesMut) -> Result<Step, Error> {
        match self.phase {
            ServerPhase::Hello => {
                let Some(hello) = take_hello(input)? else { return Ok(Step::More) };
                self.phase = ServerPhase::Echo;
                Ok(Step::Write(self.answer(&hello)))
            }
            ServerPhase::Echo => {
                // librtmp sends its echo together with `connect`; nobody checks what the echo says
                let Some(_) = take_block(input) else { return Ok(Step::More) };
                self.phase = ServerPhase::Done;
                Ok(Step::Done)
            }
            ServerPhase::Done => Ok(Step::Done),
        }
    }

    /// S0, S1 and S2 together.
    fn answer(&self, hello: &Block) -> Bytes {
        let mut own = noise(self.seed);
        let mut reply = *hello;
        // the version field of a simple greeting is zero
        if let Some((scheme, signature)) = digest::find(hello, digest::CLIENT_SHORT).filter(|_| hello[4] != 0)
        {
            own[4..8].copy_from_slice(&SERVER_VERSION);
            digest::sign(&mut own, scheme, digest::SERVER_SHORT);
            reply = noise(self.seed.wrapping_add(1));
            digest::answer(&mut reply, &signature, digest::SERVER);
        }
        [&[VERSION][..], &own, &reply].concat().into()
    }
}

/// The greeting as a client gives it.
#[derive(Debug)]
pub struct Client {
    style: Style,
    seed: u64,
    phase: ClientPhase,
}

#[derive(Debug, Clone, Copy)]
enum ClientPhase {
    Hello,
    Answer,
    Echo,
    Done,
}

impl Client {
    /// A greeting whose random bytes come from `seed`.
    pub fn new(style: Style, seed: u64) -> Client {
        Client { style, seed, phase: ClientPhase::Hello }
    }

    /// Takes what it can from the front of `input`; the first step writes without any.
    ///
    /// # Errors
    /// When the server's first byte is not RTMP's.
    pub fn advance(&mut self, input: &mut BytesMut) -> Result<Step, Error> {
        match self.phase {
            ClientPhase::Hello => {
                self.phase = ClientPhase::Answer;
                Ok(Step::Write([&[VERSION][..], &self.hello()].concat().into()))
            }
            ClientPhase::Answer => {
                let Some(answer) = take_hello(input)? else { return Ok(Step::More) };
                self.phase = ClientPhase::Echo;
                Ok(Step::Write(self.reply(&answer)))
            }
            ClientPhase::Echo => {
                let Some(_) = take_block(input) else { return Ok(Step::More) };
                self.phase = ClientPhase::Done;
                Ok(Step::Done)
            }
            ClientPhase::Done => Ok(Step::Done),
        }
    }

    fn hello(&self) -> Block {
        let mut own = noise(self.seed);
        if self.style == Style::Digest {
            own[4..8].copy_from_slice(&CLIENT_VERSION);
            digest::sign(&mut own, digest::Scheme::Late, digest::CLIENT_SHORT);
        }
        own
    }

    /// C2: a signature if the server signed, else the echo of S1.
    fn reply(&self, answer: &Block) -> Bytes {
        let signed = digest::find(answer, digest::SERVER_SHORT).filter(|_| self.style == Style::Digest);
        let Some((_, signature)) = signed else { return Bytes::copy_from_slice(answer) };
        let mut reply = noise(self.seed.wrapping_add(1));
        digest::answer(&mut reply, &signature, digest::CLIENT);
        Bytes::copy_from_slice(&reply)
    }
}

/// C1, S1, C2 and S2: time, version, then noise.
type Block = [u8; BLOCK];

fn take_hello(input: &mut BytesMut) -> Result<Option<Block>, Error> {
    match input.first() {
        Some(&VERSION) => {}
        Some(&other) => return Err(Error::Version(other)),
        None => return Ok(None),
    }
    if input.len() <= BLOCK {
        return Ok(None);
    }
    let _ = input.split_to(1);
    Ok(take_block(input))
}

fn take_block(input: &mut BytesMut) -> Option<Block> {
    let block = *input.first_chunk::<BLOCK>()?;
    let _ = input.split_to(BLOCK);
    Some(block)
}

/// A block with time and version zero and noise after them; it need not be secret, only unlike others (splitmix64).
fn noise(seed: u64) -> Block {
    let mut block = [0; BLOCK];
    let mut state = seed;
    for bytes in block[8..].chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.copy_from_slice(&(word ^ (word >> 31)).to_be_bytes()[..bytes.len()]);
    }
    block
}

/// Plain RTMP (RTMP 1.0, 5.2.2); 6 and 8 are the encrypted kinds.
const VERSION: u8 = 3;
const BLOCK: usize = 1536;
/// The Flash Player and the server whose greetings these are; any value with a first byte of 3 or more will do.
const CLIENT_VERSION: [u8; 4] = [9, 0, 124, 2];
const SERVER_VERSION: [u8; 4] = [4, 5, 0, 1];

#[cfg(test)]
mod tests;
