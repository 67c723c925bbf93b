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
  return metric && { text: `${[`stream = ${s.stream}`, ...where].join(" and ")} | ${metric} every ${step}`, share: metric === "errors / count" };
}

async function subjectChart(title, subject, frame, signal) {
  const q = subjectQuery(subject, frame.step);
  if (!q) return null;
  try {
    const answer = await get("lq/query", { query: q.text, since: frame.since, until: frame.until }, signal);
    const { times, values } = columns(answer.series, 0);
    return times.length > 1 ? lineChart({ title, times, series: [{ label: "", values: values[0] }], unit: q.share ? "share" : frame.units.get(`${subject.stream} ${subject.metric}`) || "", marks: frame.marks, band: frame.band, height: 110 }) : null;
  } catch (x) {
    if (x.name === "AbortError") throw x;
    return null; /* an identity, or a field that this tier does not keep: the sentence stands without a picture */
  }
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

async function suspect(s, frame, signal) {
  const lead = s.lead_s > 0 ? `${lasting(s.lead_s)} before the errors` : "with the errors";
  const box = el("article", { class: "card suspect" },
    el("div", { class: "head" }, el("h3", {}, `${s.rank}. ${s.title}`), el("span", { class: `tag ${s.confidence}` }, `${s.confidence} confidence`), el("span", { class: "quiet" }, `${when(s.time)}, ${lead}`)),
    el("ul", {}, (s.evidence || []).map((t) => el("li", {}, t))),
    s.lines?.length ? el("pre", {}, s.lines.join("\n")) : null);
  const here = { ...frame, marks: [...frame.marks, { time: seconds(s.time), label: s.title, kind: "suspect" }] };
  const subjects = [[s.title, s.subject], ...(s.members || []).map((m) => [m.text, m.subject])];
  const seen = new Set(), charts = el("div", { class: "cards" });
  box.append(charts);
  for (const [title, subject] of subjects) {
    const key = JSON.stringify(subject);
    if (!subject || seen.has(key) || seen.size >= 4) continue;
    seen.add(key);
    const c = await subjectChart(title, subject, here, signal);
    if (c) charts.append(c);
  }
  return box;
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
  const foot = el("p", { class: "quiet" }, `${number(a.tested?.series)} series tested, ${number(a.tested?.moved)} moved before the errors (false discovery rate ${a.tested?.fdr}); `,
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
  for (const s of a.suspects) page.append(await suspect(s, frame, signal));
  if (a.cleared?.length) {
    page.append(el("h2", {}, "Cleared"), el("div", { class: "scroll" }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", {}, "when"), el("th", {}, "what"), el("th", {}, "why it is not the cause"))),
      el("tbody", {}, a.cleared.map((c) => el("tr", {}, el("td", { class: "n" }, when(c.time)), el("td", {}, c.title), el("td", {}, c.reason)))))));
  }
  page.append(foot);
}
