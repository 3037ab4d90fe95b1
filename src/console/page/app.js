// The live page: keeps the connection, holds what is known, and lets people find their way by keyboard.

import { card, deliveryRow, detail, fillRow, format, nameOf, numbers, refreshTimes, row, sinkStates, wordsOf } from "/cards.js";

const MAX_CARDS = 200;
const SILENCE_MS = 10_000; // ticks come twice a second
const FRESH_MS = 8000; // an alert is marked as new for so long
const BACKOFF_MS = [500, 1000, 2000, 4000];

const $ = (id) => document.getElementById(id);
const state = { about: undefined, newest: undefined, hottest: [], counters: undefined, selected: undefined, unseen: 0, filter: "" };

// ---- connection -------------------------------------------------------------------------------------------------

let source;
let failures = 0;
let lastHeard = 0;
let retryAt = 0;
let retryTimer;

function connect() {
  clearTimeout(retryTimer);
  source?.close();
  setLink(failures ? "retrying" : "connecting");
  lastHeard = Date.now();
  source = new EventSource("/api/events");
  listen("snapshot", showSnapshot);
  listen("alert", showAlert);
  listen("tick", showTick);
  listen("erased", connect);
  source.onerror = reconnectLater;
}

function listen(event, show) {
  source.addEventListener(event, (message) => {
    lastHeard = Date.now();
    show(JSON.parse(message.data));
  });
}

/** Our own reconnecting: browsers differ in when they give up, and people should see what happens. */
function reconnectLater() {
  source.close();
  const wait = BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)];
  failures += 1;
  retryAt = Date.now() + wait;
  setLink("waiting");
  clearTimeout(retryTimer);
  retryTimer = setTimeout(connect, wait);
}

function setLink(link) {
  const text = { connecting: "Connecting…", retrying: "Reconnecting…", waiting: "Reconnecting…", live: "Live" }[link];
  document.body.dataset.link = link;
  if ($("link-text").textContent !== text) $("link-text").textContent = text;
}

// ---- what arrives -----------------------------------------------------------------------------------------------

function showSnapshot(snapshot) {
  failures = 0;
  setLink("live");
  state.about = snapshot.about;
  $("demo").hidden = !snapshot.about.is_demo;
  $("group").hidden = snapshot.about.is_demo;
  $("cards-link").hidden = !snapshot.about.has_cards;
  $("group").textContent = snapshot.about.group;
  const known = new Map([...$("feed").children].map((item) => [item.dataset.id, item]));
  $("feed").replaceChildren(...snapshot.cards.map((data) => known.get(data.alert.id) ?? cardItem(data)));
  showNumbers(snapshot);
  showHottest(snapshot.hottest);
  showDeliveries(snapshot.deliveries);
  applyFilter();
  refresh();
}

function showAlert(data) {
  const feed = $("feed");
  if (feed.querySelector(`[data-id="${CSS.escape(data.alert.id)}"]`)) return;
  const item = cardItem(data);
  item.hidden = !matches(item.words);
  if (data.alert.kind !== "opened") return changeCard(item);
  item.classList.add("arrived");
  setTimeout(() => item.classList.remove("arrived"), FRESH_MS);
  feed.prepend(item);
  while (feed.children.length > MAX_CARDS) feed.lastElementChild.remove();
  const lead = data.alert.lead;
  announce(`${data.alert.tier}: ${nameOf(lead)}${lead.company ? `, ${lead.company}` : ""}: ${data.alert.reason}`);
  if (document.hidden) state.unseen += 1;
  if (feedIsScrolled()) fresh += 1;
  showFresh();
  refresh();
}

/** What updates or closes an episode takes the place of its card, and makes no noise. */
function changeCard(item) {
  const before = [...$("feed").children].find((other) => other.dataset.episode === item.dataset.episode);
  if (!before) return;
  const hadFocus = before.contains(document.activeElement);
  before.replaceWith(item);
  markSelected();
  if (hadFocus) item.querySelector(".open").focus({ preventScroll: true });
  refresh();
}

function showTick(tick) {
  showNumbers(tick);
  if (tick.hottest) showHottest(tick.hottest);
  if (tick.deliveries) showDeliveries(tick.deliveries);
  refresh();
}

function showNumbers(message) {
  state.newest = Date.parse(message.newest);
  state.counters = message.counters;
  $("rate").textContent = format(message.events_per_second);
  $("leads").textContent = format(message.counters.leads);
  $("alert-count").textContent = format(message.counters.alerts);
  $("numbers").replaceChildren(...numbers(message.counters, message.sinks));
  $("sink-states").replaceChildren(...sinkStates(message.sinks));
  showDrawer();
}

/** What was sent where, when, how old, how often tried, and why not. Nothing of it shows while there is nothing to say. */
function showDeliveries(deliveries) {
  const open = deliveries.filter((delivery) => delivery.state !== "delivered").length;
  $("deliveries-hint").textContent = open ? `${open} of the newest ${deliveries.length} have not arrived` : "newest first";
  $("delivery-rows").replaceChildren(...deliveries.map(deliveryRow));
  showDrawer();
}

