//! What comes from a parent: the bytes of its answer, the tags of its RTMP stream, or what is in its segments.

use super::{Via, feed::Lost, segments::Segments};
use crate::{
    Claim, Origin, Source,
    client::{
        Client, Received, Receiver,
        http::Error,
        rtmp::{Event, Line, Role},
    },
    rtmp::Tape,
};
use std::time::SystemTime;
use url::Url;

/// A parent's stream under way.
pub(super) enum Intake {
    /// Over HTTP, in the source's own format.
    Http(Box<Receiver>),
    /// Over RTMP, as Flash video.
    Rtmp(Box<Line>),
    /// HLS, as Flash video or what its segments are.
    Hls(Box<Segments>),
}

impl Intake {
    /// Asks a parent for the stream; `via` are the servers that wait for it, `id` is ours.
    pub(super) async fn ask(
        client: &Client,
        parent: &Url,
        via: &str,
        id: &str,
    ) -> Result<(Intake, Source), Lost> {
        if matches!(parent.scheme(), "rtmp" | "rtmps") {
            return Intake::play(client, parent).await;
        }
        if Segments::is_meant(parent) {
            let (segments, source) = Segments::ask(client, parent).await?;
            return Ok((Intake::Hls(Box::new(segments)), source));
        }
        let receiver = Receiver::connect(client, parent, &[("Levada-Via", via)]).await?;
        let reply = receiver.reply();
        let via = Via::read(reply.field("levada-via").unwrap_or_default());
        if via.has(id) || via.is_too_long() {
            return Err(Lost::Circle);
        }
        let content_type = reply.field("content-type").unwrap_or("audio/mpeg");
        let mut source = Source::new(Origin::Relay, content_type, SystemTime::now()).described_by(reply);
        source.agent = reply.field("server").unwrap_or_default().to_owned();
        source.via = via;
        Ok((Intake::Http(Box::new(receiver)), source))
    }

    async fn play(client: &Client, parent: &Url) -> Result<(Intake, Source), Lost> {
        let address = parent.as_str().parse().map_err(|_| Error::Address(parent.to_string()))?;
        let line = Line::connect(client, &address, Role::Play).await?;
        Ok((Intake::Rtmp(Box::new(line)), Source::new(Origin::Relay, "video/x-flv", SystemTime::now())))
    }

    /// Carries it into the mount until it is lost.
    pub(super) async fn carry(self, claim: &Claim) -> Lost {
        match self {
            Intake::Http(receiver) => carry(*receiver, claim).await,
            Intake::Rtmp(line) => film(*line, claim).await,
            Intake::Hls(segments) => segments.carry(claim).await,
        }
    }
}

async fn carry(mut receiver: Receiver, claim: &Claim) -> Lost {
    loop {
        let received = tokio::select! {
            received = receiver.next() => received,
            () = claim.let_go() => return Lost::Taken,
        };
        match received {
            Ok(Some(Received::Bytes(bytes))) if claim.push(&bytes).is_err() => return Lost::Taken,
            Ok(Some(Received::Bytes(_))) => {}
            Ok(Some(Received::Title(tags))) => drop(claim.mount().retitle(tags)),
            Ok(None) => return Error::Ended.into(),
            Err(why) => return why.into(),
        }
    }
}

async fn film(mut line: Line, claim: &Claim) -> Lost {
    let mut tape = Tape::new();
    loop {
        let event = tokio::select! {
            event = line.next() => event,
            () = claim.let_go() => {
                line.finish().await;
                return Lost::Taken;
            }
        };
        match event {
            Ok(Event::Tag(tag)) if tape.write(&tag, claim).is_err() => return Lost::Taken,
            // the parent drains: it is asked again, and another one if it has gone
            Ok(Event::Reconnect { .. }) => return Error::Ended.into(),
            Ok(_) => {}
            Err(why) => return why.into(),
        }
    }
}
