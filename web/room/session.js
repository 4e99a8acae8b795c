// A stay in a room: `const stay = await join({ room, name, passphrase, music }, changed)`; `changed()` is called when anything
// of `stay` is to be shown anew. Sound goes by WebRTC, what members say to each other's browsers by a channel beside it.

import { makeIdentity, text } from "./noise.js";
import { Pair, secret } from "./pair.js";
import { MOST, control, known, read, slotOf, tidy } from "./wire.js";

const TICK = 300; // milliseconds after which what may be lost is said again
const HURRY = 1000; // a new key is used after so long even if somebody has not said that it came

// How this browser can seal frames: "script" (RTCRtpScriptTransform), "streams" (createEncodedStreams), or not at all.
export function sealing() {
  if (!globalThis.crypto?.subtle) return null;
  if (typeof RTCRtpScriptTransform === "function") return "script";
  return typeof RTCRtpSender === "function" && "createEncodedStreams" in RTCRtpSender.prototype ? "streams" : null;
}

export async function join({ room, name, passphrase = "", music = false }, changed) {
  const stay = new Stay({ room, name: tidy(name) || "guest", isSecret: Boolean(passphrase) }, changed);
  try {
    await stay.open(passphrase, music);
  } catch (why) {
    stay.leave(why.message);
    throw why;
  }
  return stay;
}

class Stay {
  constructor(about, changed) {
    Object.assign(this, about, { changed, way: sealing(), me: 0, version: 0, isOpen: false, members: new Map() });
    this.ended = null; // why, when it is over
    this.isMuted = false;
    this.key = null; // { generation, key, used, since }
    this.slots = [];
  }

  // Whether the server cannot listen in to what is said here.
  get isEndToEnd() {
    return Boolean(this.way) && (!this.isOpen || this.isSecret);
  }

  async open(passphrase, music) {
    if (typeof RTCPeerConnection !== "function") throw new Error("This browser has no WebRTC.");
    if (!navigator.mediaDevices || !globalThis.crypto?.subtle) throw new Error("Browsers give pages their microphone over HTTPS or on localhost only.");
    if (this.isSecret && !this.way) throw new Error("This browser cannot encrypt sound, so it cannot take part in a room with a passphrase.");
    this.prologue = text(`levada room 1\0${this.room}`);
    const tidier = !music;
    const sound = { echoCancellation: tidier, noiseSuppression: tidier, autoGainControl: tidier, channelCount: music ? 2 : 1 };
    [this.microphone, this.psk, this.identity] = await Promise.all([
      navigator.mediaDevices.getUserMedia({ audio: sound }).catch(() => { throw new Error("There is no microphone, or this page may not use it."); }),
      secret(passphrase, this.prologue),
      makeIdentity(),
    ]);
    this.wire();
    await this.peer.setLocalDescription(tune(await this.peer.createOffer(), "stereo=1"));
    const address = new URL(`/rooms/${encodeURIComponent(this.room)}`, location.href);
    address.searchParams.set("name", this.name);
    if (!this.way) address.searchParams.set("open", "1");
    const request = { method: "POST", headers: { "Content-Type": "application/sdp" }, body: this.peer.localDescription.sdp };
    const answer = await fetch(address, request).catch(() => { throw new Error("The server cannot be reached."); });
    if (answer.status !== 201) throw new Error(await refusal(answer));
    this.resource = new URL(answer.headers.get("Location"), address).href;
    // packets of one size, as sizes alone tell a listener in between much of what is said (RFC 6562)
    const wishes = music ? "cbr=1;stereo=1;maxaveragebitrate=128000" : "cbr=1;maxaveragebitrate=40000";
    await this.peer.setRemoteDescription(tune({ type: "answer", sdp: await answer.text() }, wishes));
    await this.begun();
    this.ticking = setInterval(() => this.tick(), TICK);
  }

  // A session with one voice to send, as many to hear as there may be others, and a channel.
  wire() {
    const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", ...(this.way === "streams" && { encodedInsertableStreams: true }) });
    this.peer = peer;
    if (this.way) this.worker = new Worker("/assets/room/transform.js", { type: "module" });
    const track = this.microphone.getAudioTracks()[0];
    this.through(peer.addTransceiver(track, { direction: "sendonly", streams: [this.microphone] }).sender, {});
    for (let slot = 0; slot < MOST - 1; slot += 1) {
      const transceiver = peer.addTransceiver("audio", { direction: "recvonly" });
      this.through(transceiver.receiver, { slot });
      this.slots.push(transceiver);
    }
    this.channel = peer.createDataChannel("room");
    this.channel.binaryType = "arraybuffer";
    this.channel.addEventListener("message", ({ data }) => this.take(new Uint8Array(data)));
    this.channel.addEventListener("close", () => this.leave("The server ended the stay."));
    peer.addEventListener("connectionstatechange", () => {
      if (["failed", "closed"].includes(peer.connectionState)) this.leave("The connection broke.");
      if (peer.connectionState === "disconnected") setTimeout(() => peer.connectionState !== "connected" && this.leave("The connection broke."), 5000);
    });
  }

  through(end, options) {
    if (this.way === "script") end.transform = new RTCRtpScriptTransform(this.worker, options);
    if (this.way !== "streams") return;
    const { readable, writable } = end.createEncodedStreams();
    this.worker.postMessage({ order: "streams", readable, writable, ...options }, [readable, writable]);
  }

