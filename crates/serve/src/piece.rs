//! A page on its way through a channel.

use bytes::Bytes;
use levada_channel::{Flow, Role};
use levada_media::Page;
use std::time::Duration;

/// A [`Page`] that can flow through a [`levada_channel::Channel`]; the two crates do not know each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece(pub Page);

impl Flow for Piece {
    fn weight(&self) -> usize {
        self.0.bytes.len()
    }

    fn role(&self) -> Role {
        match self.0.role {
            levada_media::Role::Header => Role::Header,
            levada_media::Role::Entry => Role::Entry,
            levada_media::Role::Plain => Role::Plain,
        }
    }

    fn at(&self) -> Option<Duration> {
        self.0.at
    }

    fn whole_set(&self) -> Option<Piece> {
        let set = self.0.set.clone()?;
        Some(Piece(Page::new(set, levada_media::Role::Header)))
    }

    fn note(&self) -> Option<Piece> {
        let tags = self.0.tags.clone()?;
        Some(Piece(Page { tags: Some(tags), ..Page::new(Bytes::new(), levada_media::Role::Plain) }))
    }
}
