//! What goes to and fro around a handshake: who asks, who answers, who is shown the door.

use super::*;

impl Secure {
    /// Asks for a session where there should be one.
    pub(super) fn ask(&mut self, now: Instant) {
        if self.asking.as_ref().is_some_and(|asking| now.duration_since(asking.began) > PATIENCE) {
            self.asking = None;
        }
        if let Some(asking) = &mut self.asking {
            if now >= asking.next {
                asking.pause = (asking.pause * 3 / 2).min(SLOWEST);
                asking.next = now + asking.pause;
                let (to, first) = (asking.to, Bytes::copy_from_slice(&asking.first));
                self.send(to, first);
            }
            return;
        }
        let silent = self.sessions.front().is_none_or(|session| session.silence(now) > SILENT);
        if self.config.peer.is_some() && silent && self.ask_at.is_none_or(|at| at <= now) {
            self.begin(now, FASTEST);
        }
    }

    /// Begins a handshake with whoever is called, or was spoken with last.
    pub(super) fn begin(&mut self, now: Instant, pause: Duration) -> Option<()> {
        let to = self.peer().or(self.config.peer)?;
        let (id, chance) = (self.new_id(), self.draw());
        let mut state = Handshake::initiator(&self.config.identity, &self.config.secret, chance)?;
        let mut first = vec![1, VERSION];
        first.extend_from_slice(&id.to_be_bytes());
        first.extend_from_slice(&[0; COOKIE]);
        state.write(&[], &mut first)?;
        first.resize(FIRST, 0);
        self.send(to, Bytes::copy_from_slice(&first));
        let next = now + pause;
        self.asking = Some(Asking { state, to, id, first, began: now, next, pause });
        Some(())
    }

