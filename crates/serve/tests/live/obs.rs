//! OBS Studio's connection replayed at a server's door, byte for byte and write for write.

#[path = "../../../rtmp/tests/sessions/obs/script.rs"]
mod script;

use crate::kit::{PATIENCE, Rig};
use anyhow::{Context, Result, ensure};
use levada_media::container::flv::tag::Kind;
use levada_rtmp::{
    amf0::Value,
    chunk,
    message::{self, Command, Message},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// OBS at the other end of a socket.
struct Obs {
    stream: TcpStream,
    reader: chunk::Reader,
}

impl Obs {
    /// Greets as OBS does: its echo and `connect` leave in one write.
    async fn connect(rig: &Rig, app: &str) -> Result<Obs> {
        let mut stream = TcpStream::connect(rig.rtmp).await?;
        stream.write_all(&script::greeting()).await?;
        let mut answer = vec![0; 1 + 2 * 1536];
        timeout(PATIENCE, stream.read_exact(&mut answer)).await??;
        ensure!(answer[1537 + 8..] == script::greeting()[9..], "its own bytes come back");
        let server = format!("rtmp://{}/{app}", rig.rtmp);
        stream.write_all(&[&answer[1..1537], &script::connect(&server, app)].concat()).await?;
        Ok(Obs { stream, reader: chunk::Reader::new(chunk::Limits::default()) })
    }

    /// The next command of the server.
    async fn command(&mut self) -> Result<(Message, Command)> {
        loop {
            if let Some(message) = self.reader.poll()? {
                if message.kind == message::COMMAND {
                    let command = Command::read(&message)?;
                    return Ok((message, command));
                }
                continue;
            }
            let mut bytes = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await.context("silence")??;
            ensure!(read > 0, "the server closed");
            self.reader.push(&bytes[..read]);
        }
    }

    /// Up to the answer to `publish`: its level and code.
    async fn publish(&mut self, key: &str) -> Result<(String, String)> {
        ensure!(self.command().await?.1.name == "_result");
        self.stream.write_all(&script::create(key)).await?;
        let made = loop {
            let (_, command) = self.command().await?;
            if (command.name.as_str(), command.transaction) == ("_result", 4.0) {
                break command;
            }
        };
        ensure!(
            made.argument(1).and_then(Value::as_u32) == Some(1) || made.argument(0).is_some(),
            "{made:?}"
        );
        self.stream.write_all(&script::publish(key)).await?;
        loop {
            let (_, command) = self.command().await?;
            if command.name != "onStatus" {
                continue;
            }
            let text = |name| -> String {
                let information = command.arguments.iter().find_map(|value| value.get(name));
                information.and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            return Ok((text("level"), text("code")));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn obs_publishes_with_the_key_as_a_parameter_or_as_its_stream_key() -> Result<()> {
    let rig = Rig::start("").await?;
    for (app, key, mount) in [("live", "tea?key=hush", "/live/tea"), ("live/coffee", "hush", "/live/coffee")]
    {
        let mut obs = Obs::connect(&rig, app).await?;
        assert_eq!(obs.publish(key).await?, ("status".into(), "NetStream.Publish.Start".into()));
        obs.stream.write_all(&script::media()).await?;
        rig.live(mount).await?;
        let mut player = rig.play(mount).await?;
        let tags = [player.tag().await?, player.tag().await?, player.tag().await?];
        let picture = tags.iter().find(|tag| tag.payload.len() > 10_000).context("no picture")?;
        ensure!(picture.kind == Kind::Video && picture.payload.starts_with(b"\x17\x01"), "{picture:?}");
        ensure!(tags.iter().filter(|tag| tag.is_setup()).count() == 2, "{tags:?}");
        obs.stream.shutdown().await?;
    }
    rig.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn obs_is_told_to_give_up_on_a_wrong_key_and_mounts_have_keys_of_their_own() -> Result<()> {
    let rig = Rig::start("[[mount]]\nname = '/live/tea'\nsource_password = 'own'\n").await?;
    for (key, good) in
        [("tea?key=wrong", false), ("tea", false), ("tea?key=hush", false), ("tea?key=own", true)]
    {
        let mut obs = Obs::connect(&rig, "live").await?;
        let (level, code) = obs.publish(key).await?;
        let expected = if good { "NetStream.Publish.Start" } else { "NetStream.Publish.Denied" };
        assert_eq!((level == "status", code.as_str()), (good, expected), "{key}");
        let mut rest = Vec::new();
        if !good {
            timeout(PATIENCE, obs.stream.read_to_end(&mut rest)).await.context("it stays open")??;
        }
    }
    rig.server.stop().await;
    Ok(())
}
