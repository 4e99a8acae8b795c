//! What a reactor is told from outside, and how listeners come into crowds and leave them.

use super::{
    super::{
        Joining, Whom,
        carry::Then,
        crowd::Crowd,
        listener::{Listener, Skips},
        place::Place,
        transport::Wire,
        wheel::Tick,
    },
    Reactor,
};
use crate::{End, Rendition, RenditionId, Session, SessionId};
use bytes::Bytes;
use levada_channel::Start;
use mio::Token;
use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed, mpsc},
    time::Instant,
};

/// What a reactor is told from outside.
#[derive(Debug)]
pub(in super::super) enum Command {
    Join(Box<Joining>),
    Shift {
        from: RenditionId,
        to: Arc<Rendition>,
        whom: Whom,
    },
    End {
        rendition: RenditionId,
        end: End,
        whom: Whom,
    },
    Kick(SessionId),
    /// Nobody is taken in any more; who is left at the deadline is cut off.
    Shutdown(Closing),
    /// The thread ends.
    Stop,
}

/// A shutdown under way.
#[derive(Clone, Debug)]
pub(in super::super) struct Closing {
    pub(in super::super) deadline: Instant,
    /// Dropped when nobody is left.
    pub(in super::super) done: Option<mpsc::Sender<()>>,
}

