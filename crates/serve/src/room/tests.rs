use super::*;
use crate::Server;
use levada_link::room::wire::{Heard, Join, Said, VERSION};
use std::sync::Mutex as StdMutex;
use tokio::{net::UdpSocket, time::timeout};

/// A participant that comes by datagrams and knows the wire only.
struct Guest {
    socket: UdpSocket,
    pass: u64,
}

impl Guest {
    async fn enter(server: SocketAddr) -> anyhow::Result<Guest> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(server).await?;
        let (room, name) = (Some("band".parse()?), DisplayName::of("guest"));
        let mut join = Join { version: VERSION, nonce: 5, cookie: [0; 16], pass: 0, flags: 0, room, name };
        let mut guest = Guest { socket, pass: 0 };
        guest.socket.send(&join.write()).await?;
        loop {
            let heard = guest.hear().await?;
            match Heard::read(&heard) {
                Some(Heard::Bring { cookie, .. }) => {
                    join.cookie = cookie;
                    guest.socket.send(&join.write()).await?;
                }
                Some(Heard::Welcome { pass, .. }) => {
                    guest.pass = pass;
                    return Ok(guest);
                }
                _ => {}
            }
        }
    }

    async fn hear(&self) -> anyhow::Result<Vec<u8>> {
        let mut buffer = vec![0; 2_000];
        let length = timeout(Duration::from_secs(20), self.socket.recv(&mut buffer)).await??;
        buffer.truncate(length);
        Ok(buffer)
    }

    async fn say(&self, said: Said<'_>) -> anyhow::Result<()> {
        self.socket.send(&said.datagram(self.pass)).await?;
        Ok(())
    }
}

fn config(text: &str) -> Config {
    toml::from_str(&format!("[http]\nlisten = ['127.0.0.1:0']\n[rooms]\n{text}")).unwrap()
}

#[tokio::test]
async fn a_seat_and_a_datagram_port_are_one_room() -> anyhow::Result<()> {
    let server = Server::start(config("listen = ['127.0.0.1:0', '127.0.0.2:0']"), "x".into()).await?;
    let rooms = server.station().rooms.clone();
    let ports = rooms.addresses();
    let guest = Guest::enter(ports[0]).await?;
    let other = Guest::enter(ports[1]).await?;
    let mut seat = rooms.join("band", "web", 0)?;
    assert_eq!((seat.number, rooms.list()), (3, vec![("band".parse()?, 3)]));
    assert_eq!(rooms.roster("band").map(|roster| roster.participants.len()), Some(3));

    guest.say(Said::Frame(&[7; 40])).await?;
    loop {
        let message = seat.next().await;
        if let Some(Heard::Frame { from, frame }) = message.as_deref().and_then(Heard::read) {
            assert_eq!((from, frame), (1, &[7; 40][..]));
            break;
        }
    }
    // rosters that it does not acknowledge are told to it meanwhile; each socket answers for itself
    while Heard::read(&other.hear().await?) != Some(Heard::Frame { from: 1, frame: &[7; 40] }) {}
    assert!(seat.frame(&[8; 40]) && seat.send(&Said::Control { to: 2, body: b"psst" }.write()));
    assert!(!seat.frame(&[8; 4]) && !seat.send(b"nonsense"));
    while Heard::read(&guest.hear().await?) != Some(Heard::Frame { from: 3, frame: &[8; 40] }) {}
    while Heard::read(&other.hear().await?) != Some(Heard::Control { from: 3, body: b"psst" }) {}
    drop(seat);
    assert_eq!(rooms.roster("band").map(|roster| roster.participants.len()), Some(2));
    assert_eq!(rooms.join("a b", "web", 0).err(), Some(Refusal::Unknown));

    let mut last = rooms.join("band", "web", 0)?;
    server.stop().await;
    while last.next().await.is_some() {}
    Ok(())
}

#[tokio::test]
async fn ports_of_rooms_follow_the_configuration_and_nobody_is_put_out() -> anyhow::Result<()> {
    let first = config("listen = ['127.0.0.1:0']");
    let next = Arc::new(StdMutex::new(first.clone()));
    let again = next.clone();
    let load = Box::new(move || Ok(again.lock().unwrap().clone()));
    let server = Server::start_with(first, "x".into(), load).await?;
    let rooms = server.station().rooms.clone();
    let guest = Guest::enter(rooms.addresses()[0]).await?;
    *next.lock().unwrap() =
        config("listen = ['127.0.0.1:0', '127.0.0.2:0']\nnames = ['choir']\nparticipants = 1");
    let changes = server.station().reload().await?;
    let keys: Vec<_> = changes.iter().map(|change| change.key.as_str()).collect();
    assert_eq!(keys, ["rooms.listen", "rooms.names", "rooms.participants"]);
    assert_eq!(rooms.addresses().len(), 2);
    assert_eq!(rooms.join("band", "web", 0).err(), Some(Refusal::Unknown));
    assert!(rooms.join("choir", "web", 0).is_ok());
    guest.say(Said::Known(u32::MAX)).await?;
    while !matches!(Heard::read(&guest.hear().await?), Some(Heard::Roster(_))) {}
    // one that cannot be had leaves all as it was
    let taken = std::net::UdpSocket::bind("127.0.0.1:0")?;
    *next.lock().unwrap() = config(&format!("listen = ['{}']", taken.local_addr()?));
    assert!(server.station().reload().await.is_err());
    assert_eq!(rooms.addresses().len(), 2);
    *next.lock().unwrap() = config("");
    server.station().reload().await?;
    assert!(rooms.addresses().is_empty());
    server.stop().await;
    Ok(())
}
