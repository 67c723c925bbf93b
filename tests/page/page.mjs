// page.mjs - the page in headless Chromium: usage: node page.mjs URL [FOLDER for screenshots]
// SPDX-License-Identifier: MIT
import { createRequire } from "node:module";
const { chromium } = createRequire(process.env.PLAYWRIGHT_FROM + "/")("playwright-core");

const [, , base, shots] = process.argv;
let checks = 0;
function want(ok, what, shown) {
  checks++;
  if (!ok) {
    console.log("wrong:", what, shown === undefined ? "" : JSON.stringify(shown).slice(0, 800));
    process.exit(1);
  }
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
const noise = [];
async function open(options) {
  const page = await (await browser.newContext(options)).newPage();
  page.on("console", (m) => { if (m.type() === "error" && !/status of 400/.test(m.text())) noise.push(m.text()); });
  page.on("pageerror", (e) => noise.push(String(e)));
  page.on("request", (r) => { if (!r.url().startsWith(base)) noise.push(`left the host: ${r.url()}`); });
  return page;
}
async function view(page, hash) {
  await page.goto(`${base}/${hash}`);
  await page.waitForSelector("main > div > :not(.busy)", { timeout: 60000 });
  await page.waitForFunction(() => !document.querySelector(".busy, [aria-busy]") && [...document.querySelectorAll(".chart")].every((c) => c.querySelector("canvas")), null, { timeout: 60000 });
}

const page = await open({ viewport: { width: 1280, height: 900 } });
await view(page, "#/why");
const main = page.locator("main");
want(/The errors started 2026-03-0/.test(await main.innerText()), "the onset");
const first = page.locator(".suspect").first();
want(/1\. release 2\.4\.1/.test(await first.innerText()), "the guilty release is first", await first.innerText());
want(/high confidence/.test(await first.innerText()), "with high confidence");
want((await first.locator("canvas").count()) > 0, "with a chart");
const captions = await page.locator(".suspect .caption").allInnerTexts();
want(captions.length === (await page.locator(".suspect canvas").count()) && captions.every((t) => /^(lines in|share of errors|mean ).*, at most \S/.test(t)), "every chart of a suspect says what it counts and how far its scale goes", captions);
want(/of requests lost their session without a logout/.test(await page.locator(".figures").innerText()), "the sessions that were lost");
want(/release 2\.4\.3/.test(await page.locator("table").innerText()), "the latest release is cleared");

await view(page, "#/overview");
await page.waitForFunction(() => document.querySelectorAll("canvas").length >= 5, null, { timeout: 60000 }).catch(() => {}); // a busy machine may still show the view before
want((await page.locator("canvas").count()) >= 5, "charts of traffic, errors and latency");
const asked = page.waitForRequest((r) => r.url().includes("/api/v1/lq/query") && /since=2026-/.test(r.url()), { timeout: 30000 });
const box = await page.locator(".u-over").first().boundingBox();
await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
await page.mouse.down();
await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 5 });
await page.mouse.up();
await asked;
want(/since=2026-.*until=2026-/.test(page.url()), "zooming asks again and is in the address", page.url());

await view(page, "#/query?q=errors%20by%20hots");
want(/errors by hots\n {10}\^\^\^\^/.test(await page.locator("pre.caret").innerText()), "a wrong query shows its caret", await page.locator("pre.caret").innerText());
const far = 'stream = combined_time and route ~ "^/api" and status >= 500 and host = "é" and host != "' + "x".repeat(60) + '" | p50(request_tim) every 1h';
await view(page, `#/query?q=${encodeURIComponent(far)}`);
const [text, caret] = (await page.locator("pre.caret").innerText()).split("\n");
want(text.slice(caret.indexOf("^"), caret.length) === "request_tim", "also in a long query, whose text is cut", [text, caret]);
await view(page, "#/query?q=errors%20by%20hots");
want(/did you mean host/.test(await main.innerText()), "and a suggestion");
await page.fill("textarea", "count by host every 1d");
await page.press("textarea", "Control+Enter");
await page.waitForFunction(() => document.querySelectorAll("tbody tr").length > 10, null, { timeout: 30000 });
want(/q=count\+by\+host\+every\+1d/.test(page.url()), "the query is in the address", page.url());
await view(page, "#/query?q=p99(request_time)%20by%20host");
want(/\d m?s$/m.test(await page.locator("tbody tr td.n").first().innerText()), "seconds have their unit");
await view(page, "#/query?q=host%20%3D%20nobody%20%7C%20count");
want(/Nothing there|0/.test(await main.innerText()), "an empty answer says so");