  begun() {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("The server's WebRTC port does not answer; a firewall may be in between.")), 15000);
      this.entered = () => { clearTimeout(late); resolve(); };
      this.failed = (why) => { clearTimeout(late); reject(new Error(why)); };
    });
  }

  take(message) {
    const { control: said, roster } = read(message) || {};
    if (said) this.members.get(said.from)?.pair?.take(said.body);
    if (roster && (this.me === 0 || roster.me === this.me)) this.enroll(roster);
  }

  enroll({ version, me, isOpen, members }) {
    if (this.me === 0) {
      this.me = me;
      this.order({ order: "begin", number: me });
    }
    this.version = version;
    const now = new Map(members.filter(({ number }) => number !== me).map((member) => [member.number, member]));
    let moved = false;
    for (const [number, member] of this.members) {
      if (now.get(number)?.stay === member.stay) continue;
      member.pair?.close();
      this.members.delete(number);
      this.order({ order: "leave", number });
      moved = true;
    }
    for (const [number, member] of now) {
      if (this.members.has(number)) continue;
      this.members.set(number, member);
      this.order({ order: "enter", number });
      if (this.way && !member.isOpen) this.meet(member);
      moved = true;
    }
    const turns = isOpen !== this.isOpen;
    if (turns) {
      this.isOpen = isOpen;
      this.order({ order: "open", open: isOpen && !this.isSecret });
    }
    if (moved || turns || !this.key) this.renew(turns);
    this.send(known(version));
    this.entered?.();
    this.changed();
  }

  // Whoever cannot seal has no keys to tell or to be told.
  meet(member) {
    const { name, prologue, psk, identity, me } = this;
    member.pair = new Pair({ begins: me < member.number, name, prologue, psk, identity }, {
      send: (body) => this.send(control(member.number, body)),
      opened: ({ name: said, words }) => {
        Object.assign(member, { name: said, words, refused: null });
        this.changed();
      },
      key: (generation, key) => this.order({ order: "receive", number: member.number, generation, key }),
      had: () => this.use(),
      refused: (why) => {
        member.refused = why;
        this.changed();
      },
    });
  }

  // A key that nobody has who is not here: made whenever somebody comes or goes. Nobody is waited for when the room has turned
  // from open to sealed, so that nothing more is said openly.
  renew(turns) {
    const generation = this.key ? (this.key.generation % 255) + 1 : 1;
    const since = turns ? -Infinity : performance.now();
    this.key = { generation, key: crypto.getRandomValues(new Uint8Array(32)), used: false, since };
    for (const { pair } of this.members.values()) pair?.tell(generation, this.key.key);
    this.use();
  }

  // Uses the newest key as soon as all whom it concerns have it.
  use() {
    if (!this.key || this.key.used) return;
    const waits = [...this.members.values()].some(({ pair }) => pair?.isOpen && !pair.ours?.had);
    if (waits && performance.now() - this.key.since < HURRY) return;
    this.key.used = true;
    const { generation, key } = this.isOpen && !this.isSecret ? { generation: 0 } : this.key;
    this.order({ order: "send", generation, key });
  }

  tick() {
    for (const { pair } of this.members.values()) pair?.tick();
    this.use();
  }

  // What `number` says, to be heard.
  sound(number) {
    return new MediaStream([this.slots[slotOf(number, this.me)].receiver.track]);
  }

  // How loud everybody is, 0 to 1, by number.
  async levels() {
    const levels = new Map();
    if (this.ended) return levels;
    const byMid = new Map([...this.members.keys()].map((number) => [this.slots[slotOf(number, this.me)].mid, number]));
    for (const report of (await this.peer.getStats()).values()) {
      if (report.type === "inbound-rtp" && byMid.has(report.mid)) levels.set(byMid.get(report.mid), report.audioLevel || 0);
      if (report.type === "media-source" && !this.isMuted) levels.set(this.me, report.audioLevel || 0);
    }
    return levels;
  }

  mute(isMuted) {
    this.isMuted = isMuted;
    for (const track of this.microphone.getTracks()) track.enabled = !isMuted;
    this.changed();
  }

  leave(why = "You left.") {
    if (this.ended) return;
    this.ended = why;
    clearInterval(this.ticking);
    this.failed?.(why);
    for (const { pair } of this.members.values()) pair?.close();
    this.members.clear();
    this.microphone?.getTracks().forEach((track) => track.stop());
    if (this.resource) fetch(this.resource, { method: "DELETE", keepalive: true }).catch(() => {});
    this.peer?.close();
    this.worker?.terminate();
    this.changed();
  }

  order(message) {
    this.worker?.postMessage(message);
  }

  send(message) {
    if (this.channel.readyState === "open") this.channel.send(message);
  }
}

// Adds to what is said of Opus: `stereo=1` in an offer asks for what has two channels (RFC 7587 §7.1).
function tune({ type, sdp }, wishes) {
  const opus = /a=rtpmap:(\d+) opus\/48000\/2/i.exec(sdp)?.[1];
  return { type, sdp: opus ? sdp.replace(new RegExp(`(a=fmtp:${opus} [^\\r\\n]*)`, "g"), `$1;${wishes}`) : sdp };
}

async function refusal(answer) {
  const said = (await answer.text().catch(() => "")).replace(/<title>.*?<\/title>|<[^>]*>/g, "").trim();
  return said.replace(/^\d+ - /, "") || `The server refuses (${answer.status}).`;
}
