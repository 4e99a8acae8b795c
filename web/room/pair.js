// Two members of a room who get to know each other through a server that cannot listen in: a Noise handshake, then the keys
// with which each seals what it says. The lower number begins. What may be lost is repeated at every `tick`.

import { Handshake, open, seal, sha256, text } from "./noise.js";
import { bytes, word } from "./wire.js";

const RENDITION = 0x4b; // Opus, 48 kHz, frames of 960
const LETTERS = "ybndrfg8ejkmcpqxot1uwisza345h769";
const [FIRST, SECOND, THIRD, SEALED, REFUSED] = [1, 2, 3, 4, 5];
const [KEY, HAVE] = [1, 2];

export class Pair {
  // `about`: { begins, name, prologue, psk, identity }. `on`: { send(body), opened({ name, words }), key(generation, key),
  // had(), refused(why) }, where `why` is "passphrase" or "key".
  constructor(about, on) {
    Object.assign(this, { about, on, session: 0, hand: null, said: null, ciphers: null, next: 0 });
    this.isHeard = false; // the other has opened the session as well
    this.theirs = 0; // the newest generation of their key
    this.ours = null; // { generation, key, had }
    this.isOver = false;
    this.before = Promise.resolve();
    if (about.begins) this.after(() => this.begin());
  }

  get isOpen() {
    return this.ciphers !== null;
  }

  // A message of the other's. One is looked at when the one before is done with.
  take(body) {
    this.after(async () => {
      const view = new DataView(body.buffer, body.byteOffset, body.length);
      if (body.length < 5) return;
      const [type, session, rest] = [body[0], view.getUint32(1), body.subarray(5)];
      if (type === FIRST && !this.about.begins) return this.first(session, rest);
      if (session !== this.session) return;
      if (type === SECOND && this.about.begins) await this.second(rest);
      if (type === THIRD && !this.about.begins) await this.third(rest);
      if (type === SEALED) await this.opens(rest);
      if (type === REFUSED && !this.isHeard) this.refuse(rest[0] === 3 ? "key" : "passphrase");
    });
  }

  // The other is to have this key of ours.
  tell(generation, key) {
    this.ours = { generation, key, had: false };
    this.after(() => this.repeatKey());
  }

  tick() {
    this.after(async () => {
      if (this.about.begins && !this.isHeard && this.said) this.on.send(this.said);
      await this.repeatKey();
    });
  }

  close() {
    this.isOver = true;
  }

  after(step) {
    this.before = this.before.then(() => this.isOver || step()).catch((why) => console.warn("room:", why));
  }

  async begin() {
    this.session = crypto.getRandomValues(new Uint32Array(1))[0];
    this.hand = await Handshake.begin({ ...this.about, initiator: true });
    this.say(FIRST, await this.hand.write());
  }

  async first(session, message) {
    if (this.isOpen) return;
    if (session === this.session && this.said) return this.on.send(this.said);
    const hand = await Handshake.begin({ ...this.about, initiator: false });
    await hand.read(message);
    Object.assign(this, { session, hand });
    this.say(SECOND, await hand.write(text(this.about.name)));
  }

  async second(message) {
    if (this.isOpen) return;
    const { hand } = this;
    const name = await hand.read(message).catch(() => null);
    if (!name) return this.begin(); // what somebody has torn: anew
    this.say(THIRD, await hand.write(text(this.about.name)));
    await this.enter(hand, name);
  }

  async third(message) {
    if (this.isOpen) return;
    if (!this.hand) return this.said && this.on.send(this.said); // the refusal was lost
    const { hand } = this;
    this.hand = null;
    const name = await hand.read(message).catch(() => null);
    if (name) {
      await this.enter(hand, name);
      return this.hear();
    }
    // they do not know the same; whoever begins anew may try
    this.say(REFUSED, Uint8Array.of(1));
    this.on.refused("passphrase");
  }

  async enter(hand, name) {
    this.ciphers = await hand.split();
    this.hand = null;
    this.found = { name: new TextDecoder().decode(name), words: await words(this.ciphers.hash) };
    await this.repeatKey();
  }

  // Whoever began knows only by what opens that the other has let it in.
  hear() {
    if (!this.isHeard) this.on.opened(this.found);
    this.isHeard = true;
  }

  async opens(sealed) {
    if (!this.isOpen || sealed.length < 4) return;
    const number = new DataView(sealed.buffer, sealed.byteOffset).getUint32(0);
    const plain = await open(this.ciphers.opening, number, sealed.subarray(4)).catch(() => null);
    if (!plain) return;
    this.hear();
    const generation = plain[1];
    if (plain[0] === KEY && plain.length === 35) {
      const ahead = (generation - this.theirs) & 255;
      if (generation !== 0 && (this.theirs === 0 || (ahead > 0 && ahead < 128))) {
        this.theirs = generation;
        this.on.key(generation, plain.slice(2, 34));
      }
      await this.sealed(bytes(HAVE, generation));
    } else if (plain[0] === HAVE && generation === this.ours?.generation && !this.ours.had) {
      this.ours.had = true;
      this.on.had();
    }
  }

  async repeatKey() {
    const { ours } = this;
    if (this.isOpen && ours && !ours.had) await this.sealed(bytes(KEY, ours.generation, ours.key, RENDITION));
  }

  async sealed(plain) {
    const number = this.next++;
    this.on.send(bytes(SEALED, word(this.session), word(number), await seal(this.ciphers.sealing, number, plain)));
  }

  refuse(why) {
    this.said = null;
    this.ciphers = null;
    this.on.refused(why);
  }

  say(type, message) {
    this.said = bytes(type, word(this.session), message);
    this.on.send(this.said);
  }
}

// What both show, and nobody in between can make equal.
export async function words(hash) {
  const digest = await sha256(text("levada room words 1"), hash);
  let bits = 0n;
  for (const byte of digest.subarray(0, 5)) bits = (bits << 8n) | BigInt(byte);
  const letters = Array.from({ length: 8 }, (_, n) => LETTERS[Number((bits >> BigInt(35 - 5 * n)) & 31n)]);
  return `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`;
}

// What a passphrase comes to for everybody in the room; nothing, for those who have none.
export async function secret(passphrase, salt) {
  if (!passphrase) return new Uint8Array(32);
  const material = await crypto.subtle.importKey("raw", text(passphrase), "PBKDF2", false, ["deriveBits"]);
  const way = { name: "PBKDF2", hash: "SHA-256", salt, iterations: 600_000 };
  return new Uint8Array(await crypto.subtle.deriveBits(way, material, 256));
}
