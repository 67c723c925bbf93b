// overview.js - traffic, errors and latency of each stream, with what happened on the time axis.
// SPDX-License-Identifier: MIT
import { duration, el, get, number, percent, problem, stepFor, when } from "./lib.js";
import { columns, lineChart } from "./charts.js";

// Range in seconds, from the parameters or from what is stored.
export function extent(streams, range) {
  const used = streams.filter((s) => s.first);
  const first = Math.min(...used.map((s) => Date.parse(s.first))) / 1000, last = Math.max(...used.map((s) => Date.parse(s.last))) / 1000;
  const since = Date.parse(range.since) / 1000, until = Date.parse(range.until) / 1000;
  return { from: isNaN(since) ? first : since, to: isNaN(until) ? last : until };
}

export async function marks(range, signal) {
  const list = await get("infinity/annotations", { from: range.since || "1970-01-02", to: range.until }, signal);
  return list.map((m) => ({ time: m.time / 1000, label: m.title, kind: m.tags }));
}

const iso = (s) => new Date(Math.round(s) * 1000).toISOString().replace(".000Z", "Z");

export async function overview({ page, signal, range, go }) {
  const { streams } = await get("lq/streams", {}, signal);
  const used = streams.filter((s) => s.lines > 0);
  if (used.length === 0) {
    page.replaceChildren(el("h2", {}, "Nothing is stored yet"), el("p", {}, "Load logs, then come back: ", el("code", {}, "lq load /var/log/nginx/access.log")));
    return;
  }
  const { from, to } = extent(streams, range), step = stepFor(to - from, 300);
  const fields = (await get("lq/fields", {}, signal)).fields;
  const events = await marks(range, signal);
  const zoom = (a, b) => go("overview", { since: iso(a), until: iso(b) });
  page.replaceChildren(
    el("div", { class: "figures" },
      el("div", {}, el("b", {}, number(used.reduce((n, s) => n + s.lines, 0))), "lines stored"),
      el("div", {}, el("b", {}, when(from * 1000)), "from"),
      el("div", {}, el("b", {}, when(to * 1000)), "to"),
      el("div", {}, el("a", { href: `#/why?${new URLSearchParams(Object.entries(range).filter(([, v]) => v))}` }, el("b", {}, "What changed?")), "before the errors started")),
    ...(events.length === 0 ? [] : [el("details", {}, el("summary", {}, `${events.length} ${events.length === 1 ? "event" : "events"} on the time axis (dashed lines)`),
      el("ul", {}, events.map((m) => el("li", {}, `${when(m.time * 1000)}  ${m.label}`))))]));
  for (const s of used.sort((a, b) => (a.records === b.records ? b.lines - a.lines : a.records === "requests" ? -1 : 1))) {
    const measure = fields.filter((f) => f.stream === s.stream && f.role === "measure" && f.unit === "s")[0]?.field;
    const what = ["rate", "errors / count"].concat(measure ? [`avg(${measure})`] : []);
    const cards = el("div", { class: "cards" }), sums = el("span", { class: "quiet" });
    page.append(el("section", {}, el("h2", {}, s.stream, " ", sums), cards));
    try {
      const answer = await get("lq/query", { query: `stream = ${s.stream} | ${[...what, "count", "errors"].join(", ")} every ${step}`, since: range.since || iso(from - 86400), until: range.until }, signal);
      const sum = (c) => (answer.series[0]?.points || []).reduce((n, p) => n + (p[c + 1] || 0), 0), lines = sum(what.length);
      sums.textContent = `${number(lines)} ${s.records}, ${number(sum(what.length + 1))} errors`;
      if (lines === 0) {
        cards.append(el("p", { class: "quiet" }, "Nothing there in this range."));
        continue;
      }
      what.forEach((w, c) => {
        const { times, values } = columns(answer.series, c);
        const top = values.length ? Math.max(...values[0].filter((v) => v !== null)) : 0;
        const unit = c === 1 ? "share" : c === 2 ? "s" : "";
        const title = c === 0 ? `${s.records} a second` : c === 1 ? "share of errors" : `mean ${measure}`;
        cards.append(lineChart({ title, times, series: [{ label: "", values: values[0] || [] }], unit, marks: events, zoom, summary: `at most ${unit === "share" ? percent(top) : unit === "s" ? duration(top) : number(top)}` }));
      });
    } catch (x) {
      if (x.name === "AbortError") throw x;
      cards.append(problem(x));
    }
  }
}
