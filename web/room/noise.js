// Noise_XXpsk3_25519_AESGCM_SHA256 (noiseprotocol.org, revision 34) by WebCrypto, and nothing else of Noise.
// `const hand = await Handshake.begin({ initiator, prologue, psk, identity })`, then `write(payload)` and `read(message)`
// in turns until `finished`, then `await split()`. Calls must not overlap. Whatever does not fit throws.

const NAME = "Noise_XXpsk3_25519_AESGCM_SHA256";
const MESSAGES = [["e"], ["e", "ee", "s", "es"], ["s", "se", "psk"]];
const EMPTY = new Uint8Array();
const KEY = 32; // bytes of keys, of hashes, and of points
const TAG = 16;

export const makeIdentity = () => crypto.subtle.generateKey({ name: "X25519" }, false, ["deriveBits"]);

export class Handshake {
  static async begin({ initiator, prologue, psk, identity, ephemeral }) {
    const hand = new Handshake();
    Object.assign(hand, { initiator, psk, s: identity, e: ephemeral || null, re: null, rs: null, turn: 0, key: null, nonce: 0 });
    hand.chaining = text(NAME); // exactly as long as a hash
    hand.hash = hand.chaining;
    await hand.mixHash(prologue);
    return hand;
  }

  get finished() {
    return this.turn === MESSAGES.length;
  }

  get isOurTurn() {
    return !this.finished && (this.turn % 2 === 0) === this.initiator;
  }

  async write(payload = EMPTY) {
    if (!this.isOurTurn) throw new Error("it is not our turn");
    const parts = [];
    for (const token of MESSAGES[this.turn]) {
      if (token === "e") {
        this.e ||= await makeIdentity();
        const point = await publicBytes(this.e);
        parts.push(point);
        await this.mixPoint(point);
      } else if (token === "s") {
        parts.push(await this.encrypt(await publicBytes(this.s)));
      } else {
        await this.mixToken(token);
      }
    }
    parts.push(await this.encrypt(payload));
    this.turn += 1;
    return join(...parts);
  }

  async read(message) {
    if (this.isOurTurn || this.finished) throw new Error("it is not the other's turn");
    let rest = message;
    const take = (length) => {
      if (rest.length < length) throw new Error("the message is too short");
      const taken = rest.subarray(0, length);
      rest = rest.subarray(length);
      return taken;
    };
    for (const token of MESSAGES[this.turn]) {
      if (token === "e") {
        const point = take(KEY);
        this.re = await publicKey(point);
        await this.mixPoint(point);
      } else if (token === "s") {
        this.rs = await publicKey(await this.decrypt(take(this.key ? KEY + TAG : KEY)));
      } else {
        await this.mixToken(token);
      }
    }
    const payload = await this.decrypt(rest);
    this.turn += 1;
    return payload;
  }

  // The ciphers of both directions, and the hash of all that was said, which nobody in between can make equal on both sides.
  async split() {
    if (!this.finished) throw new Error("the handshake is not over");
    const [first, second] = await this.derive(EMPTY, 2);
    const [ours, theirs] = this.initiator ? [first, second] : [second, first];
    return { sealing: await cipherKey(ours), opening: await cipherKey(theirs), hash: this.hash };
  }

  async mixPoint(point) {
    await this.mixHash(point);
    await this.mixKey(point); // as where there is a psk (§9.2)
  }

  async mixToken(token) {
    if (token === "psk") {
      const [chaining, hash, key] = await this.derive(this.psk, 3);
      this.chaining = chaining;
      await this.mixHash(hash);
      return this.setKey(key);
    }
    // the first letter is the initiator's key, the second the responder's
    const [mine, theirs] = this.initiator ? token : [token[1], token[0]];
    const secret = await crypto.subtle.deriveBits({ name: "X25519", public: theirs === "e" ? this.re : this.rs }, this[mine].privateKey, 8 * KEY);
    return this.mixKey(new Uint8Array(secret));
  }

  async mixKey(material) {
    const [chaining, key] = await this.derive(material, 2);
    this.chaining = chaining;
    await this.setKey(key);
  }

  async mixHash(data) {
    this.hash = await sha256(this.hash, data);
  }

  async setKey(bytes) {
    this.key = await cipherKey(bytes);
    this.nonce = 0;
  }

  async encrypt(plain) {
    const sealed = this.key ? await seal(this.key, this.nonce++, plain, this.hash) : plain;
    await this.mixHash(sealed);
    return sealed;
  }

  async decrypt(sealed) {
    const plain = this.key ? await open(this.key, this.nonce++, sealed, this.hash) : sealed;
    await this.mixHash(sealed);
    return plain;
  }

  // HKDF as Noise has it (§4.3).
  async derive(material, count) {
    const temporary = await hmac(this.chaining, material);
    const outputs = [];
    for (let n = 1; n <= count; n += 1) outputs.push(await hmac(temporary, join(outputs[n - 2] || EMPTY, Uint8Array.of(n))));
    return outputs;
  }
}

export async function seal(key, nonce, plain, additionalData = EMPTY) {
  return new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: iv(nonce), additionalData }, key, plain));
}

export async function open(key, nonce, sealed, additionalData = EMPTY) {
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: iv(nonce), additionalData }, key, sealed));
}

export async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
}

export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const text = (words) => new TextEncoder().encode(words);

// Four zero bytes and the nonce, the highest byte first (§12.4).
function iv(nonce) {
  const bytes = new Uint8Array(12);
  new DataView(bytes.buffer).setBigUint64(4, BigInt(nonce));
  return bytes;
}

async function hmac(key, data) {
  const known = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", known, data));
}

const cipherKey = (bytes) => crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
const publicKey = (bytes) => crypto.subtle.importKey("raw", bytes, { name: "X25519" }, true, []);
const publicBytes = async (pair) => new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
