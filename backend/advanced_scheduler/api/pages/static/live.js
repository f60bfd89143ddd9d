// Keeps a page alive: hears events, fetches the page again, and swaps the regions that changed.
//
// A region is an element with data-live="name". One that holds the focus, a selection or an open
// dialog is left alone until it does not. In a region with data-grow, rows (data-row="id") change
// in place, and new ones are announced instead of pushing the others away.

import { arm, listen, looking } from "./actions.js";
import { tellTimes } from "./times.js";

const SOON = 400; // milliseconds between an event and the fetch it leads to, at least
const SHARE = 4; // and so many times as long as the last one took
const SLOWLY = 15000; // between fetches when nothing is heard, and at most
const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";
const regionsOf = (page) => page.querySelectorAll("[data-live]");

const sent = new Map(); // name of a region -> its HTML as the server sent it last
let source, timer, fetching;
let took = 0;
let paused = sessionStorage.getItem("paused") === "yes";
const watching = () => !paused && !document.hidden && sent.size > 0;

// --- regions ---------------------------------------------------------------------------------

function hasFocus(part) {
  const active = document.activeElement;
  return active !== part && active !== document.body && part.contains(active);
}

function isHeld(region) {
  if (hasFocus(region)) return true;
  if (region.querySelector("dialog[open], input:checked[data-keep]")) return true;
  const selection = getSelection();
  return !selection.isCollapsed && region.contains(selection.anchorNode);
}

function swap(fresh) {
  const region = document.querySelector(`[data-live="${CSS.escape(fresh.dataset.live)}"]`);
  if (!region || sent.get(fresh.dataset.live) === fresh.innerHTML) return;
  if ("grow" in region.dataset && !grow(region, fresh)) return;
  if (isHeld(region)) return;
  sent.set(fresh.dataset.live, fresh.innerHTML);
  const open = [...region.querySelectorAll("details[open][id]")].map((one) => one.id);
  const scrolled = [...region.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  region.replaceChildren(...fresh.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  region.querySelectorAll(".scroll").forEach((one, index) => (one.scrollLeft = scrolled[index] ?? 0));
  tellTimes(region);
}

/** Change known rows in place; answers whether the whole region may be swapped instead. */
function grow(region, fresh) {
  const rowsOf = (part) => new Map([...part.querySelectorAll("[data-row]")].map((row) => [row.dataset.row, row]));
  const known = rowsOf(region);
  const now = rowsOf(fresh);
  if (!known.size || !now.size) return true;
  const news = [...now.keys()].filter((id) => !known.has(id)).length;
  for (const [id, old] of known) {
    const row = now.get(id);
    if (!row) {
      if (!news) old.remove(); // else it may only have gone to the next page
    } else if (old.dataset.mark !== row.dataset.mark && !hasFocus(old)) {
      const ticked = old.querySelector("input:checked") !== null;
      old.replaceWith(row);
      if (ticked) row.querySelector("input").checked = true;
      tellTimes(row);
    }
  }
  announce(region, news);
  return false;
}

function announce(region, news) {
  const button = document.querySelector(`[data-news="${CSS.escape(region.dataset.live)}"]`);
  if (!button) return;
  button.hidden = !news;
  const said = `${news} new`;
  if (news && button.textContent !== said) button.textContent = said;
}

// --- fetching --------------------------------------------------------------------------------

/** Whether the page shows what it shows only once: a new key, perhaps the first one of all. */
const shown = () => document.querySelector("form[data-show] output:not(:empty)") !== null;

async function refresh() {
  const began = performance.now();
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, signal: looking.signal });
  if (answer.status === 401) return shown() ? tell("lost", "log in again") : location.reload();
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  arm(page);
  for (const fresh of regionsOf(page)) swap(fresh);
  took = performance.now() - began;
}

const lost = (error) => error.name === "AbortError" || tell("lost", "not reached");

/** Fetch in a moment: what comes until then is one fetch, and two never run at once. */
function soon(delay = Math.min(Math.max(SOON, SHARE * took), SLOWLY)) {
  if (timer || !watching()) return;
  timer = setTimeout(async () => {
    await fetching;
    timer = undefined;
    if (watching()) fetching = refresh().catch(lost);
  }, delay);
}

// --- the stream ------------------------------------------------------------------------------

function tell(state, words) {
  const place = document.getElementById("stream");
  if (!place) return;
  place.dataset.state = state;
  if (place.textContent !== words) place.textContent = words;
}

function connect() {
  source?.close();
  source = undefined;
  if (paused) return tell("off", "paused");
  if (!watching()) return;
  source = new EventSource(`${meta("api")}events`);
  source.onopen = () => {
    tell("live", "live");
    soon(); // what happened between the page and the stream
  };
  source.onerror = () => tell("lost", "connecting");
  for (const type of ["resync", ...meta("events").split(" ")]) source.addEventListener(type, () => soon());
}

function setUpPause() {
  const button = document.getElementById("pause");
  if (!button) return;
  const show = () => button.setAttribute("aria-pressed", String(paused));
  button.addEventListener("click", () => {
    paused = !paused;
    sessionStorage.setItem("paused", paused ? "yes" : "no");
    show();
    clearTimeout(timer);
    timer = undefined;
    connect();
    soon(0);
  });
  show();
}

function setUpTheme() {
  const button = document.getElementById("theme");
  if (!button) return;
  const html = document.documentElement;
  const isDark = () =>
    (html.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const show = () => (button.textContent = isDark() ? "Light" : "Dark");
  button.addEventListener("click", () => {
    html.dataset.theme = isDark() ? "light" : "dark";
    document.cookie = `advanced_scheduler_theme=${html.dataset.theme};path=/;max-age=31536000;samesite=strict`;
    show();
  });
  show();
}

/** A cookie is kept from visits that began on another site; one that begins here brings it. */
async function tryAgain() {
  if (!document.querySelector("[data-retry]")) return;
  const answer = await fetch(location.href);
  if (answer.ok) location.replace(location.href);
}

arm(document);
for (const region of regionsOf(document)) sent.set(region.dataset.live, region.innerHTML);
tellTimes();
setInterval(tellTimes, 5000);
setInterval(() => soon(0), SLOWLY);
document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
setUpPause();
setUpTheme();
listen(async (region) => {
  await (fetching = refresh().catch(lost));
  if (!region || document.activeElement !== document.body) return;
  region.tabIndex = -1; // whoever uses a keyboard goes on from here
  region.focus({ preventScroll: true });
});
document.addEventListener("visibilitychange", () => { connect(); soon(0); });
document.addEventListener("focusout", () => soon());
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-news]")) location.reload();
});
tryAgain();
connect();
