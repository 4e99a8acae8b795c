"use strict";
const root = document.documentElement;
const dark = (on) => root.classList.toggle("dark", on);
dark(matchMedia("(prefers-color-scheme: dark)").matches);
document.getElementById("theme").onclick = () => dark(!root.classList.contains("dark"));
for (const button of document.querySelectorAll(".other")) {
  button.onclick = () => {
    button.closest("figure").style.display = "none";
    document.getElementById(button.dataset.shows).style.display = "block";
  };
}
// What is under the pointer, by the axes of its panel.
const read = (range, part) => {
  const [from, to, scale, unit] = range.split(" ");
  const value = scale === "Log" ? +from * (to / from) ** part : +from + part * (to - from);
  const prefix = { Seconds: [["s", 1], ["ms", 1e-3], ["µs", 1e-6], ["ns", 1e-9]], Bits: [["Mbit/s", 1e6], ["kbit/s", 1e3], ["bit/s", 1]] }[unit];
  if (unit === "None") return "";
  const [name, factor] = (prefix || [["", 1]]).find(([, f]) => Math.abs(value) >= f) || prefix[prefix.length - 1];
  return (value / factor).toPrecision(4) + " " + name;
};
for (const figure of document.querySelectorAll("figure")) {
  const svg = figure.querySelector("svg");
  const out = figure.querySelector("output");
  svg.onpointermove = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    out.textContent = "";
    for (const panel of svg.querySelectorAll(".panel")) {
      const [left, top, width, height] = panel.dataset.box.split(" ").map(Number);
      const x = (at.x - left) / width, y = 1 - (at.y - top) / height;
      if (x < 0 || x > 1 || y < 0 || y > 1) continue;
      out.textContent = read(panel.dataset.x, x) + "  " + read(panel.dataset.y, y);
    }
  };
  svg.onpointerleave = () => { out.textContent = ""; };
  // A click lets one ink alone, another lets all again.
  for (const layer of svg.querySelectorAll(".layer")) {
    layer.onclick = () => {
      const others = [...layer.parentNode.querySelectorAll(".layer")].filter((l) => l.dataset.ink !== layer.dataset.ink);
      const off = !others.some((l) => l.classList.contains("off"));
      others.forEach((l) => l.classList.toggle("off", off));
    };
  }
}
