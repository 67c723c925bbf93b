// app.js - views by address: #/overview, #/why, #/query, #/templates, each with its parameters, so that a link shows what its sender saw.
// SPDX-License-Identifier: MIT
import { el, problem, busy } from "./lib.js";
import { endCharts, redraw } from "./charts.js";
import { overview } from "./overview.js";
import { why } from "./why.js";
import { query } from "./query.js";
import { templates } from "./templates.js";

const views = { overview, why, query, templates };
const main = document.getElementById("main"), range = document.getElementById("range");
let under = null;

function address() {
  const [path, params] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: views[path] ? path : "overview", params: new URLSearchParams(params || "") };
}

// Change parameters of the present address (null removes one).
export function go(view, changes) {
  const now = address(), params = now.view === view ? now.params : new URLSearchParams([...now.params].filter(([k]) => k === "since" || k === "until"));
  for (const [k, v] of Object.entries(changes || {})) {
    if (v === null || v === undefined || v === "") params.delete(k);
    else params.set(k, v);
  }
  const text = params.toString(), next = `#/${view}${text ? `?${text}` : ""}`;
  if (next === location.hash) show();
  else location.hash = next;
}

// What had the focus is gone with the old view: the field of the same name has it now, else the view as a whole.
function keepFocus(old) {
  if (document.activeElement !== document.body) return;
  const same = old.name && main.querySelector(`[name="${CSS.escape(old.name)}"]`);
  (same || main).focus({ preventScroll: true });
}

async function show() {
  const { view, params } = address();
  if (under) under.abort();
  under = new AbortController();
  const signal = under.signal;
  endCharts();
  document.querySelectorAll("nav a").forEach((a) => {
    const keep = new URLSearchParams([...params].filter(([k]) => k === "since" || k === "until")).toString();
    a.setAttribute("href", `#/${a.dataset.view}${keep ? `?${keep}` : ""}`);
    if (a.dataset.view === view) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  });
  range.elements.since.value = params.get("since") || "";
  range.elements.until.value = params.get("until") || "";
  document.title = `lq: ${document.querySelector(`nav a[data-view=${view}]`).textContent}`;
  const page = el("div", {}), focused = main.contains(document.activeElement) ? document.activeElement : null;
  main.replaceChildren(page);
  page.append(busy("Asking …"));
  try {
    const shown = views[view]({ page, params, signal, go, range: { since: params.get("since") || "", until: params.get("until") || "" } });
    if (focused) keepFocus(focused);
    await shown;
  } catch (x) {
    if (x.name !== "AbortError") page.replaceChildren(problem(x));
  }
}

range.addEventListener("submit", (e) => {
  e.preventDefault();
  go(address().view, { since: range.elements.since.value.trim(), until: range.elements.until.value.trim() });
});
document.getElementById("whole").addEventListener("click", () => go(address().view, { since: null, until: null }));
document.getElementById("theme").addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches, now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  localStorage.setItem("lq-theme", document.documentElement.dataset.theme);
  redraw();
});
document.querySelector(".skip").addEventListener("click", (e) => { // its address would be taken for a view
  e.preventDefault();
  main.focus();
});
const theme = localStorage.getItem("lq-theme");
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
addEventListener("hashchange", show);
show();
