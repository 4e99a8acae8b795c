//! How a command ends: its exit status, and the sentence that says why.

use crate::{config::Trouble, output::Console};
use levada_serve::client::{http, rtmp};
use std::{fmt, process::ExitCode};

/// Ends well or says what went wrong on stderr.
pub fn report(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let code = code(&error);
    // A status without a sentence: whoever failed has said why.
    if !is_closed_pipe(&error) && !error.to_string().is_empty() {
        let red = Console::wants_color(std::io::IsTerminal::is_terminal(&std::io::stderr()));
        let (on, off) = if red { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        eprintln!("{on}levada:{off} {error:#}");
    }
    ExitCode::from(code)
}

/// The exit status for an error: the first cause that has one decides.
pub fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(of_cause).unwrap_or(FAILED)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(Exit(code, _)) = cause.downcast_ref() {
        return Some(*code);
    }
    if cause.is::<Trouble>() {
        return Some(CONFIG);
    }
    if let Some(why) = cause.downcast_ref::<rtmp::Error>() {
        return match why {
            why if why.is_auth() => Some(AUTH),
            rtmp::Error::Network(why) => of_cause(why),
            _ => Some(NETWORK),
        };
    }
    match cause.downcast_ref::<http::Error>()? {
        error if error.is_auth() => Some(AUTH),
        http::Error::Patience(_) => Some(TIMEOUT),
        http::Error::Address(_) => Some(USAGE),
        _ => Some(NETWORK),
    }
}

/// Whoever read our output has enough of it; nothing to say.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let broken = |io: &std::io::Error| io.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken)) && code(error) == FAILED
}

/// An error that decides the exit status by itself.
#[derive(Debug)]
pub struct Exit(pub u8, pub String);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

impl std::error::Error for Exit {}

/// Something failed.
pub const FAILED: u8 = 1;
/// What was typed makes no sense.
pub const USAGE: u8 = 2;
/// The configuration is wrong.
pub const CONFIG: u8 = 3;
/// The network or the other end failed.
pub const NETWORK: u8 = 4;
/// User or password were not accepted.
pub const AUTH: u8 = 5;
/// Something did not happen in time, as with timeout(1).
pub const TIMEOUT: u8 = 124;

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn causes_decide_the_status() {
        let of = |error: http::Error| code(&Err::<(), _>(error).context("while asking").unwrap_err());
        let refused = |status| http::Error::Refused { status, reason: String::new(), said: String::new() };
        assert_eq!(of(refused(401)), AUTH);
        assert_eq!(of(refused(404)), NETWORK);
        assert_eq!(of(http::Error::Patience("stream")), TIMEOUT);
        assert_eq!(code(&anyhow::anyhow!("anything")), FAILED);
        assert_eq!(code(&Exit(USAGE, "no".into()).into()), USAGE);
    }
}
