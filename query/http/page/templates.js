// templates.js - messages: which are new, which are gone, which are most frequent.
// SPDX-License-Identifier: MIT
import { el, get, number, quoted, when } from "./lib.js";
import { extent } from "./overview.js";

const DAY = 86400;

export async function templates({ page, params, signal, range, go }) {
  const { streams } = await get("lq/streams", {}, signal);
  const fields = (await get("lq/fields", {}, signal)).fields.filter((f) => f.field === "template" && f.values > 0);
  if (fields.length === 0) {
    page.replaceChildren(el("h2", {}, "No messages"), el("p", { class: "quiet" }, "None of the streams has free text: load application logs too."));
    return;
  }
  const { values } = await get("lq/values", { field: "template", limit: 5000 }, signal);
  const { from, to } = extent(streams, range);
  const since = Number(params.get("days") || 1) * DAY, find = (params.get("find") || "").toLowerCase();
  const border = to - since;
  const state = (v) => (Date.parse(v.first) / 1000 >= border ? "new" : Date.parse(v.last) / 1000 < border ? "gone" : "known");
  const shown = values.filter((v) => v.value.toLowerCase().includes(find)).map((v) => ({ ...v, state: state(v) }));
  const part = (name, title, empty) => {
    const list = shown.filter((v) => v.state === name);
    return [el("h2", {}, `${title} (${list.length})`), list.length === 0 ? el("p", { class: "quiet" }, empty) : el("div", { class: "scroll" }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", { class: "n" }, "lines"), el("th", {}, "message"), el("th", {}, "stream"), el("th", {}, "first seen"), el("th", {}, "last seen"))),
      el("tbody", {}, list.slice(0, 200).map((v) => el("tr", {}, el("td", { class: "n" }, number(v.count)),
        el("td", { class: "mono" }, el("a", { href: `#/query?${new URLSearchParams({ q: `stream = ${v.stream} and template = ${quoted(v.value)} | count every 1h` })}` }, v.value)),
        el("td", {}, v.stream), el("td", { class: "t" }, when(v.first)), el("td", { class: "t" }, when(v.last)))))))];
  };
  page.replaceChildren(
    el("form", { class: "figures", onsubmit: (e) => { e.preventDefault(); const f = new FormData(e.target); go("templates", { days: f.get("days"), find: f.get("find") }); } },
      el("label", {}, "new or gone within ", el("select", { name: "days", onchange: (e) => e.target.form.requestSubmit() }, [["0.0417", "1 hour"], ["1", "1 day"], ["3", "3 days"], ["7", "7 days"]].map(([d, t]) => el("option", { value: d, selected: Number(d) * DAY === since }, t)))),
      el("label", {}, "containing ", el("input", { name: "find", value: params.get("find") || "" })), el("button", {}, "Show"),
      el("span", { class: "quiet" }, `before ${when(to * 1000)}`)),
    ...part("new", "New messages", "Nothing new in this time."), ...part("gone", "Not seen any more", "Nothing has gone."), ...part("known", "Seen throughout", "None."));
}
