// The messages between a room's member and its server, and between two members, which the server does not look into
// (crates/link/src/room/wire.rs). Numbers are big endian.

export const CONTROL = 16;
export const ROSTER = 18;
const KNOWN = 18;

export const MOST = 16; // members of a room
export const LONGEST_NAME = 48; // bytes

// The sound of `number` is in the browser's `slot`: the others in the order of their numbers.
export const numberOf = (slot, me) => (slot + 1 < me ? slot + 1 : slot + 2);
export const slotOf = (number, me) => (number < me ? number - 1 : number - 2);

// What the server says: `{ control: { from, body } }` or `{ roster: … }`, or null for what is neither.
export function read(message) {
  if (message[0] === CONTROL && message.length > 2) return { control: { from: message[1], body: message.subarray(2) } };
  if (message[0] === ROSTER) return readRoster(message);
  return null;
}

function readRoster(message) {
  if (message.length < 8) return null;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const members = [];
  let at = 8;
  for (let left = message[7]; left > 0; left -= 1) {
    if (message.length < at + 7 || message.length < at + 7 + message[at + 6]) return null;
    const [number, stay, flags, length] = [message[at], view.getUint32(at + 1), message[at + 5], message[at + 6]];
    const name = new TextDecoder().decode(message.subarray(at + 7, at + 7 + length));
    if (number < 1 || number > MOST) return null;
    members.push({ number, stay, name, isBrowser: Boolean(flags & 1), isOpen: Boolean(flags & 2) });
    at += 7 + length;
  }
  return { roster: { version: view.getUint32(1), isOpen: Boolean(message[5] & 2), me: message[6], members } };
}

export const control = (to, body) => bytes(CONTROL, to, body);

export const known = (version) => bytes(KNOWN, word(version));

export const word = (value) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

// Single bytes and arrays of them, one after the other.
export function bytes(...parts) {
  return Uint8Array.from(parts.flatMap((part) => (typeof part === "number" ? [part] : [...part])));
}

// A display name as the wire takes it: no control characters, at most so many bytes.
export function tidy(name) {
  let tidied = name.replace(/[\u0000-\u001f\u007f-\u009f]/g, "").trim();
  while (new TextEncoder().encode(tidied).length > LONGEST_NAME) tidied = [...tidied].slice(0, -1).join("");
  return tidied;
}
