//! Who comes by datagrams: cookies, answers to strangers, and members that move.

use super::{Entrant, Event, Hub, Pass, Why};
use crate::room::member::Member;
use crate::room::wire::{self, COOKIE, Heard, JOIN, Join, Refusal, Said};
use std::net::SocketAddr;
use std::time::Instant;

impl Hub {
    /// A datagram came.
    pub(super) fn datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        if datagram.len() == JOIN
            && let Some(join) = Join::read(datagram)
        {
            return self.knock(now, from, join);
        }
        let Some((pass, said)) = Said::read_datagram(datagram) else {
            self.stats.strangers += 1;
            return;
        };
        let pass = Pass(pass);
        let address = self.members.get(&pass).map(Member::address);
        if address == Some(Some(from)) {
            let understood = said.is_some_and(|said| self.said(now, pass, &said));
            self.stats.strangers += u64::from(!understood);
            return;
        }
        self.stats.strangers += 1;
        let answer = match address {
            // it has moved, or somebody wants it to have: it is to show that it is there
            Some(Some(_)) if datagram.len() > 8 + COOKIE => {
                Heard::Bring { nonce: pass.0, cookie: self.cookies.bake(now, from) }
            }
            Some(_) => return,
            None => Heard::Gone(pass.0),
        };
        self.answer(now, from, answer);
    }

    fn answer(&mut self, now: Instant, to: SocketAddr, answer: Heard<'_>) {
        if self.answers.take(now, 0) {
            self.send(to, answer.write());
        } else {
            self.stats.dropped += 1;
        }
    }

    /// Somebody wants to come in, or has moved.
    fn knock(&mut self, now: Instant, from: SocketAddr, join: Join) {
        let nonce = join.nonce;
        if !self.cookies.is_of(now, from, join.cookie) {
            self.stats.strangers += 1;
            let cookie = self.cookies.bake(now, from);
            return self.answer(now, from, Heard::Bring { nonce, cookie });
        }
        if !self.entries.take(now, 0) {
            self.stats.dropped += 1; // it will knock again
            return;
        }
        let room = join.room.clone();
        match self.enter(now, from, join) {
            Ok(Pass(pass)) => self.answer(now, from, Heard::Welcome { nonce, pass }),
            Err(why) => {
                self.tell(Event::Refused(from, room, why));
                self.answer(now, from, Heard::Refused { nonce, why });
            }
        }
    }

    fn enter(&mut self, now: Instant, from: SocketAddr, join: Join) -> Result<Pass, Refusal> {
        if join.version != wire::VERSION {
            return Err(Refusal::Version);
        }
        let Some(room) = join.room else { return Err(Refusal::Unknown) };
        let moved = Pass(join.pass);
        if let Some(before) =
            self.members.get(&moved).filter(|member| member.room == room).map(Member::address)
        {
            self.moved(moved, before, from);
            self.tell_roster(now, moved);
            return Ok(moved);
        }
        if let Some(pass) = self.addresses.get(&from).copied() {
            let same = self
                .members
                .get(&pass)
                .is_some_and(|m| m.room == room && m.name == join.name && join.pass == 0);
            if same {
                // the welcome was lost
                self.tell_roster(now, pass);
                return Ok(pass);
            }
            self.put_out(now, pass, Why::Left);
        }
        self.join(now, &room, join.name, join.flags, Entrant::Datagrams(from)).map(|seated| seated.pass)
    }

    /// A member is at another address now, where it may have been somebody else before.
    fn moved(&mut self, pass: Pass, before: Option<SocketAddr>, to: SocketAddr) {
        if before == Some(to) || self.addresses.contains_key(&to) {
            return;
        }
        let (Some(before), Some(member)) = (before, self.members.get_mut(&pass)) else { return };
        member.entrant = Entrant::Datagrams(to);
        self.addresses.remove(&before);
        self.addresses.insert(to, pass);
        self.forget(before.ip());
        *self.crowds.entry(to.ip()).or_default() += 1;
    }
}
