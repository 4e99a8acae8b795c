//! Announces a session by SAP while it lasts, and says when it is over.

use super::{Address, Session, sap, sap::Announcement, socket};
use std::{io, time::Duration};
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep_until},
};

/// Announces at once and then every [`EVERY`], as far as the group reaches.
pub struct Herald {
    socket: UdpSocket,
    says: Announcement,
    next: Instant,
}

impl Herald {
    /// A herald for `session`; `None` where that is no group or wants no announcement.
    ///
    /// # Errors
    /// When the system has no way to where such groups are announced.
    pub fn new(session: &Session) -> io::Result<Option<Herald>> {
        if !session.at.is_group() || !session.at.announced {
            return Ok(None);
        }
        let place = Address { to: sap::place(session.at.to.ip()), source: None, ..session.at.clone() };
        let text = session.write();
        let says =
            Announcement { origin: session.origin, hash: sap::hash(&text), over: false, session: text };
        Ok(Some(Herald { socket: socket::sender(&place)?, says, next: Instant::now() }))
    }

    /// Announces whenever it is time, for ever. Can be dropped and called again.
    pub async fn run(&mut self) {
        loop {
            sleep_until(self.next).await;
            self.next = Instant::now() + EVERY;
            // who is not heard now is heard the next time
            let _unheard = self.socket.send(&self.says.to_bytes()).await;
        }
    }

    /// Says that the session is over.
    pub async fn end(&self) {
        let over = Announcement { over: true, ..self.says.clone() };
        let _unheard = self.socket.send(&over.to_bytes()).await;
    }
}

/// What ffmpeg and VLC do: whoever opens the list has it soon. A description is less than 500 bytes.
pub const EVERY: Duration = Duration::from_secs(5);
