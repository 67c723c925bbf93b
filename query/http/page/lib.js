// lib.js - elements, requests, formatting. Text only ever becomes text nodes: nothing from a log is read as HTML.
// SPDX-License-Identifier: MIT

export function el(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) {
    if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (v === true) e.setAttribute(k, "");
    else if (v !== undefined && v !== null && v !== false) e.setAttribute(k, v);
  }
  e.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

export class Problem extends Error {
  constructor(error, status) {
    super(error.message || "the server did not answer");
    this.error = error;
    this.status = status;
  }
}

let token = sessionStorage.getItem("lq-token");
export function setToken(t) {
  token = t;
  sessionStorage.setItem("lq-token", t);
}

// JSON of an address below /api/v1/; params without a value are left out.
export async function get(path, params, signal) {
  const query = new URLSearchParams(Object.entries(params || {}).filter(([, v]) => v !== undefined && v !== null && v !== ""));
  let r;
  try {
    r = await fetch(`/api/v1/${path}?${query}`, { signal, headers: token ? { Authorization: `Bearer ${token}` } : {} });
  } catch (x) {
    if (x.name === "AbortError") throw x;
    throw new Problem({ message: "the server cannot be reached", hint: "is lq web or lqd still running?" }, 0);
  }
  const text = await r.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Problem({ message: `the answer is no JSON (${r.status})` }, r.status);
  }
  if (!r.ok) throw new Problem(body.error && body.error.message ? body.error : { message: String(body.error || r.status) }, r.status);
  return body;
}

// An error for people: the place in the text is underlined.
export function problem(x) {
  const e = x.error || { message: String(x.message || x) };
  const box = el("div", { class: "problem", role: "alert" }, el("p", {}, e.message));
  if (e.caret) {
    const pre = el("pre", { class: "caret" }, `${e.text}\n${" ".repeat(e.caret - 1)}${"^".repeat(Math.max(1, e.caret_width))}`);
    requestAnimationFrame(() => { pre.scrollLeft = pre.scrollWidth * (e.caret / Math.max(e.text.length, e.caret)) - pre.clientWidth / 2; }); // on a phone the place may lie outside
    box.append(pre);
  }
  if (e.hint) box.append(el("p", { class: "quiet" }, e.hint));
  if (x.status === 401) {
    box.append(el("form", {
      onsubmit: (ev) => {
        ev.preventDefault();
        setToken(new FormData(ev.target).get("token"));
        dispatchEvent(new HashChangeEvent("hashchange"));
      },
    }, el("label", {}, "token ", el("input", { name: "token", type: "password", autocomplete: "off" })), " ", el("button", {}, "Use it")));
  }
  return box;
}

export const busy = (text) => el("p", { class: "quiet busy", role: "status" }, text);

const pad = (n) => String(n).padStart(2, "0");
export function when(t) {
  const d = t instanceof Date ? t : new Date(t);
  return isNaN(d) ? "–" : `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${pad(d.getHours())}:${pad(d.getMinutes())}${d.getSeconds() ? ":" + pad(d.getSeconds()) : ""}`;
}

export function lasting(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const i = units.findIndex(([, s]) => seconds >= s);
  if (i < 0) return "0 s";
  const n = Math.floor(seconds / units[i][1]), rest = i < 3 ? Math.floor((seconds % units[i][1]) / units[i + 1][1]) : 0;
  return `${n} ${units[i][0]}${rest ? ` ${rest} ${units[i + 1][0]}` : ""}`;
}

export function number(v) {
  if (v === null || v === undefined || Number.isNaN(v)) return "–";
  const a = Math.abs(v);
  if (a >= 1e9) return `${+(v / 1e9).toPrecision(3)} G`;
  if (a >= 1e6) return `${+(v / 1e6).toPrecision(3)} M`;
  if (a >= 1e4) return `${+(v / 1e3).toPrecision(3)} k`;
  return String(+v.toPrecision(4));
}
// Seconds as people say them.
export function duration(v) {
  if (v === null || v === undefined || Number.isNaN(v)) return "–";
  const a = Math.abs(v);
  return a >= 1 || a === 0 ? `${number(v)} s` : a >= 1e-3 ? `${number(v * 1e3)} ms` : `${number(v * 1e6)} µs`;
}
export const percent = (v) => (v === null || v === undefined ? "–" : `${+(100 * v).toPrecision(3)} %`);

// A value in the query language.
export const quoted = (s) => `"${String(s).replace(/[\\"]/g, "\\$&")}"`;

// The next step that buckets can give, for about `points` points over the range.
export function stepFor(seconds, points) {
  const steps = [[10, "10s"], [30, "30s"], [60, "1m"], [300, "5m"], [600, "10m"], [1800, "30m"], [3600, "1h"], [10800, "3h"], [21600, "6h"], [43200, "12h"], [86400, "1d"], [604800, "7d"]];
  return (steps.find(([s]) => s * points >= seconds) || steps[steps.length - 1])[1];
}