function showDrawer() {
  const any = $("delivery-rows").children.length + $("sink-states").children.length > 0;
  $("deliveries").hidden = $("tab-deliveries").hidden = !any;
}

function foldDeliveries() {
  const folded = $("deliveries").classList.toggle("folded");
  $("fold").setAttribute("aria-expanded", String(!folded));
  $("fold").textContent = folded ? "Show" : "Hide";
}

function cardItem(data) {
  const item = card(data);
  item.words = wordsOf(data.alert.lead, data.alert.rule, data.alert.reason);
  return item;
}

/** Screen readers get one line per alert; old lines go, so that the log does not grow. */
function announce(text) {
  const line = document.createElement("p");
  line.textContent = text;
  $("announce").append(line);
  while ($("announce").children.length > 5) $("announce").firstElementChild.remove();
}

// ---- the list of the hottest ------------------------------------------------------------------------------------

function showHottest(hottest) {
  state.hottest = hottest;
  const list = $("hot-list");
  const focused = document.activeElement?.dataset?.key;
  const hadFocus = list.contains(document.activeElement);
  const known = new Map([...list.children].map((item) => [item.firstElementChild.dataset.key, item]));
  const scale = Math.max(100, ...hottest.map((lead) => lead.score));
  const items = hottest.map((lead, index) => {
    const item = known.get(lead.key) ?? row(lead.key);
    item.words = wordsOf(lead, lead.rule, lead.reason);
    fillRow(item, lead, index + 1, scale);
    return item;
  });
  const moved = items.length !== list.children.length || items.some((item, i) => list.children[i] !== item);
  if (moved) list.replaceChildren(...items);
  applyFilter();
  markSelected();
  // Moving a node takes its focus away; whoever was on a row stays on it.
  if (moved && hadFocus) rowOf(focused)?.focus({ preventScroll: true });
}

const rows = () => [...$("hot-list").querySelectorAll(".row")].filter((item) => !item.parentElement.hidden);
const rowOf = (key) => rows().find((item) => item.dataset.key === key);

/** One row is in the tab order; the arrow keys move between them. */
function markSelected() {
  const all = rows();
  const current = all.find((item) => item === document.activeElement) ?? rowOf(state.selected) ?? all[0];
  for (const item of all) {
    item.tabIndex = item === current ? 0 : -1;
    item.setAttribute("aria-current", String(item.dataset.key === state.selected));
  }
  for (const item of $("feed").children) item.classList.toggle("chosen", item.dataset.key === state.selected);
}

function moveInList(event) {
  const all = rows();
  const at = all.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined || !all[to]) return;
  event.preventDefault();
  for (const item of all) item.tabIndex = item === all[to] ? 0 : -1;
  all[to].focus();
}

// ---- filter -----------------------------------------------------------------------------------------------------

const matches = (words) => words.includes(state.filter);

function applyFilter() {
  for (const item of $("hot-list").children) item.hidden = !matches(item.words);
  for (const item of $("feed").children) item.hidden = !matches(item.words);
  const none = (list) => ![...list.children].some((item) => !item.hidden);
  $("hot-empty").hidden = !none($("hot-list"));
  $("hot-empty").textContent = state.filter ? `No lead matches “${state.filter}”.` : "Leads appear here once they have alerted, hottest first.";
  $("feed-empty").hidden = !none($("feed"));
  showEmpty();
}

function showEmpty() {
  const { about, counters } = state;
  if (!about) {
    $("empty-text").textContent = "";
  } else if (state.filter) {
    $("empty-title").textContent = "Nothing matches";
    $("empty-text").textContent = `No alert here mentions “${state.filter}”.`;
  } else {
    const events = Object.values(counters.events).reduce((sum, count) => sum + count, 0);
    $("empty-title").textContent = "No hot lead yet";
    $("empty-text").textContent = events
      ? `${format(events)} events seen so far, of ${format(counters.leads)} leads. None has met a rule yet; the next one that does appears here by itself.`
      : `Waiting for ${about.waiting_for}. Alerts appear here by themselves.`;
  }
}

// ---- one lead ---------------------------------------------------------------------------------------------------

let shownVersion;
let loading = false;

async function open(key, focus = true) {
  if (state.selected !== key) shownVersion = undefined;
  state.selected = key;
  showTab("lead");
  markSelected();
  await loadLead();
  if (focus && state.selected === key) $("lead").focus({ preventScroll: true });
}

