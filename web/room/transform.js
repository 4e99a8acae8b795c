// The worker through which a room's frames of sound go: sealed on their way out, opened on their way in. Keys come from the
// page; whatever does not open is left out, which the browser's decoder hears as loss.

import { Opener, Sealer } from "./seal.js";
import { numberOf } from "./wire.js";

let me = 0;
let sealer = null;
const opener = new Opener();

const orders = {
  begin: ({ number }) => { me = number; sealer = new Sealer(number); },
  send: ({ generation, key }) => sealer.take(generation, key),
  enter: ({ number }) => opener.begin(number),
  leave: ({ number }) => opener.forget(number),
  open: ({ open }) => { opener.isOpen = open; },
  receive: ({ number, generation, key }) => opener.take(number, generation, key),
  streams: ({ readable, writable, slot }) => flow(readable, writable, slot), // where there is no RTCRtpScriptTransform
};

// one after the other, as a key is imported in its own time
let before = Promise.resolve();
self.addEventListener("message", ({ data }) => {
  before = before.then(() => orders[data.order]?.(data)).catch((why) => console.error("room:", why));
});
self.addEventListener("rtctransform", ({ transformer }) => flow(transformer.readable, transformer.writable, transformer.options.slot));

// Frames of a stream keep their order: the next is looked at when this one is through. Without a slot it is our own voice.
function flow(readable, writable, slot) {
  const transform = async (frame, controller) => {
    const made = slot === undefined
      ? await sealer?.seal(frame.getMetadata().rtpTimestamp ?? frame.timestamp, frame.data)
      : await opener.open(numberOf(slot, me), frame.data);
    if (!made) return;
    frame.data = made;
    controller.enqueue(frame);
  };
  readable.pipeThrough(new TransformStream({ transform })).pipeTo(writable).catch(() => {}); // ends with the session
}
