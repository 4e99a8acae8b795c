// Brings the page to life: titles, listeners and sources as they change, players that play or say why, charts.
import { watchPlayer } from "./player.js";
import { drawHistory } from "./chart.js";
import { drawRelays } from "./relays.js";
import { drawTeam } from "./team.js";
import { dressPublisher } from "./publish.js";

const cards = () => [...document.querySelectorAll(".mount")];
const card = (name) => cards().find((card) => card.dataset.name === name);
const text = (card, selector, value) => { card.querySelector(selector).textContent = value; };

function line(title) {
  return [title.artist, title.title].filter(Boolean).join(" - ");
}

function setTitle(name, title) {
  const at = card(name);
  if (!at) return;
  text(at, ".title", line(title));
  const player = at.querySelector("audio, video");
  if (player && !player.paused) announce(at, title);
}

function announce(at, title) {
  if (!("mediaSession" in navigator)) return;
  const name = at.querySelector("h2").textContent;
  navigator.mediaSession.metadata = new MediaMetadata({ title: title.title || name, artist: title.artist || name });
}

function setLive(name, live) {
  const at = card(name);
  if (!at) return reload();
  if (live && !at.querySelector("audio, video")) return reload();
  at.classList.toggle("live", live);
  text(at, ".state", live ? "live" : "waiting for its source");
}

function setListeners(name, count) {
  const at = card(name);
  if (at) text(at, ".count", count === 1 ? "1 listener" : `${count} listeners`);
}

// A mount came or went: the server draws the page anew. Whoever is listening keeps the card that plays.
let due = null;
function reload() {
  clearTimeout(due);
  due = setTimeout(async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    const playing = new Map(cards().filter(isPlaying).map((card) => [card.dataset.name, card]));
    const open = document.querySelectorAll("details.team[open]");
    const teams = new Set([...open].map((details) => details.dataset.team));
    for (const details of fresh.querySelectorAll("details.team")) details.open = teams.has(details.dataset.team);
    for (const card of fresh.querySelectorAll(".mount")) {
      const old = playing.get(card.dataset.name);
      if (old) card.replaceWith(old);
    }
    document.querySelector("main").replaceWith(fresh);
    dress();
  }, 300);
}

function isPlaying(card) {
  const player = card.querySelector("audio, video");
  return player && !player.paused;
}

function dress() {
  for (const at of cards()) {
    if (at.dataset.dressed) continue;
    at.dataset.dressed = "yes";
    const player = at.querySelector("audio, video");
    if (player) watchPlayer(player, at);
    const details = at.querySelector("details.history");
    details?.addEventListener("toggle", () => details.open && drawHistory(details.querySelector(".plot"), at.dataset.name));
  }
  drawRelays(document.querySelector(".relays"));
}
setInterval(() => document.hidden || document.querySelectorAll("details.team[open]").forEach(drawTeam), 1_500);
setInterval(() => document.hidden || drawRelays(document.querySelector(".relays")), 10_000);

function follow() {
  const events = new EventSource("/api/v1/events");
  const on = (kind, take) => events.addEventListener(kind, (event) => take(JSON.parse(event.data)));
  on("hello", (mounts) => {
    for (const { name, live, listeners, title } of mounts) {
      setTitle(name, title);
      setListeners(name, listeners);
      if (live) setLive(name, true);
    }
  });
  on("title", ({ name, title }) => setTitle(name, title));
  on("listeners", ({ name, listeners }) => setListeners(name, listeners));
  on("source", ({ name, live }) => setLive(name, live));
  on("mount", reload);
  on("gone", reload);
  on("resync", reload);
}

dress();
dressPublisher(document.querySelector(".publish"));
follow();