async function loadLead() {
  const key = state.selected;
  if (key === undefined || loading) return;
  loading = true;
  try {
    const answer = await fetch(`/api/lead?key=${encodeURIComponent(key)}`);
    if (state.selected !== key) return;
    if (answer.status === 404) {
      shownVersion = undefined;
      const gone = document.createElement("p");
      gone.className = "quiet";
      gone.textContent = "This lead is no longer remembered here: it was quiet for long, or hotlead was started anew.";
      showDetail([gone]);
    } else if (answer.ok) {
      const lead = await answer.json();
      if (state.selected !== key || lead.summary.version === shownVersion) return;
      shownVersion = lead.summary.version;
      showDetail(detail(lead));
    }
  } catch {
    // The connection is gone; the header says so, and the next tick after it is back asks again.
  } finally {
    loading = false;
    if (state.selected !== undefined && state.selected !== key) loadLead();
  }
}

function showDetail(content) {
  $("detail").replaceChildren(...content);
  $("detail").hidden = false;
  $("detail-empty").hidden = true;
  $("close").hidden = false;
  refreshTimes($("detail"), now());
}

function closeLead() {
  const key = state.selected;
  if (key === undefined) return;
  state.selected = undefined;
  shownVersion = undefined;
  $("detail").hidden = true;
  $("detail").replaceChildren();
  $("detail-empty").hidden = false;
  $("close").hidden = true;
  showTab(cameFrom);
  markSelected();
  const back = cameFrom === "alerts" ? $("feed").querySelector(`.open[data-key="${CSS.escape(key)}"]`) : rowOf(key);
  (back ?? $(cameFrom)).focus({ preventScroll: true });
}

// ---- tabs of narrow screens ---------------------------------------------------------------------------------------

let cameFrom = "hottest";
const tabs = [...document.querySelectorAll("[role=tab]")];

function showTab(name) {
  const before = document.body.dataset.tab;
  if (name === "lead" && before !== "lead") cameFrom = before;
  document.body.dataset.tab = name;
  document.body.classList.toggle("has-lead", state.selected !== undefined);
  for (const tab of tabs) {
    const chosen = tab.dataset.tab === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
  }
}

function moveInTabs(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const shown = tabs.filter((tab) => !tab.hidden);
  const next = shown[(shown.indexOf(event.target) + step + shown.length) % shown.length];
  showTab(next.dataset.tab);
  next.focus();
}

// ---- the rest -----------------------------------------------------------------------------------------------------

let fresh = 0;
const feedIsScrolled = () => $("feed-scroll").scrollTop > 60;

function showFresh() {
  if (!feedIsScrolled()) fresh = 0;
  $("fresh").hidden = fresh === 0;
  $("fresh").textContent = fresh === 1 ? "1 new alert ↑" : `${fresh} new alerts ↑`;
  document.title = state.unseen ? `(${state.unseen}) hotlead` : "hotlead";
}

/** Simulated time runs faster than ours: there, "now" is the newest event. */
const now = () => (state.about?.is_demo ? state.newest : Date.now());

function refresh() {
  if (state.newest !== undefined) refreshTimes(document, now());
  if (!$("feed-empty").hidden) showEmpty();
  const row = state.hottest.find((lead) => lead.key === state.selected);
  if (state.selected !== undefined && (!row || row.version !== shownVersion)) loadLead();
}

function onKey(event) {
  const typing = event.target instanceof HTMLInputElement;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (typing && $("filter").value) {
      $("filter").value = "";
      filterChanged();
    } else if (typing) rows()[0]?.focus();
    else closeLead();
  } else if (event.key === "/" && !typing) {
    event.preventDefault();
    if (document.body.dataset.tab === "lead") showTab("hottest");
    $("filter").focus();
    $("filter").select();
  } else if (typing && event.key === "ArrowDown") {
    event.preventDefault();
    rows()[0]?.focus();
  }
}

function filterChanged() {
  state.filter = $("filter").value.trim().toLowerCase();
  applyFilter();
  markSelected();
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", (event) => {
  const key = event.target.closest?.("[data-key]:is(button)")?.dataset.key;
  if (key === undefined) return;
  if (matchMedia("(min-width: 761px)").matches) {
    document.body.dataset.tab = event.target.closest("#feed") ? "alerts" : "hottest";
  }
  open(key);
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  state.unseen = 0;
  showFresh();
});
$("hot-list").addEventListener("keydown", moveInList);
$("filter").addEventListener("input", filterChanged);
$("close").addEventListener("click", closeLead);
$("fold").addEventListener("click", foldDeliveries);
$("feed-scroll").addEventListener("scroll", showFresh, { passive: true });
$("fresh").addEventListener("click", () => {
  $("feed-scroll").scrollTo({ top: 0 });
  $("alerts").focus({ preventScroll: true });
});
for (const tab of tabs) {
  tab.addEventListener("click", () => showTab(tab.dataset.tab));
  tab.addEventListener("keydown", moveInTabs);
}
setInterval(() => {
  if (document.body.dataset.link === "live" && Date.now() - lastHeard > SILENCE_MS) reconnectLater();
  if (document.body.dataset.link === "waiting" && retryAt > Date.now() + 1000) {
    $("link-text").textContent = `Reconnecting in ${Math.ceil((retryAt - Date.now()) / 1000)} s…`;
  }
  refresh();
}, 1000);
connect();
