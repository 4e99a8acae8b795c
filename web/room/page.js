// The page of a room: the form to join, who is there, and what is known of how well it is kept.

import { join } from "./session.js";

const main = document.querySelector("main");
const form = main.querySelector("form");
const [say, sealed, here] = ["say", "sealed", "here"].map((name) => main.querySelector(`.${name}`));
const list = here.querySelector("ul");
const [mute, leave] = here.querySelectorAll("button");
let stay = null;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, passphrase, music } = Object.fromEntries(new FormData(form));
  form.querySelector("button").disabled = true;
  tell("Joining …");
  try {
    localStorage.setItem("name", name);
    stay = await join({ room: main.dataset.room, name, passphrase, music: Boolean(music) }, draw);
    form.passphrase.value = "";
    draw();
  } catch (why) {
    rest(why.message, true);
  }
});
mute.addEventListener("click", () => stay?.mute(!stay.isMuted));
leave.addEventListener("click", () => stay?.leave());
window.addEventListener("pagehide", () => stay?.leave());

try {
  form.elements.name.value = localStorage.getItem("name") || "";
} catch { /* a browser that keeps nothing */ }
form.querySelector("button").disabled = false;
form.dataset.dressed = "yes";

function draw() {
  if (!stay) return;
  if (stay.ended) return rest(stay.ended, stay.ended !== "You left.");
  form.hidden = true;
  here.hidden = false;
  const alone = stay.members.size === 0;
  tell(alone ? "You are in, and nobody else is. Share this page's address." : stay.isMuted ? "You are muted." : "You are in.");
  mute.textContent = stay.isMuted ? "Unmute" : "Mute";
  mute.setAttribute("aria-pressed", stay.isMuted);
  const open = [...stay.members.values()].filter((member) => member.isOpen).map((member) => member.name);
  sealed.className = `sealed ${stay.isEndToEnd ? "good" : "bad"}`;
  sealed.textContent = stay.isEndToEnd
    ? "End to end: what you say is encrypted for those in this room; the server only passes it on."
    : `NOT end to end: the server can listen in, because ${open.length ? `${open.join(" and ")} cannot encrypt` : "this browser cannot encrypt sound"}.`;
  drawMembers();
}

// Everybody's line; what plays a member's sound stays as long as the member.
function drawMembers() {
  const lines = new Map([...list.children].map((line) => [line.dataset.stay, line]));
  const everybody = [{ number: stay.me, stay: "me", name: `${stay.name} (you)` }, ...stay.members.values()];
  for (const member of everybody) {
    const key = `${member.number}-${member.stay}`;
    const line = lines.get(key) || enter(member, key);
    lines.delete(key);
    line.querySelector("b").textContent = member.name;
    line.querySelector("code").textContent = member.words || "";
    line.querySelector("i").textContent = about(member);
  }
  for (const line of lines.values()) line.remove();
}

function enter(member, key) {
  const line = document.createElement("li");
  line.dataset.stay = key;
  line.dataset.number = member.number;
  line.append(...["b", "code", "i"].map((name) => document.createElement(name)));
  if (member.stay !== "me") {
    const audio = Object.assign(document.createElement("audio"), { autoplay: true, srcObject: stay.sound(member.number) });
    line.append(audio);
    audio.play().catch(() => tell("Your browser wants a click before it plays sound.", true));
  }
  list.append(line);
  return line;
}

function about(member) {
  if (member.stay === "me") return stay.way ? "" : "cannot encrypt";
  if (member.isOpen) return stay.isSecret ? "cannot encrypt, so cannot take part" : "cannot encrypt";
  if (member.refused) return member.refused === "key" ? "does not know your key" : "does not know the same passphrase";
  return member.words ? "" : stay.way ? "making acquaintance …" : "";
}

// Who speaks, four times a second.
setInterval(async () => {
  const levels = stay ? await stay.levels().catch(() => new Map()) : new Map();
  for (const line of list.children) line.classList.toggle("speaks", (levels.get(Number(line.dataset.number)) || 0) > 0.01);
}, 250);

function rest(words, isBad) {
  stay = null;
  list.replaceChildren();
  form.hidden = false;
  here.hidden = true;
  form.querySelector("button").disabled = false;
  sealed.textContent = "";
  tell(words, isBad);
}

function tell(words, isBad = false) {
  say.textContent = words;
  say.classList.toggle("bad", isBad);
}
