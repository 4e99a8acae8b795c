// The ways in which a stream may reach this browser. Each plays `url` of a mount in `player`, and gives back how to
// stop and how far behind the server it believes to be, in seconds, where it can know.

export const WAYS = {
  whep: { name: "WebRTC", play: byWhep },
  hls: { name: "Low-Latency HLS", play: byHls },
  flv: { name: "HTTP-FLV", play: byFlv },
  progressive: { name: "plain HTTP", play: byItself },
};

async function byWhep(player, mount, failed) {
  const { play } = await import("./whep.js");
  const session = await play(player, `/whep${mount}`);
  let mine = true;
  session.ended.then((why) => mine && failed(new Error(why)));
  return { stop: () => { mine = false; session.close(); }, behind: () => null };
}

async function byHls(player, mount, failed) {
  const url = `${mount}/index.m3u8`;
  const { default: Hls } = await import("./vendor/hls/hls.light.min.mjs");
  if (!Hls.isSupported()) {
    if (player.canPlayType("application/vnd.apple.mpegurl") === "") throw new Error("no way to play HLS here");
    player.src = url;
    return { stop: () => release(player), behind: () => null };
  }
  const session = crypto.getRandomValues(new Uint32Array(2)).join("");
  const hls = new Hls({
    enableWorker: false,
    lowLatencyMode: true,
    backBufferLength: 60,
    maxLiveSyncPlaybackRate: 1, // it only hurries with more than a second in hand; chase() below does with less
    liveSyncOnStallIncrease: 0.3,
    xhrSetup: (request) => request.setRequestHeader("X-Playback-Session-Id", session),
  });
  let healed = 0;
  hls.on(Hls.Events.ERROR, (_, error) => {
    if (!error.fatal) return;
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR && healed++ < 3) return hls.recoverMediaError();
    failed(new Error(error.details));
  });
  hls.loadSource(url);
  hls.attachMedia(player);
  const behind = () => (hls.playingDate ? (Date.now() - hls.playingDate) / 1000 : null);
  const edge = () => hls.liveSyncPosition ?? player.currentTime;
  const live = () => { player.currentTime = edge(); };
  const rest = chase(player, () => edge() - player.currentTime);
  return { stop: () => { rest(); hls.destroy(); }, behind, live };
}

async function byFlv(player, mount, failed) {
  const mpegts = await script("/assets/vendor/mpegts/mpegts.js", "mpegts");
  if (!mpegts.getFeatureList().mseLivePlayback) throw new Error("no media source here");
  const flv = mpegts.createPlayer(
    { type: "flv", isLive: true, url: new URL(`${mount}.flv`, location.href).href },
    { enableStashBuffer: false, liveBufferLatencyChasing: true, liveBufferLatencyMaxLatency: 0.5, liveBufferLatencyMinRemain: 0.12, lazyLoad: false, deferLoadAfterSourceOpen: false },
  );
  flv.on(mpegts.Events.ERROR, (kind, detail) => failed(new Error(`${kind}: ${detail}`)));
  flv.on(mpegts.Events.LOADING_COMPLETE, () => failed(new Error("the stream ended")));
  flv.attachMediaElement(player);
  flv.load();
  const behind = () => {
    const { buffered, currentTime } = player;
    return buffered.length ? buffered.end(buffered.length - 1) - currentTime : null;
  };
  return { stop: () => flv.destroy(), behind };
}

async function byItself(player, mount) {
  player.src = mount;
  return { stop: () => release(player), behind: () => null };
}

// Keeps what is buffered ahead no larger than the network needs: plays a little faster while the least of it, seen over
// a second and a half, is more than a part and a bit. Who went back on purpose is left alone.
function chase(player, late) {
  let least = Infinity, since = performance.now(), back = false;
  const seeking = () => { back = late() > 4; };
  const tick = setInterval(() => {
    const { buffered, currentTime } = player;
    const here = [...Array(buffered.length).keys()].find((n) => buffered.start(n) <= currentTime + 0.1 && currentTime <= buffered.end(n));
    least = Math.min(least, here === undefined ? 0 : buffered.end(here) - currentTime);
    if (performance.now() - since < 1500) return;
    const hurry = least > 1.2 ? 1.25 : least > ENOUGH ? 1.08 : least < ENOUGH / 4 ? 0.97 : 1;
    player.playbackRate = back || least === 0 ? 1 : hurry;
    least = Infinity;
    since = performance.now();
  }, 50);
  player.addEventListener("seeking", seeking);
  return () => { clearInterval(tick); player.removeEventListener("seeking", seeking); player.playbackRate = 1; };
}

// Seconds in hand that ride out a late part of the usual 200 ms.
const ENOUGH = 0.28;

function release(player) {
  player.removeAttribute("src");
  player.load();
}

const scripts = new Map();
function script(src, name) {
  if (!scripts.has(src)) {
    scripts.set(src, new Promise((done, failed) => {
      const onerror = () => { scripts.delete(src); failed(new Error(`${src} did not come`)); };
      document.head.append(Object.assign(document.createElement("script"), { src, onload: () => done(window[name]), onerror }));
    }));
  }
  return scripts.get(src);
}
