// why.js - the answer to "what changed before the errors started?" as a story: onset, suspects with evidence and charts on one time axis, what was cleared.
// SPDX-License-Identifier: MIT
import { el, get, lasting, number, percent, problem, quoted, stepFor, when } from "./lib.js";
import { columns, lineChart } from "./charts.js";

const seconds = (t) => Date.parse(t) / 1000;
const types = { step_change: "a step", trend_change: "a slow rise", spike: "a spike" };

// The query that shows a subject over time; null where there is none.
function subjectQuery(s, step) {
  if (!s || !s.stream || !s.metric) return null;
  const where = Object.entries(s.where || {}).map(([k, v]) => `${k} = ${quoted(v)}`);
  const metric = s.metric === "count" ? "count" : s.metric === "errors" || s.metric === "error_share" ? "errors / count" : /^[A-Za-z_][\w.]*$/.test(s.metric) ? `avg(${s.metric})` : null;
  const kind = metric === "errors / count" ? "share of errors" : metric === "count" ? `lines in ${step}` : `mean ${s.metric}`;
  return metric && { text: `${[`stream = ${s.stream}`, ...where].join(" and ")} | ${metric} every ${step}`, share: metric === "errors / count", kind };
}

// What a chart of a subject shows: its numbers, and the kind of them; null where there are none.
async function subjectData(title, subject, frame, signal) {
  const q = subjectQuery(subject, frame.step);
  if (!q) return null;
  try {
    const answer = await get("lq/query", { query: q.text, since: frame.since, until: frame.until }, signal);
    const { times, values } = columns(answer.series, 0);
    if (times.length < 2) return null;
    return { title, times, values: values[0], kind: q.kind, unit: q.share ? "share" : frame.units.get(`${subject.stream} ${subject.metric}`) || "", most: Math.max(0, ...values[0].filter((v) => v !== null)) };
  } catch (x) {
    if (x.name === "AbortError") throw x;
    return null; /* an identity, or a field that this tier does not keep: the sentence stands without a picture */
  }
}

// One time axis for all. Charts of one kind share their scale where the smaller one can still be read on it; each says what it counts and how far it goes.
const SAME_SCALE = 8;
function multiples(data, frame) {
  return data.map((d) => {
    const alike = data.filter((x) => x.kind === d.kind), most = Math.max(...alike.map((x) => x.most)), least = Math.min(...alike.map((x) => x.most));
    const together = alike.length > 1 && most < SAME_SCALE * least;
    return lineChart({ title: d.title, times: d.times, series: [{ label: "", values: d.values }], unit: d.unit, marks: frame.marks, band: frame.band, height: 110, top: together ? most : d.most,
      caption: (show) => `${d.kind}, at most ${show(d.most)}${alike.length < 2 ? "" : together ? "; one scale for these" : "; a scale of its own"}` });
  });
}

async function subjectChart(title, subject, frame, signal) {
  const d = await subjectData(title, subject, frame, signal);
  return d && multiples([d], frame)[0];
}

function head(a, go, range) {
  const o = a.onset, until = o.end ? o.end : a.to;
  return [
    el("h2", {}, `The errors started ${when(o.time)}`),
    el("p", {}, `${types[o.type] || o.type} in ${a.stream}, between ${when(o.low)} and ${when(o.high)}: ${percent(o.rate_before)} failed before, ${percent(o.rate_after)} since. `,
      o.ongoing ? "It is still going on." : `It ended ${when(o.end)}.`),
    el("div", { class: "figures" },
      el("div", {}, el("b", {}, lasting(seconds(until) - seconds(o.time))), o.ongoing ? "so far" : "long"),
      el("div", {}, el("b", {}, number(a.impact.errors)), `of ${number(a.impact.requests)} requests failed`),
      a.impact.identities ? el("div", {}, el("b", {}, number(a.impact.identities)), "clients hit") : null,
      a.impact.sessions_lost ? el("div", {}, el("b", {}, percent(a.impact.sessions_lost.after)), `of requests lost their session without a logout, ${percent(a.impact.sessions_lost.before)} before`) : null,
      ...Object.entries(a.impact.by?.audience || {}).filter(([, v]) => v && v.errors).map(([k, v]) => el("div", {}, el("b", {}, number(v.errors)), `errors for ${k}`))),
  ];
}