impl Reactor {
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Join(joining) => self.join(*joining),
            Command::Shift { from, to, whom } => self.shift(from, &to, &whom),
            Command::End { rendition, end, whom } => self.end(rendition, end, &whom),
            Command::Kick(session) => self.kick(session),
            Command::Shutdown(closing) => self.shutdown(closing),
            Command::Stop => self.stopped = true,
        }
    }

    fn join(&mut self, joining: Joining) {
        let session = joining.session.clone();
        if self.closing.is_some() {
            return self.turn_away(session, End::Shutdown);
        }
        let crowd = self.crowd_of(joining.rendition.clone());
        match self.seat(joining, crowd) {
            Ok(key) => self.serve(key),
            Err(error) => {
                tracing::debug!(%error, "a listener's socket cannot be watched");
                self.turn_away(session, End::Left);
                self.drop_if_empty(crowd);
            }
        }
        self.hang_bell(crowd);
    }

    fn turn_away(&self, session: Arc<Session>, end: End) {
        self.post.tally.listeners.fetch_sub(1, Relaxed);
        (self.post.on_end)(session, end);
    }

    fn seat(&mut self, joining: Joining, crowd: usize) -> io::Result<usize> {
        let mut wire = Wire::new(joining.transport)?;
        wire.tune(&self.post.config);
        let key = self.listeners.vacant_key();
        wire.register(&self.registry, Token(key))?;
        self.crowds[crowd].widen(joining.burst, &self.post.config);
        let place = Place::new(joining.framing, joining.head, joining.intro.unwrap_or_default())
            .catching_up(joining.catch_up);
        let ring = joining.pace.ring(self.crowds[crowd].reel.rate());
        let expires = joining.expires.map(|at| Tick::not_before(at.saturating_duration_since(self.began)));
        self.listeners.insert(Listener {
            wire,
            session: joining.session,
            place,
            pace: joining.pace,
            crowd: 0,
            member: 0,
            prompt: None,
            seat: self.wheel.sit(key as u32, ring),
            blocked: false,
            progress: self.tick,
            expires,
            skips: Skips::default(),
            farewell: joining.farewell.map(Box::new),
        });
        self.enter_crowd(key, crowd, joining.burst, None);
        self.reseat(key);
        Ok(key)
    }

    /// Puts a listener that has no place yet into a crowd, at `from` on its reel.
    pub(super) fn enter_crowd(&mut self, key: usize, crowd_key: usize, from: Start, had: Option<Bytes>) {
        self.listeners[key].crowd = crowd_key as u32;
        self.listeners[key].member = self.crowds[crowd_key].enter(key as u32);
        self.fill(crowd_key); // as a member, so that the crowd stays even if all others prove too slow now
        let (listener, crowd) = (&mut self.listeners[key], &mut self.crowds[crowd_key]);
        let entry = crowd.reel.join(from);
        listener.place.begin(entry, &crowd.reel, had, &self.post.config);
        crowd.keep_for(&listener.place);
        if listener.is_prompt() {
            self.enter_prompt(key);
        }
    }

    /// Takes a listener out of its crowd, which goes if that was the last.
    pub(super) fn leave_crowd(&mut self, key: usize) {
        self.leave_prompt(key);
        let (crowd, member) = (self.listeners[key].crowd as usize, self.listeners[key].member);
        if let Some(moved) = self.crowds[crowd].leave(member) {
            self.listeners[moved as usize].member = member;
        }
        self.drop_if_empty(crowd);
    }

    /// Has a listener served at each publish.
    pub(super) fn enter_prompt(&mut self, key: usize) {
        let listener = &mut self.listeners[key];
        if listener.prompt.is_none() {
            let crowd = listener.crowd as usize;
            listener.prompt = Some(self.crowds[crowd].enter_prompt(key as u32));
            self.hang_bell(crowd);
        }
    }

    /// Has a listener served at its turn only.
    pub(super) fn leave_prompt(&mut self, key: usize) {
        let listener = &mut self.listeners[key];
        let Some(number) = listener.prompt.take() else { return };
        if let Some(moved) = self.crowds[listener.crowd as usize].leave_prompt(number) {
            self.listeners[moved as usize].prompt = Some(number);
        }
    }

    /// Makes sure that the reactor is woken by a crowd's next page, if anybody there is to have it at once.
    pub(super) fn hang_bell(&mut self, crowd: usize) {
        if self.crowds.get_mut(crowd).is_some_and(|crowd| !crowd.hang_bell()) {
            self.post.inbox.ring(crowd);
        }
    }

    /// The crowd of a rendition, new if need be.
    pub(super) fn crowd_of(&mut self, rendition: Arc<Rendition>) -> usize {
        if let Some(crowd) = self.by_rendition.get(&rendition.id) {
            return *crowd;
        }
        let id = rendition.id;
        let key = self.crowds.vacant_key();
        let tally = self.post.tallies.rendition(id, self.post.number);
        let crowd = Crowd::new(rendition, key, self.post.inbox.clone(), tally, &self.post.config, self.now);
        self.by_rendition.insert(id, key);
        self.crowds.insert(crowd)
    }

    fn drop_if_empty(&mut self, crowd: usize) {
        if self.crowds[crowd].members.is_empty() {
            let gone = self.crowds.remove(crowd);
            self.by_rendition.remove(&gone.rendition.id);
        }
    }

    fn shift(&mut self, from: RenditionId, to: &Arc<Rendition>, whom: &Whom) {
        self.draw(from);
        self.send(&Then::Hop(to.clone()), |heading, session| heading == from && whom.includes(session));
    }

    fn end(&mut self, rendition: RenditionId, end: End, whom: &Whom) {
        self.draw(rendition);
        self.send(&Then::Close(end), |heading, session| heading == rendition && whom.includes(session));
    }

    fn draw(&mut self, rendition: RenditionId) {
        if let Some(crowd) = self.by_rendition.get(&rendition) {
            self.fill(*crowd);
        }
    }

    /// Gives a goal to those who are meant, by the rendition that they are on or on their way to, and serves them at
    /// once. Who is to end anyway does.
    fn send(&mut self, then: &Then, whom: impl Fn(RenditionId, &Session) -> bool) {
        let heading = |listener: &Listener| match listener.place.goal() {
            Some(Then::Hop(to)) => Some(to.id),
            Some(Then::Close(_)) => None,
            None => self.crowds.get(listener.crowd as usize).map(|crowd| crowd.rendition.id),
        };
        let sent: Vec<usize> = (self.listeners.iter())
            .filter(|(_, listener)| heading(listener).is_some_and(|heading| whom(heading, &listener.session)))
            .map(|(key, _)| key)
            .collect();
        for key in sent {
            let Some(listener) = self.listeners.get_mut(key) else { continue }; // too slow for what was drawn meanwhile
            listener.place.aim(then.clone(), &self.crowds[listener.crowd as usize].reel);
            self.serve(key);
        }
    }

    fn kick(&mut self, session: SessionId) {
        let key = self.listeners.iter().find(|(_, listener)| listener.session.id == session);
        if let Some((key, _)) = key {
            self.finish(key, End::Kicked);
        }
    }

    fn shutdown(&mut self, closing: Closing) {
        self.closing = Some(closing);
        let renditions: Vec<RenditionId> = self.by_rendition.keys().copied().collect();
        renditions.into_iter().for_each(|rendition| self.draw(rendition));
        self.send(&Then::Close(End::Shutdown), |_, _| true);
    }

    /// Cuts off who is left at a shutdown's deadline, and tells when nobody is.
    pub(super) fn close_if_due(&mut self) {
        if self.closing.as_ref().is_some_and(|closing| closing.deadline <= self.now) {
            let left: Vec<usize> = self.listeners.iter().map(|(key, _)| key).collect();
            left.into_iter().for_each(|key| self.finish(key, End::Shutdown));
        }
        if let Some(closing) = self.closing.as_mut().filter(|_| self.listeners.is_empty()) {
            closing.done = None;
        }
    }
}
