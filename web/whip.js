// Publishes from this browser over WebRTC (WHIP): `const handle = await publish(stream, "/whip/live/tea", key)`.
// `testPicture()` gives a stream without a camera: a clock (also one that players can read), a moving bar, a quiet tone.

import { drawClock } from "./clock.js";

export async function publish(stream, url, key, { codec, bitrate } = {}) {
  if (typeof RTCPeerConnection !== "function") throw new Error("This browser has no WebRTC.");
  const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  let resource = null;
  let finish;
  const ended = new Promise((resolve) => { finish = resolve; });
  const close = (why = "closed") => {
    peer.close();
    if (resource) fetch(resource, { method: "DELETE", keepalive: true }).catch(() => {});
    resource = null;
    finish(why);
  };
  try {
    for (const track of stream.getTracks()) {
      const sends = peer.addTransceiver(track, { direction: "sendonly", streams: [stream] });
      if (track.kind !== "video") continue;
      if (bitrate) await limit(sends.sender, bitrate);
    }
    await peer.setLocalDescription(await peer.createOffer());
    const headers = { "Content-Type": "application/sdp", Authorization: `Bearer ${key}` };
    const address = new URL(url, location.href);
    if (codec) address.searchParams.set("codec", codec);
    // the key is all that counts; a browser that knew others, or asked for a password by itself, would be in the way
    const request = { method: "POST", credentials: "omit", headers, body: peer.localDescription.sdp };
    const answer = await fetch(address, request).catch(() => {
      throw new Error("The server cannot be reached.");
    });
    if (answer.status !== 201) throw new Error(await refusal(answer));
    resource = new URL(answer.headers.get("Location"), address).href;
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    await connected(peer);
  } catch (why) {
    close(why.message);
    throw why;
  }
  peer.addEventListener("connectionstatechange", () => {
    if (["failed", "closed"].includes(peer.connectionState)) close("The connection broke.");
  });
  return { close, ended, peer };
}

// Camera and microphone, as the person at the browser allows.
export async function camera() {
  if (!navigator.mediaDevices) throw new Error("Browsers give pages their camera over HTTPS or on localhost only.");
  return navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720 }, audio: true });
}

// A picture that moves and tells the time, and a tone; `close()` on the result ends both.
export function testPicture({ width = 1280, height = 720, rate = 30 } = {}) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const pen = canvas.getContext("2d", { alpha: false });
  const draw = () => {
    const now = performance.timeOrigin + performance.now();
    pen.fillStyle = `hsl(${(now / 50) % 360} 60% 30%)`;
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = "#fff";
    pen.fillRect(((now / 4) % (width + 80)) - 80, height * 0.8, 80, height * 0.1);
    pen.font = `${height / 6}px monospace`;
    pen.fillText(new Date(now).toISOString().slice(11, 23), width * 0.12, height * 0.5);
    drawClock(pen);
  };
  draw();
  const timer = setInterval(draw, 1000 / rate);
  const stream = canvas.captureStream(rate);
  const audio = new AudioContext();
  const [tone, quiet, out] = [audio.createOscillator(), audio.createGain(), audio.createMediaStreamDestination()];
  tone.frequency.value = 440;
  quiet.gain.value = 0.1;
  tone.connect(quiet).connect(out);
  tone.start();
  stream.addTrack(out.stream.getAudioTracks()[0]);
  stream.close = () => {
    clearInterval(timer);
    stream.getTracks().forEach((track) => track.stop());
    audio.close();
  };
  return stream;
}

async function limit(sender, bitrate) {
  const parameters = sender.getParameters();
  if (!parameters.encodings?.length) return;
  parameters.encodings[0].maxBitrate = bitrate;
  await sender.setParameters(parameters);
}

function connected(peer) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("The server's WebRTC port does not answer.")), 10000);
    const look = () => {
      if (peer.connectionState === "connected") resolve();
      else if (peer.connectionState === "failed") reject(new Error("No way to the server's WebRTC port was found; a firewall may be in between."));
      else return;
      clearTimeout(late);
    };
    peer.addEventListener("connectionstatechange", look);
    look();
  });
}

async function refusal(answer) {
  const text = (await answer.text().catch(() => "")).replace(/<title>.*?<\/title>|<[^>]*>/g, "").trim();
  const words = { 401: "That is not the password of this mount.", 409: "Somebody else is publishing there." };
  return words[answer.status] || text || `The server refuses (${answer.status}).`;
}