// The words at once, the charts when they are there: fill() brings them.
function suspect(s, frame, signal) {
  const lead = s.lead_s > 0 ? `${lasting(s.lead_s)} before the errors` : "with the errors";
  const box = el("article", { class: "card suspect" },
    el("div", { class: "head" }, el("h3", {}, `${s.rank}. ${s.title}`), el("span", { class: `tag ${s.confidence}` }, `${s.confidence} confidence`), el("span", { class: "quiet" }, `${when(s.time)}, ${lead}`)),
    el("ul", {}, (s.evidence || []).map((t) => el("li", {}, t))),
    s.lines?.length ? el("pre", { class: "lines" }, s.lines.join("\n")) : null);
  const here = { ...frame, marks: [...frame.marks, { time: seconds(s.time), label: s.title, kind: "suspect" }] };
  const subjects = [[s.title, s.subject], ...(s.members || []).map((m) => [m.text, m.subject])];
  const seen = new Set(), charts = el("div", { class: "cards", "aria-busy": "true" });
  box.append(charts);
  const wanted = subjects.filter(([, subject]) => {
    const key = JSON.stringify(subject);
    return subject && !seen.has(key) && seen.size < 4 && seen.add(key);
  });
  const fill = async () => {
    const data = await Promise.all(wanted.map(([title, subject]) => subjectData(title, subject, here, signal)));
    charts.append(...multiples(data.filter(Boolean), here));
    charts.removeAttribute("aria-busy");
  };
  return { box, fill };
}

export async function why({ page, params, signal, range, go }) {
  if ((await get("lq/streams", {}, signal)).streams.every((x) => x.lines === 0)) {
    page.replaceChildren(el("h2", {}, "Nothing is stored yet"), el("p", {}, "Load logs, then come back: ", el("code", {}, "lq load /var/log/nginx/access.log")));
    return;
  }
  const a = await get("lq/why", { ...range, target: params.get("target"), onset: params.get("onset"), lookback: params.get("lookback") }, signal);
  const span = seconds(a.to) - seconds(a.from), step = stepFor(span, 240);
  const units = new Map((await get("lq/fields", {}, signal)).fields.filter((f) => f.unit === "s").map((f) => [`${f.stream} ${f.field}`, "s"]));
  const frame = { units, step, since: a.from, until: a.to, marks: [], band: null };
  const notices = (a.notices || []).map((n) => el("p", { class: "notice" }, n));
  const foot = el("p", { class: "quiet" }, a.tested?.series ? `${number(a.tested.series)} series tested, ${number(a.tested.moved)} moved before the errors (false discovery rate ${a.tested.fdr}); ` : "",
    `${number(a.coverage?.lines)} lines, ${percent(a.coverage?.parsed_share)} understood.`);
  const errors = async () => {
    const chart = await subjectChart(`share of errors in ${a.stream}`, { stream: a.stream, metric: "errors", where: {} }, { ...frame, }, signal);
    return chart;
  };
  if (!a.onset) {
    page.replaceChildren(el("h2", {}, "The errors did not start to rise"), ...notices, (await errors()) || "", foot);
    return;
  }
  frame.marks = [{ time: seconds(a.onset.time), label: "onset", kind: "onset" }];
  frame.band = { from: seconds(a.onset.time), to: seconds(a.onset.end || a.to) };
  page.replaceChildren(...head(a, go, range), (await errors()) || "", ...notices);
  page.append(el("h2", {}, a.suspects.length ? "What changed before" : "Nothing is known to have changed before"));
  const suspects = a.suspects.map((s) => suspect(s, frame, signal));
  page.append(...suspects.map((s) => s.box));
  if (a.cleared?.length) {
    page.append(el("h2", {}, "Cleared"), el("div", { class: "scroll" }, el("table", { class: "stack" },
      el("thead", {}, el("tr", {}, el("th", {}, "when"), el("th", {}, "what"), el("th", {}, "why it is not the cause"))),
      el("tbody", {}, a.cleared.map((c) => el("tr", {}, el("td", { class: "t" }, when(c.time)), el("td", {}, c.title), el("td", {}, c.reason)))))));
  }
  page.append(foot);
  for (const s of suspects) await s.fill();
}
