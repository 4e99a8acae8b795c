// Frames of sound as they travel through a room: generation 1 | counter 4 | AES-256-GCM of the Opus packet ‖ tag 16.
// Generation 0 is not sealed. The counter is the number of the frame of 20 ms.

export const HEAD = 5;
export const FRAME = 960; // ticks of 48 kHz

export class Sealer {
  constructor(number) {
    this.number = number;
    this.key = null; // { generation, key }; without one, nothing is said
    this.next = 0;
    this.first = null;
  }

  // A key of generation 0 is none: frames go as they are.
  async take(generation, bytes) {
    this.key = { generation, key: generation && (await importKey(bytes, "encrypt")) };
  }

  // The frame whose RTP time is `time`; null where nothing may be said. No counter comes twice.
  async seal(time, opus) {
    const { key, number } = this;
    this.first ??= time;
    const counter = Math.max(this.next, Math.round(((time - this.first) >>> 0) / FRAME));
    if (!key || counter >= 2 ** 32) return null;
    this.next = counter + 1;
    const head = header(key.generation, counter);
    if (!key.generation) return concat(head, new Uint8Array(opus));
    const way = { name: "AES-GCM", iv: nonce(key.generation, counter), additionalData: Uint8Array.of(number) };
    return concat(head, new Uint8Array(await crypto.subtle.encrypt(way, key.key, opus)));
  }
}

// What others say. Keeps the newest four keys of each.
export class Opener {
  constructor() {
    this.senders = new Map();
    this.isOpen = false; // whether frames that are not sealed are heard
  }

  // A sender, who may be another than before under this number: nothing of the one before is heard any more.
  begin(number) {
    this.senders.set(number, { keys: new Map(), window: new Window() });
  }

  forget(number) {
    this.senders.delete(number);
  }

  async take(number, generation, bytes) {
    const keys = this.senders.get(number)?.keys;
    if (!keys) return;
    keys.set(generation, await importKey(bytes, "decrypt"));
    if (keys.size > 4) keys.delete(keys.keys().next().value);
  }

  // The Opus packet, or null for what is not this sender's, was there before, or is nothing at all.
  async open(number, data) {
    const frame = new Uint8Array(data);
    const sender = this.senders.get(number);
    if (!sender || frame.length <= HEAD) return null;
    const [generation, counter] = [frame[0], new DataView(data).getUint32(1)];
    if (generation === 0) return this.isOpen && sender.window.take(counter) ? data.slice(HEAD) : null;
    const key = sender.keys.get(generation);
    if (!key || !sender.window.isNew(counter)) return null;
    const way = { name: "AES-GCM", iv: nonce(generation, counter), additionalData: Uint8Array.of(number) };
    const opus = await crypto.subtle.decrypt(way, key, frame.subarray(HEAD)).catch(() => null);
    return opus && sender.window.take(counter) ? opus : null;
  }
}

// Which of the newest 128 frames were there.
class Window {
  constructor() {
    this.highest = -1;
    this.seen = new Set();
  }

  isNew(counter) {
    return counter > this.highest || (counter > this.highest - 128 && !this.seen.has(counter));
  }

  take(counter) {
    if (!this.isNew(counter)) return false;
    this.seen.add(counter);
    this.highest = Math.max(this.highest, counter);
    if (this.seen.size > 256) for (const old of this.seen) if (old <= this.highest - 128) this.seen.delete(old);
    return true;
  }
}

const importKey = (bytes, use) => crypto.subtle.importKey("raw", bytes, "AES-GCM", false, [use]);

function header(generation, counter) {
  const bytes = new Uint8Array(HEAD);
  bytes[0] = generation;
  new DataView(bytes.buffer).setUint32(1, counter);
  return bytes;
}

function nonce(generation, counter) {
  const bytes = new Uint8Array(12);
  bytes[0] = generation;
  new DataView(bytes.buffer).setUint32(8, counter);
  return bytes;
}

function concat(head, body) {
  const whole = new Uint8Array(head.length + body.length);
  whole.set(head);
  whole.set(body, head.length);
  return whole.buffer;
}
