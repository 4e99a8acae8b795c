// A player that plays, or says in plain words why it does not and what does.

import { dressStage } from "./ladder.js";

// What a type's parameters must say for the browser to judge it by its codecs.
const NAMES = { mp3: "mp3", aac: "mp4a.40.2", h264: "avc1.42E01E", h265: "hvc1.1.6.L93.B0", av1: "av01.0.04M.08" };
const BOXES = { "application/ogg": "ogg", "audio/ogg": "ogg", "video/ogg": "ogg" };
const PICTURES = ["theora", "vp8", "vp9", "av1", "h264", "h265"];

export function watchPlayer(player, card) {
  const say = card.querySelector(".say");
  const tell = (words, bad = false) => {
    say.textContent = words;
    say.classList.toggle("bad", bad);
  };
  // What no browser plays by itself has several other ways to come.
  if (player.getAttribute("src")?.endsWith("/index.m3u8")) return dressStage(inStage(player), card, tell);

  const codecs = (card.dataset.codecs || "").split(",").filter(Boolean);
  const unseen = codecs.filter((codec) => PICTURES.includes(codec) && !decodes(player, card.dataset.type, codec));
  const warning = unseen.length ? `This browser has no ${unseen.join(" and ")} decoder, so there is sound but no picture. ` +
    "VLC and mpv show it: use the M3U link below." : "";
  if (warning) tell(warning, true);

  player.addEventListener("waiting", () => tell("Waiting for the stream …"));
  player.addEventListener("playing", () => watchPicture());
  player.addEventListener("pause", () => {
    tell(warning, Boolean(warning));
    drop();
  });
  player.addEventListener("error", () => player.getAttribute("src") && tell(reason(player, card.dataset.type), true));
  player.addEventListener("play", () => player.getAttribute("src") || take());

  // A live stream that was paused goes on at now, not where it was: the connection is closed and opened again.
  const source = player.getAttribute("src");
  function drop() {
    player.removeAttribute("src");
    player.load();
  }
  function take() {
    player.src = source;
    player.play().catch((why) => tell(`The browser does not let it play: ${why.message}`, true));
  }

  function watchPicture() {
    tell(warning || "Playing live.", Boolean(warning));
    if (player.tagName !== "VIDEO" || warning) return;
    setTimeout(() => {
      if (!player.paused && player.videoWidth === 0) tell("There is sound but this browser shows no picture. VLC and mpv do.", true);
    }, 3000);
  }
}

function inStage(player) {
  const stage = Object.assign(document.createElement("div"), { className: "stage" });
  player.replaceWith(stage);
  stage.append(player);
  return stage;
}

function decodes(player, type, codec) {
  const box = (type || "").split(";")[0];
  const kind = BOXES[box] ? `video/${BOXES[box]}` : box;
  if (codec === "theora") return player.canPlayType('video/ogg; codecs="theora"') !== "";
  return player.canPlayType(`${kind}; codecs="${NAMES[codec] || codec}"`) !== "";
}

function reason(player, type) {
  const words = {
    [MediaError.MEDIA_ERR_NETWORK]: "The connection broke. Press play to try again.",
    [MediaError.MEDIA_ERR_DECODE]: "The stream could not be decoded here. Press play to try again, or open it in VLC.",
    [MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED]: player.canPlayType(type) === ""
      ? `This browser cannot play ${type}. VLC and mpv can: use the M3U link below.`
      : "The stream is not there right now, or this browser cannot play it.",
  };
  return words[player.error?.code] || "It does not play, and the browser does not say why.";
}
