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

// Draws and keeps drawing for as long as the chart is open and on the page.
export async function drawHistory(plot, name) {
  plot.textContent = "…";
  let chart = null;
  const open = () => plot.isConnected && plot.closest("details").open;
  try {
    await load();
    while (open()) {
      const series = await past(name);
      if (chart) chart.setData([series.at, series.listeners]);
      else if (series.at.length > 1) chart = draw(plot, series);
      else plot.textContent = "Nothing yet: the first points come within ten seconds.";
      await new Promise((done) => setTimeout(done, 5000));
    }
  } catch {
    plot.textContent = "The chart could not be loaded.";
  }
  chart?.destroy();
}

async function past(name) {
  const answer = await fetch(`/api/v1/mounts/${encodeURIComponent(name)}/history`);
  const { fine, coarse } = await answer.json();
  return coarse.at.length > 60 ? coarse : fine;
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
  plot.textContent = "";
  const chart = new uPlot(options, [series.at, series.listeners], plot);
  new ResizeObserver(() => chart.setSize({ width: plot.clientWidth, height: 150 })).observe(plot);
  return chart;
}
