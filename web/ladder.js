// Climbs down the ways a stream may come until one moves: what counts is that time advances and a picture has a size,
// not what the browser says of itself. What moved is tried first the next time.
import { WAYS } from "./ways.js";
import { pictureAge } from "./clock.js";

const PATIENCE = 9000;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export function dressStage(stage, card, tell) {
  const player = stage.querySelector("video, audio");
  const mount = card.dataset.name;
  const faces = card.dataset.faces.split(" ").filter((face) => WAYS[face]);
  player.removeAttribute("src");
  player.load();
  player.controls = false;

  const go = button("go", "Play", () => start());
  go.setAttribute("aria-label", `Play ${mount}`);
  const bar = element("div", "bar");
  const choice = element("select", "way");
  choice.setAttribute("aria-label", "How the stream comes");
  choice.append(new Option("best way", ""), ...faces.map((face) => new Option(WAYS[face].name, face)));
  const delay = element("output", "delay");
  const back = button("back", "−30 s", () => { player.currentTime = Math.max(player.seekable.start(0), player.currentTime - 30); });
  const live = button("tolive", "Live", () => session?.live?.());
  bar.append(choice, delay, back, live);
  stage.append(go);
  stage.after(bar);
  back.hidden = live.hidden = true;

  let session = null;
  let run = 0;

  choice.addEventListener("change", () => { sessionStorage.setItem(`way${mount}`, choice.value); if (session) start(); });
  choice.value = faces.includes(sessionStorage.getItem(`way${mount}`)) ? sessionStorage.getItem(`way${mount}`) : "";
  player.addEventListener("pause", () => session?.moving && !player.ended && player.seekable.length === 0 && stop("Paused."));
  player.addEventListener("ended", () => session && again());

  function stop(words = "") {
    run += 1;
    session?.stop();
    session = null;
    go.hidden = false;
    player.controls = false;
    delay.textContent = "";
    back.hidden = live.hidden = true;
    tell(words);
  }

  // The source may be back in a moment.
  let lost = 0;
  async function again() {
    stop("The stream was interrupted. Looking whether it comes back …");
    const mine = run;
    for (lost = 0; lost < 20 && mine === run; lost += 1) {
      await wait(1000 + 250 * lost);
      if (mine === run && (await start())) return;
    }
  }

  async function start() {
    stop();
    const mine = run;
    go.hidden = true;
    const last = localStorage.getItem("way");
    const order = choice.value ? [choice.value] : [...faces].sort((a, b) => (b === last) - (a === last));
    const reasons = [];
    for (const face of order) {
      tell(`Trying ${WAYS[face].name} …`);
      try {
        const broken = {};
        broken.off = new Promise((_, no) => { broken.no = no; });
        broken.off.catch(() => 0);
        const attempt = await WAYS[face].play(player, mount, (why) => (session?.moving ? again() : broken.no(why)));
        if (mine !== run) return attempt.stop();
        session = attempt;
        player.play().catch(() => 0);
        await Promise.race([moves(player), broken.off]);
        if (mine !== run) return true;
        session.moving = true;
        session.face = face;
        localStorage.setItem("way", face);
        player.controls = true;
        watch(mine);
        return true;
      } catch (why) {
        if (mine !== run) return false;
        session?.stop();
        session = null;
        reasons.push(`${WAYS[face].name}: ${why.message}`);
      }
    }
    stop();
    tell(`It does not play here (${reasons.join("; ") || "there is no way"}). VLC and mpv do: use the M3U link below.`, true);
    return false;
  }

  // Says how far behind the picture is: by its own clock if it carries one, else by what the way knows.
  async function watch(mine) {
    const ages = [];
    while (mine === run && session) {
      const age = player.tagName === "VIDEO" ? pictureAge(player) : null;
      if (age !== null) ages.push(age / 1000);
      if (ages.length > 9) ages.shift();
      const known = age !== null ? [...ages].sort((a, b) => a - b)[ages.length >> 1] : session.behind?.();
      const words = known === null || known === undefined || known > 3600 ? "" : `${Math.max(0, known).toFixed(1)} s ${age !== null ? "glass to glass" : "behind"}`;
      if (delay.textContent !== words) delay.textContent = words;
      tell(`Playing live by ${WAYS[session.face].name}.`);
      const window = player.seekable.length ? player.seekable.end(player.seekable.length - 1) - player.seekable.start(0) : 0;
      back.hidden = live.hidden = session.face !== "hls" || window < 45;
      await wait(500);
    }
  }
  return { start, stop };
}

async function moves(player) {
  const end = performance.now() + PATIENCE;
  let first = null;
  while (performance.now() < end) {
    await wait(50);
    if (player.error) throw new Error(player.error.message || "the browser cannot decode it");
    const shows = player.tagName !== "VIDEO" || player.videoWidth > 0;
    if (!shows || player.readyState < 2) continue;
    first ??= player.currentTime;
    if (player.currentTime > first + 0.1) return;
  }
  throw new Error(`nothing moved in ${PATIENCE / 1000} s`);
}

function element(tag, name) {
  return Object.assign(document.createElement(tag), { className: name });
}

function button(name, words, press) {
  const made = element("button", name);
  made.type = "button";
  made.textContent = words;
  made.addEventListener("click", press);
  return made;
}
