// Listeners over time, drawn by uPlot, which is fetched when the first chart is opened.

let loading = null;
function load() {
  loading ??= new Promise((done, failed) => {
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/assets/vendor/uplot/uPlot.min.css" });
    const script = Object.assign(document.createElement("script"), { src: "/assets/vendor/uplot/uPlot.iife.min.js", onload: done, onerror: failed });
    document.head.append(style, script);
  });
  return loading;
}

export async function drawHistory(plot, name) {
  plot.textContent = "…";
  try {
    await load();
    const answer = await fetch(`/api/v1/mounts/${encodeURIComponent(name)}/history`);
    const { fine, coarse } = await answer.json();
    const series = fine.at.length > 1 || coarse.at.length < 2 ? fine : coarse;
    plot.textContent = series.at.length ? "" : "Nothing yet: the first point comes within five seconds.";
    if (series.at.length) draw(plot, series);
  } catch {
    plot.textContent = "The chart could not be loaded.";
  }
}

function draw(plot, series) {
  const ink = getComputedStyle(document.body).color;
  const water = getComputedStyle(document.documentElement).getPropertyValue("--water");
  const axis = { stroke: ink, grid: { stroke: `color-mix(in srgb, ${ink} 12%, transparent)` } };
  const options = {
    width: plot.clientWidth, height: 150,
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most)] } },
    axes: [axis, { ...axis, size: 40 }],
    series: [{}, { label: "listeners", stroke: water, fill: `color-mix(in srgb, ${water} 18%, transparent)`, width: 2 }],
  };
  const chart = new uPlot(options, [series.at, series.listeners], plot);
  new ResizeObserver(() => chart.setSize({ width: plot.clientWidth, height: 150 })).observe(plot);
}
