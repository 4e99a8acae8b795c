// A clock in the picture: milliseconds as a row of black and white cells at the top, which survive any encoder.
// Two cells to find it by, 24 bits of time, 6 of check. Whoever reads it knows how old the picture is.

const CELLS = 32;
const BITS = 24;
const SPAN = 2 ** BITS;

const check = (time) => (time ^ (time >> 6) ^ (time >> 12) ^ (time >> 18)) & 63;

function cells(time) {
  const bits = (value, count) => Array.from({ length: count }, (_, n) => (value >> (count - 1 - n)) & 1);
  return [1, 0, ...bits(time, BITS), ...bits(check(time), 6)];
}

// Draws the time into the top of a canvas of any size.
export function drawClock(context, now = Date.now()) {
  const { width, height } = context.canvas;
  const cell = width / CELLS;
  cells(Math.floor(now) % SPAN).forEach((white, n) => {
    context.fillStyle = white ? "#fff" : "#000";
    context.fillRect(Math.round(n * cell), 0, Math.ceil(cell), Math.ceil(height / 20));
  });
}

let canvas = null;

// Milliseconds since the picture was drawn, or null where it carries no clock.
export function pictureAge(video, now = Date.now()) {
  if (!video.videoWidth) return null;
  canvas ??= Object.assign(document.createElement("canvas"), { width: CELLS * 3, height: 3 }).getContext("2d", { willReadFrequently: true });
  canvas.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 24, 0, 0, CELLS * 3, 3);
  const { data } = canvas.getImageData(0, 1, CELLS * 3, 1);
  let time = 0, sum = 0;
  for (let n = 0; n < CELLS; n += 1) {
    const light = data[(n * 3 + 1) * 4 + 1];
    if (light > 80 && light < 175) return null;
    const bit = light > 127 ? 1 : 0;
    if (n < 2) { if (bit !== 1 - n) return null; } else if (n < 2 + BITS) time = time * 2 + bit; else sum = sum * 2 + bit;
  }
  if (check(time) !== sum) return null;
  const age = (Math.floor(now) % SPAN - time + SPAN) % SPAN;
  return age < 120_000 ? age : null;
}
