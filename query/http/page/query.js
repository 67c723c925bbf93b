// query.js - a query, as a chart and a table; the address holds it.
// SPDX-License-Identifier: MIT
import { duration, el, get, number, percent, problem, busy, when } from "./lib.js";
import { columns, lineChart } from "./charts.js";

const examples = ["errors / count by host every 5m", "count by status | top 10", "p50(request_time), p99(request_time) by route | top 10 by p99(request_time)", "distinct(client) every 1h"];
const SERIES_SHOWN = 8, ROWS_SHOWN = 500;

const name = (s, many) => Object.values(s.labels).map((v) => v || "–").join(", ") + (many ? ` (${s.stream})` : "") || s.stream;

// What a column is measured in: "share", "s" or "". seconds: names of the measures that are seconds.
function unit(column, seconds) {
  if (/^errors\s*\/\s*count$/.test(column)) return "share";
  const of = /^(?:p[\d.]+|avg|min|max|sum)\((\w+)\)$/.exec(column);
  return of && seconds.has(of[1]) ? "s" : "";
}
const shows = { share: percent, s: duration, "": number };

function charts(a, seconds) {
  const many = new Set(a.series.map((s) => s.stream)).size > 1;
  const shown = a.series.slice(0, SERIES_SHOWN);
  return a.columns.map((c, i) => {
    const { times, values } = columns(shown, i);
    return lineChart({ title: c + (a.series.length > SERIES_SHOWN ? ` (the first ${SERIES_SHOWN} of ${a.series.length} series)` : ""), times,
      series: shown.map((s, k) => ({ label: name(s, many), values: values[k] })), unit: unit(c, seconds), height: 240 });
  });
}

function table(a, seconds) {
  const labels = [...new Set(a.series.flatMap((s) => Object.keys(s.labels)))], timed = a.step_s !== null, many = new Set(a.series.map((s) => s.stream)).size > 1;
  const rows = [], show = a.columns.map((c) => shows[unit(c, seconds)]);
  for (const s of a.series) {
    for (const p of timed ? s.points : [s.values]) {
      if (rows.length >= ROWS_SHOWN) break;
      const values = timed ? p.slice(1) : p;
      if (timed && values.every((v) => v === null)) continue;
      rows.push(el("tr", {}, timed && el("td", { class: "t" }, when(p[0])), many && el("td", {}, s.stream), labels.map((l) => el("td", {}, s.labels[l] || "–")), values.map((v, c) => el("td", { class: "n" }, show[c](v)))));
    }
  }
  const total = a.series.reduce((n, s) => n + (timed ? s.points.length : 1), 0);
  return el("div", { class: "scroll" }, !many && el("p", { class: "quiet" }, `stream ${a.series[0].stream}`), el("table", {},
    el("thead", {}, el("tr", {}, timed && el("th", {}, "time"), many && el("th", {}, "stream"), labels.map((l) => el("th", {}, l)), a.columns.map((c) => el("th", { class: "n" }, c)))),
    el("tbody", {}, rows)), total > rows.length && rows.length >= ROWS_SHOWN && el("p", { class: "quiet" }, `the first ${ROWS_SHOWN} rows`));
}

export async function query({ page, params, signal, range, go }) {
  const text = params.get("q") || "";
  const area = el("textarea", { name: "q", spellcheck: "false", "aria-label": "Query", placeholder: examples[0] }, text);
  const form = el("form", { id: "ask", onsubmit: (e) => { e.preventDefault(); go("query", { q: area.value.trim() }); } }, area,
    el("div", { class: "row" }, el("button", { class: "main" }, "Ask"), el("span", { class: "quiet" }, "Ctrl-Enter asks. For example: "),
      examples.map((x) => el("button", { type: "button", onclick: () => go("query", { q: x }) }, x))));
  area.addEventListener("keydown", (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); form.requestSubmit(); } });
  const out = el("div", { "aria-live": "polite" });
  page.replaceChildren(el("h2", {}, "Query"), form, out);
  if (!text) {
    area.focus();
    return;
  }
  out.append(busy("Asking …"));
  try {
    const a = await get("lq/query", { query: text, since: range.since || "1970-01-02", until: range.until }, signal);
    const seconds = new Set((await get("lq/fields", {}, signal)).fields.filter((f) => f.unit === "s").map((f) => f.field));
    const notes = (a.notices || []).map((n) => el("p", { class: "notice" }, n));
    if (a.series.length === 0) out.replaceChildren(...notes, el("p", { class: "quiet" }, "Nothing there in this range."));
    else out.replaceChildren(...notes, ...(a.step_s !== null ? charts(a, seconds) : []), table(a, seconds));
  } catch (x) {
    if (x.name === "AbortError") throw x;
    out.replaceChildren(problem(x));
  }
}
