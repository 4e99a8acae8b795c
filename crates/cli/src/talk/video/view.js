// Draws the pictures that come by a WebSocket: width, height, then planes of brightness and colours (BT.601, full range).
const canvas = document.querySelector('canvas');
const status = document.querySelector('[role=status]');
const context = canvas.getContext('2d', { alpha: false });
let image = null;
let count = 0;

function draw(data) {
  const bytes = new Uint8Array(data);
  const [width, height] = [bytes[0] << 8 | bytes[1], bytes[2] << 8 | bytes[3]];
  const [size, half] = [width * height, width / 2];
  if (bytes.length !== 4 + size * 3 / 2) return;
  if (image?.width !== width || image?.height !== height) {
    [canvas.width, canvas.height] = [width, height];
    image = context.createImageData(width, height);
    image.data.fill(255);
  }
  const [blues, reds, out] = [4 + size, 4 + size * 5 / 4, image.data];
  for (let y = 0; y < height; y++) {
    const row = (y >> 1) * half;
    for (let x = 0, at = y * width * 4; x < width; x++, at += 4) {
      const luma = bytes[4 + y * width + x];
      const [blue, red] = [bytes[blues + row + (x >> 1)] - 128, bytes[reds + row + (x >> 1)] - 128];
      out[at] = luma + 1.402 * red;
      out[at + 1] = luma - 0.344 * blue - 0.714 * red;
      out[at + 2] = luma + 1.772 * blue;
    }
  }
  context.putImageData(image, 0, 0);
  count += 1;
  canvas.dataset.count = count;
  if (count === 1) status.textContent = `${width} × ${height}`;
}

let next = null;
function take(event) {
  // what comes faster than the screen is drawn is not seen anyway
  if (next === null) requestAnimationFrame(() => { draw(next); next = null; });
  next = event.data;
}

function connect() {
  const socket = new WebSocket(`ws://${location.host}/pictures`);
  socket.binaryType = 'arraybuffer';
  socket.onmessage = take;
  socket.onclose = () => {
    status.textContent = 'The call is over.';
    setTimeout(connect, 2000);
  };
}
connect();