    /// Somebody calls.
    pub(super) fn first(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Option<()> {
        if datagram.len() != FIRST {
            return None;
        }
        let id = word(datagram, 2)?;
        let message = datagram.get(22..22 + MESSAGES[0])?;
        if !self.admits(from) {
            return None;
        }
        if let Some(asking) = self.asking.as_ref().filter(|asking| asking.to.ip() == from.ip()) {
            // both call at once: the greater key's call is the one that counts
            if *message <= asking.first[22..22 + MESSAGES[0]] {
                return Some(());
            }
            self.asking = None;
            self.ask_at = Some(now + SILENT);
        }
        let cookie = datagram[6..22].try_into().ok()?;
        match self.door.knock(now, from, &cookie) {
            Knock::Enter => {}
            Knock::Ignore => return None,
            Knock::Bring(cookie) => {
                let mut answer = vec![4, VERSION];
                answer.extend_from_slice(&id.to_be_bytes());
                answer.extend_from_slice(&cookie);
                self.send(from, answer.into());
                return Some(());
            }
        }
        self.stats.knocks += 1;
        if datagram[1] != VERSION {
            self.refuse(from, id, Reason::Version);
            return Some(());
        }
        let chance = self.draw();
        let mut state = Handshake::responder(&self.config.identity, &self.config.secret, chance)?;
        state.read(message)?;
        let ours = self.new_id();
        let mut second = vec![2, VERSION];
        second.extend_from_slice(&ours.to_be_bytes());
        second.extend_from_slice(&id.to_be_bytes());
        state.write(&self.config.hello, &mut second)?;
        self.send(from, second.into());
        if self.answering.len() == ANSWERING {
            self.answering.pop_front();
        }
        self.answering.push_back(Answering { state, from, id: ours, their_id: id, began: now });
        Some(())
    }

    /// Our call is answered.
    pub(super) fn second(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Option<()> {
        let (theirs, id) = (word(datagram, 2)?, word(datagram, 6)?);
        let mut asking = self.asking.take_if(|asking| asking.id == id)?;
        let Some(hello) = asking.state.read(&datagram[10..]) else {
            // somebody else's answer cannot be told from a broken one: it is asked anew
            self.ask_at = Some(now + FASTEST);
            return None;
        };
        if let Some(reason) = self.speaks_otherwise(hello) {
            // it is told, since it cannot know yet
            self.refuse(from, theirs, reason);
            self.ask_at = Some(now + SLOWEST);
            self.push(Event::Refused(reason));
            return Some(());
        }
        let mut third = vec![3, VERSION];
        third.extend_from_slice(&id.to_be_bytes());
        third.extend_from_slice(&theirs.to_be_bytes());
        asking.state.write(&self.config.hello, &mut third)?;
        let agreed = asking.state.finish()?;
        if let Some(reason) = self.keeps_out(&agreed) {
            self.push(Event::TurnedAway(from, reason));
            self.push(Event::Refused(reason));
            return Some(());
        }
        let third = Bytes::from(third);
        self.send(from, third.clone());
        self.enter(Session::new(now, from, (id, theirs), agreed, hello, Some(third)));
        Some(())
    }

    /// Who called proves that it knows what we know.
    pub(super) fn third(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Option<()> {
        let (theirs, id) = (word(datagram, 2)?, word(datagram, 6)?);
        if self.sessions.iter().any(|session| session.id == id) {
            return Some(()); // heard before
        }
        let at = self.answering.iter().position(|a| a.id == id && a.their_id == theirs && a.from == from)?;
        let mut answering = self.answering.remove(at)?;
        let hello = answering.state.read(&datagram[10..]);
        let turned_away = match hello {
            None => Some(Reason::Secret),
            Some(hello) => self.speaks_otherwise(hello),
        };
        let agreed = if turned_away.is_none() { answering.state.finish() } else { None };
        let busy = |agreed: &Agreed| self.is_busy(now, from, agreed).then_some(Reason::Busy);
        let reason = turned_away
            .or_else(|| agreed.as_ref().and_then(|agreed| self.keeps_out(agreed).or(busy(agreed))));
        if let Some(reason) = reason {
            self.refuse(from, theirs, reason);
            self.push(Event::TurnedAway(from, reason));
            return Some(());
        }
        self.enter(Session::new(now, from, (id, theirs), agreed?, hello?, None));
        Some(())
    }

    /// We are to show that we are where we say.
    pub(super) fn bring(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Option<()> {
        let id = word(datagram, 2)?;
        let asking = self.asking.as_mut().filter(|asking| asking.id == id && asking.to == from)?;
        asking.first[6..22].copy_from_slice(datagram.get(6..22)?);
        asking.next = now;
        Some(())
    }

    /// We are not wanted: said to one who is in the middle of a handshake, or it means nothing.
    pub(super) fn refused(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Option<()> {
        let id = word(datagram, 2)?;
        let reason = match datagram.get(6)? {
            1 => Reason::Secret,
            2 => Reason::Busy,
            3 => Reason::Unknown,
            // those of earlier versions do not say which
            _ => datagram.get(7).map_or(Reason::Version, |theirs| self.versions(*theirs)),
        };
        if let Some(at) = self.answering.iter().position(|a| a.id == id && a.from == from) {
            // who called us has heard what we speak
            self.answering.remove(at);
            self.push(Event::TurnedAway(from, reason));
            return Some(());
        }
        let was = self.sessions.len();
        self.sessions.retain(|session| !(session.id == id && session.peer == from && session.is_unheard()));
        let asked = self.asking.take_if(|asking| asking.id == id && asking.to == from);
        if self.sessions.len() == was && asked.is_none() {
            return None;
        }
        self.ask_at = Some(now + SLOWEST);
        self.push(Event::Refused(reason));
        Some(())
    }

    /// The other end has forgotten us.
    pub(super) fn reset(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Option<()> {
        let number = word(datagram, 2)?;
        let session = self.sessions.front()?;
        let recent = session.next().wrapping_sub(u64::from(number)) as u32;
        let fits = session.peer == from && recent < 64 && session.silence(now) > FORGETFUL;
        if fits && self.asking.is_none() && self.ask_at.is_none_or(|at| at <= now) {
            self.ask_at = Some(now + FASTEST);
            self.begin(now, FASTEST)?;
        }
        fits.then_some(())
    }

    /// Whether one at this address may try.
    pub(super) fn admits(&self, from: SocketAddr) -> bool {
        let anybody = self.config.secret.is_said || self.config.known.is_some();
        anybody || self.config.peer.is_none_or(|peer| peer.ip() == from.ip())
    }

    pub(super) fn keeps_out(&self, agreed: &Agreed) -> Option<Reason> {
        let unknown = self.config.known.as_ref().is_some_and(|known| !known.contains(&agreed.key));
        unknown.then_some(Reason::Unknown)
    }

    /// Whether what it says of itself is of another version of the call.
    fn speaks_otherwise(&self, [theirs, ..]: [u8; HELLO]) -> Option<Reason> {
        (theirs != self.config.hello[0]).then(|| self.versions(theirs))
    }

    fn versions(&self, theirs: u8) -> Reason {
        Reason::Call(Versions { theirs, ours: self.config.hello[0] })
    }

    /// Whether there is a call with somebody else. One who began anew is the same: by its key, or by its address.
    pub(super) fn is_busy(&self, now: Instant, from: SocketAddr, agreed: &Agreed) -> bool {
        let session = self.sessions.front();
        session.is_some_and(|session| {
            session.silence(now) < ALIVE && session.key != agreed.key && session.peer != from
        })
    }

    pub(super) fn refuse(&mut self, to: SocketAddr, id: u32, reason: Reason) {
        let mut answer = vec![5, VERSION];
        answer.extend_from_slice(&id.to_be_bytes());
        answer.push(match reason {
            Reason::Secret => 1,
            Reason::Busy => 2,
            Reason::Unknown => 3,
            Reason::Version | Reason::Call(_) => 4,
        });
        if let Reason::Call(versions) = reason {
            answer.push(versions.ours);
        }
        self.send(to, answer.into());
    }
}
