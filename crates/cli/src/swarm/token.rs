//! The token of a private team, as it is said on a command line.

use crate::exit::{AUTH, Exit, FAILED, USAGE};
use levada_swarm::native::Pass;

/// What lets into a private team.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Token {
    /// What all of a private team share, the tracker too; who has it not gets nothing. Native wire only. Also from the
    /// environment, as LEVADA_SWARM_TOKEN, where other users of this machine do not see it
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

impl Token {
    /// Of an address or a configuration.
    pub fn of(token: Option<String>) -> Token {
        Token { token }
    }

    /// What it becomes.
    ///
    /// # Errors
    /// An empty one, which would let nobody know.
    pub fn pass(&self) -> Result<Option<Pass>, Exit> {
        let token = self.token.clone().or_else(|| std::env::var("LEVADA_SWARM_TOKEN").ok());
        match token {
            Some(token) if token.is_empty() => Err(Exit(USAGE, "an empty token keeps nobody out".into())),
            token => Ok(token.as_deref().map(Pass::of)),
        }
    }
}

/// Who is private, and wants a token: the first one, or another than was said.
pub fn refusal(who: &str, said: bool) -> anyhow::Error {
    let why = if said { "wants another token than this" } else { "is private: say its --token" };
    Exit(AUTH, format!("{who} {why}")).into()
}

/// Whose wire is of another version than this program's.
pub fn other_version(who: &str, theirs: u8, ours: u8) -> anyhow::Error {
    Exit(FAILED, format!("{who} speaks version {theirs} of the wire, and this is version {ours}")).into()
}
