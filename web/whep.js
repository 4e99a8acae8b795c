// Plays a mount over WebRTC (WHEP): `const handle = await play(video, "/whep/live/tea")`, and `handle.close()` to end it.
// The promise is kept once a picture or sound has arrived, and broken with an Error whose message is for people.
// `handle.ended` is kept with a reason, when the stream ends or the connection breaks.

const PATIENCE = 10000; // milliseconds until the first frame

export const works = () => typeof RTCPeerConnection === "function";

export async function play(video, url, { authorization } = {}) {
  if (!works()) throw new Error("This browser has no WebRTC.");
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  let resource = null;
  let finish;
  const ended = new Promise((resolve) => { finish = resolve; });
  const close = (why = "closed") => {
    peer.close();
    if (resource) fetch(resource, { method: "DELETE", keepalive: true }).catch(() => {});
    resource = null;
    if (video.srcObject === stream) video.srcObject = null;
    finish(why);
  };
  const stream = new MediaStream();
  peer.addEventListener("track", ({ track, receiver }) => {
    // as soon as it is there: live is what this is for
    if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
    stream.addTrack(track);
  });
  try {
    const pictures = peer.addTransceiver("video", { direction: "recvonly" });
    peer.addTransceiver("audio", { direction: "recvonly" });
    const offer = await peer.createOffer();
    offer.sdp = stereo(offer.sdp);
    await peer.setLocalDescription(offer);
    const headers = { "Content-Type": "application/sdp" };
    if (authorization) headers.Authorization = authorization;
    const answer = await fetch(url, { method: "POST", headers, body: peer.localDescription.sdp }).catch(() => {
      throw new Error("The server cannot be reached.");
    });
    if (answer.status !== 201) throw new Error(await refusal(answer));
    resource = new URL(answer.headers.get("Location"), new URL(url, location.href)).href;
    const sdp = await answer.text();
    video.srcObject = stream;
    await peer.setRemoteDescription({ type: "answer", sdp });
    video.play().catch(() => {}); // without a gesture there may be a picture only, or nothing: the page says so
    await begun(peer, pictures.currentDirection === "recvonly");
  } catch (why) {
    close(why.message);
    throw why;
  }
  peer.addEventListener("connectionstatechange", () => {
    if (["failed", "closed"].includes(peer.connectionState)) close("The connection broke.");
    if (peer.connectionState === "disconnected") setTimeout(() => peer.connectionState !== "connected" && close("The connection broke."), 4000);
  });
  watch(peer, close);
  return { close, ended, peer, stats: () => statistics(peer) };
}

// Opus is heard in mono unless the offer says otherwise (RFC 7587 §7.1).
function stereo(sdp) {
  const type = /a=rtpmap:(\d+) opus\/48000\/2/i.exec(sdp)?.[1];
  return type ? sdp.replace(new RegExp(`(a=fmtp:${type} [^\\r\\n]*)`), "$1;stereo=1") : sdp;
}

// Resolves when a picture has come, or sound where no pictures were agreed on.
function begun(peer, pictures) {
  return new Promise((resolve, reject) => {
    const since = performance.now();
    const look = async () => {
      const { video, audio } = await statistics(peer);
      if (pictures ? video?.framesDecoded > 0 : audio?.packetsReceived > 0) return resolve();
      if (peer.connectionState === "failed") return reject(new Error("No way to the server's WebRTC port was found; a firewall may be in between."));
      if (peer.connectionState === "closed") return reject(new Error("The server ended the connection."));
      if (performance.now() - since > PATIENCE) {
        const why = peer.connectionState === "connected" ? "Nothing came over WebRTC." : "The server's WebRTC port does not answer.";
        return reject(new Error(why));
      }
      setTimeout(look, 50);
    };
    look();
  });
}

// A stream that says nothing for some seconds has ended; browsers do not tell when a server says goodbye.
function watch(peer, close) {
  let last = -1;
  let since = performance.now();
  const timer = setInterval(async () => {
    if (peer.connectionState === "closed") return clearInterval(timer);
    const { video, audio } = await statistics(peer);
    const now = (video?.packetsReceived || 0) + (audio?.packetsReceived || 0);
    if (now !== last) [last, since] = [now, performance.now()];
    else if (performance.now() - since > 15000) close("The stream has ended.");
  }, 1000);
}

async function statistics(peer) {
  const found = {};
  if (peer.connectionState === "closed") return found;
  for (const report of (await peer.getStats()).values()) {
    if (report.type === "inbound-rtp" && report.packetsReceived > 0) found[report.kind] = report;
  }
  return found;
}

async function refusal(answer) {
  const text = (await answer.text().catch(() => "")).replace(/<title>.*?<\/title>|<[^>]*>/g, "").trim();
  const words = {
    401: "This stream wants a name and a password.",
    403: "This stream does not let you in.",
    404: "There is no such stream.",
    503: "There is nothing to see yet, or no room.",
  };
  return words[answer.status] || text || `The server refuses (${answer.status}).`;
}
