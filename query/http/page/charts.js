// charts.js - uPlot with the page's colours, marks on the time axis and one shared cursor.
// SPDX-License-Identifier: MIT
/* global uPlot */
import { duration, el, number, percent, when } from "./lib.js";

const cursors = uPlot.sync("lq");
const live = new Set();
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (i) => `--s${(i % 8) + 1}`;

// marks: [{time, label, kind}], band: {from, to}: seconds since 1970.
function marksPlugin(marks, band) {
  return {
    hooks: {
      drawClear: (u) => {
        if (!band) return;
        const a = Math.max(u.bbox.left, u.valToPos(band.from, "x", true)), b = Math.min(u.bbox.left + u.bbox.width, u.valToPos(band.to, "x", true));
        if (b > a) {
          u.ctx.fillStyle = css("--band");
          u.ctx.fillRect(a, u.bbox.top, b - a, u.bbox.height);
        }
      },
      draw: (u) => {
        for (const m of marks || []) {
          const x = Math.round(u.valToPos(m.time, "x", true));
          if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
          u.ctx.save();
          u.ctx.strokeStyle = css(m.kind === "onset" ? "--bad" : "--warn");
          u.ctx.setLineDash(m.kind === "onset" ? [] : [4 * devicePixelRatio, 3 * devicePixelRatio]);
          u.ctx.lineWidth = devicePixelRatio;
          u.ctx.beginPath();
          u.ctx.moveTo(x, u.bbox.top);
          u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
          u.ctx.stroke();
          u.ctx.restore();
        }
      },
    },
  };
}

// Series: [{label, values}] over one list of times (seconds). unit: "share", "s" or "". zoom(from, to) is called with seconds. top: the scale goes up to there;
// caption(show): a line below the title, show writes a number with its unit.
export function lineChart({ title, times, series, unit, marks, band, height, zoom, summary, top, caption }) {
  const box = el("div", { class: "chart", role: "img", "aria-label": `${title}. ${summary || ""}` });
  const show = unit === "share" ? percent : unit === "s" ? duration : number;
  const readout = el("div", { class: "legend", "aria-hidden": "true" });
  const items = series.map((s, i) => el("span", {}, el("i", { class: `c${(i % 8) + 1}` }), s.label, el("span", {}, "")));
  if (series.length > 1 || series[0]?.label) readout.append(...items);
  let plot = null;
  const build = () => {
    if (plot) plot.destroy();
    const axis = { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
    plot = new uPlot({
      width: box.clientWidth, height: height || 180,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: cursors.key }, drag: { x: Boolean(zoom), y: false, setScale: false }, points: { size: 6 } },
      select: { show: Boolean(zoom) },
      scales: { x: { time: true }, y: { range: (u, min, max) => [Math.min(0, min ?? 0), (top ?? max) > 0 ? (top ?? max) * 1.08 : 1] } },
      axes: [{ ...axis, space: 110, size: 32, values: (u, splits) => splits.map((t) => (u.valToPos(t, "x") > u.bbox.width / devicePixelRatio - 30 ? "" : when(t * 1000).slice(5, 16))) }, /* none that would be cut off */
        { ...axis, size: 62, space: 28, values: (u, splits) => splits.map(show) }],
      series: [{}, ...series.map((s, i) => ({ label: s.label, stroke: () => css(colour(i)), width: 1.5, spanGaps: false, points: { show: times.length < 40, fill: () => css("--panel") } }))],
      plugins: [marksPlugin(marks, band)],
      hooks: {
        setCursor: [(u) => {
          const k = u.cursor.idx;
          items.forEach((item, i) => { item.lastChild.textContent = k === null || k === undefined ? "" : ` ${show(series[i].values[k])}`; });
        }],
        setSelect: [(u) => {
          if (zoom && u.select.width > 4) zoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
        }],
      },
    }, [times, ...series.map((s) => s.values)], box);
  };
  let width = 0;
  const seen = new ResizeObserver(() => { /* fires when the box is shown first, too */
    if (box.isConnected && box.clientWidth !== width && box.clientWidth > 0) {
      width = box.clientWidth;
      build();
    }
  });
  seen.observe(box);
  const end = () => {
    seen.disconnect();
    if (plot) plot.destroy();
  };
  live.add({ box, build, end });
  return el("figure", { class: "card" }, title && el("h3", {}, title), caption && el("p", { class: "quiet caption" }, caption(show)), box, readout);
}

// Drop the charts of a view that is left; draw again when the theme changed.
export function endCharts() {
  for (const c of live) c.end();
  live.clear();
}
export function redraw() {
  for (const c of live) {
    if (c.box.isConnected) c.build();
  }
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

// Columns of a query's answer (json of the API) as uPlot wants them.
export function columns(series, column) {
  const times = series.length ? series[0].points.map((p) => Date.parse(p[0]) / 1000) : [];
  return { times, values: series.map((s) => s.points.map((p) => p[column + 1])) };
}