await view(page, "#/templates?days=7");
want(/New messages \([1-9]/.test(await main.innerText()), "new messages", await main.innerText());
want((await page.locator("b.injected, img").count()) === 0 && (await page.evaluate(() => window.injected)) === undefined, "a log full of HTML stays text");
want(/<b class=/.test(await main.innerText()), "and is shown as text");

// The keyboard alone. A page that nobody has touched yet: on one that was used, Tab goes on from where the focus was.
const keys = await open({ viewport: { width: 1280, height: 900 } });
const focused = (p) => p.evaluate(() => document.activeElement.className || document.activeElement.name || document.activeElement.id || document.activeElement.textContent);
await view(keys, "#/why");
await keys.keyboard.press("Tab");
want((await focused(keys)) === "skip", "the keyboard comes in by the skip link", await focused(keys));
await keys.keyboard.press("Enter");
want((await focused(keys)) === "main" && keys.url().endsWith("#/why"), "which leads to the content of this view", [await focused(keys), keys.url()]);
await keys.focus("nav a[data-view=templates]");
await keys.keyboard.press("Enter");
await keys.waitForFunction(() => location.hash.startsWith("#/templates") && document.title === "lq: Messages", null, { timeout: 30000 });
want((await focused(keys)) === "Messages", "a link that was followed keeps the focus", await focused(keys));
await view(keys, "#/query?q=count");
await keys.focus("textarea");
await keys.keyboard.press("Control+End");
await keys.keyboard.type(" by status");
await keys.keyboard.press("Control+Enter");
await keys.waitForFunction(() => document.querySelectorAll("tbody tr").length > 1, null, { timeout: 30000 });
want((await focused(keys)) === "q", "asking keeps the focus in the query", await focused(keys));
await keys.context().close();

for (const [name, options] of [["light", { viewport: { width: 1280, height: 900 }, colorScheme: "light" }], ["dark", { viewport: { width: 1280, height: 900 }, colorScheme: "dark" }], ["phone", { viewport: { width: 390, height: 844 } }]]) {
  const p = await open(options);
  for (const [v, hash] of [["overview", "#/overview"], ["why", "#/why"], ["query", "#/query?q=errors%20%2F%20count%20by%20host%20every%206h"], ["templates", "#/templates"],
    ["an empty range", "#/overview?since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z"], ["no onset", "#/why?since=2026-02-27T00:00:00Z&until=2026-03-01T00:00:00Z"], ["no time", "#/overview?since=nonsense"],
    ["a far caret", `#/query?q=${encodeURIComponent(far)}`]]) {
    await view(p, hash);
    const over = await p.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    want(over <= 0, `${name} ${v}: nothing sticks out`, over);
    const said = await p.locator("main").innerText();
    want(!/\b(false|null|undefined|NaN)\b/.test(said.replace("false discovery rate", "")), `${name} ${v}: words, not values of the program`, said);
    if (v === "an empty range") want(/Nothing there in this range/.test(said), `${name}: an empty range says so`, said);
    if (v === "a far caret") want(await p.evaluate(() => { const c = document.querySelector("pre.caret"), at = c.textContent.split("\n")[1].indexOf("^") / c.textContent.indexOf("\n") * c.scrollWidth; return at > c.scrollLeft && at < c.scrollLeft + c.clientWidth; }), `${name}: the caret is in view`);
    if (shots) await p.screenshot({ path: `${shots}/${name}-${v.replaceAll(" ", "-")}.png`, fullPage: v === "why" });
  }
  await p.context().close();
}
want(noise.length === 0, "no console error and no request to another host", noise);
await browser.close();
console.log(checks, "checks passed");
