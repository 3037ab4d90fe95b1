// What the page draws: Slack cards, rows of the list, a lead's detail. Whatever comes from a lead goes in as text.

/** Makes an element. Attributes by name; children are elements or texts, never markup. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
}

/** Lines of contributions on one card: what can be read at a glance. */
const MAX_LINES = 6;

/** Text from a lead, kept from turning its surroundings right to left. */
const said = (text) => el("bdi", {}, text);

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const shortClock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const moment = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

export const format = (value) => number.format(value);
export const signed = (value) => (value < 0 ? "−" : "+") + number.format(Math.abs(value));

/** A span of time as people say it. */
export function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60 ? `${minutes % 60} min ` : ""}ago`;
  return `${Math.floor(hours / 24)} d ago`;
}

/** A time, relative, exact on hover; `refreshTimes` keeps it right. */
function relative(iso) {
  return el("time", { datetime: iso, title: exact.format(new Date(iso)), "data-relative": true });
}

function clockTime(iso, shape = clock) {
  return el("time", { datetime: iso, title: exact.format(new Date(iso)) }, shape.format(new Date(iso)));
}

/** Writes all relative times below `root` as seen at `now`. */
export function refreshTimes(root, now) {
  for (const time of root.querySelectorAll("time[data-relative]")) {
    const text = ago(now - Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}

export const nameOf = (lead) => lead.name || lead.email || lead.key;
const roleOf = (lead) => [lead.job_title, lead.company].filter(Boolean);

/** Name, title and company in one line. */
function who(lead) {
  const line = [said(nameOf(lead))];
  const role = roleOf(lead);
  if (role.length) line.push(el("span", { class: "role" }, ...role.flatMap((part, i) => [i ? " · " : "", said(part)])));
  return line;
}

/** How hot, or that it is over. */
function tier({ tier: hot, kind }) {
  const name = kind === "closed" ? kind : hot;
  const level = ["hot", "warm"].includes(name) ? name : "other";
  return el("span", { class: `tier ${level}` }, name.toUpperCase());
}

/** The signal's name, unless the label says as much already. */
function noteOf(line) {
  const note = line.signal?.replaceAll("_", " ");
  return note && line.label.toLowerCase().startsWith(note) ? undefined : note;
}

/** The weightiest contributions in their order; the others become one line, so that the points still add up. */
function shorten(evidence) {
  if (evidence.length <= MAX_LINES) return evidence;
  const byWeight = [...evidence].sort((a, b) => Math.abs(b.points) - Math.abs(a.points));
  const shown = new Set(byWeight.slice(0, MAX_LINES - 1));
  const rest = byWeight.slice(MAX_LINES - 1);
  const points = rest.reduce((total, line) => total + line.points, 0);
  return [...evidence.filter((line) => shown.has(line)), { points, label: `${rest.length} more`, note: "smaller contributions" }];
}

/** What led to an alert. Contributions that add up to the score stand above it with their points; others (of a rule
 *  that counts, where caps, fading or other points come in between) stand without, and the sum is told by its parts. */
function contributions(alert) {
  const { score, evidence } = alert;
  const sum = evidence.reduce((total, line) => total + line.points, 0);
  const addsUp = Math.abs(sum - score.behaviour) < 0.05;
  const rows = shorten(evidence).map((line) => ({ ...line, note: line.note ?? noteOf(line), bare: !addsUp }));
  if (score.fit !== 0) rows.push({ points: score.fit, label: "fit", note: "who they are", first: !addsUp });
  if (!addsUp) rows.push({ points: score.behaviour, label: "behaviour", note: "all they did, faded and capped", first: score.fit === 0 });

  const body = rows.map((row) =>
    el("tr", { class: [row.points < 0 && "less", row.first && "first"].filter(Boolean).join(" ") || undefined },
      el("td", { class: "points" }, row.bare ? "•" : signed(row.points)),
      el("td", { class: "label" }, said(row.label), row.note ? el("small", {}, row.note) : null),
      el("td", { class: "when" }, row.time ? clockTime(row.time, shortClock) : "")));
  const total = el("tr", { class: "total" },
    el("td", { class: "points" }, format(score.total)), el("td", { class: "label", colspan: "2" }, "score"));
  return el("table", { class: "points-table" },
    el("caption", { class: "unseen" }, "What led to this alert"), el("tbody", {}, ...body, total));
}

function flagLine(alert) {
  const texts = alert.flag_texts?.length ? alert.flag_texts : alert.flags;
  if (!texts.length) return null;
  return el("p", { class: "flags" }, ...texts.map((text) => el("span", { class: "flag" }, said(text))));
}

const shortDelay = (ms) => (ms < 1000 ? `${number.format(ms)} ms` : `${number.format(ms / 1000)} s`);

function contextLine(alert, delayMs) {
  const parts = [
    el("span", {}, "rule ", el("b", {}, alert.rule)),
    el("span", { title: alert.id }, `alert ${alert.id.slice(0, 8)}`),
    el("span", {}, "event ", clockTime(alert.trigger.time), delayMs === undefined ? "" : ` → alert +${shortDelay(delayMs)}`),
  ];
  if (alert.campaign) parts.push(el("span", {}, `campaign ${alert.campaign}`));
  return el("p", { class: "context" }, ...parts);
}

/** One episode as the channel shows it: by the newest alert about it. */
export function card({ alert, delay_ms: delayMs }) {
  const open = el("button", { type: "button", class: "open", "data-key": alert.lead.key }, ...who(alert.lead));
  const episode = `${alert.rule} ${alert.episode_start} ${alert.lead.key}`;
  return el("li", { class: "message", "data-id": alert.id, "data-key": alert.lead.key, "data-episode": episode },
    el("img", { src: "/icon.svg", alt: "", width: "36", height: "36", class: "avatar" }),
    el("article", {},
      el("p", { class: "sender" }, el("b", {}, "hotlead"), el("span", { class: "app" }, "APP"), relative(alert.time)),
      el("div", { class: "block" },
        el("h3", {}, tier(alert), open),
        el("p", { class: "reason" }, said(alert.reason)),
        flagLine(alert),
        contributions(alert),
        contextLine(alert, delayMs))));
}

/** The words that the filter looks through. */
export const wordsOf = (lead, ...more) =>
  [lead.name, lead.company, lead.job_title, lead.email, lead.key, ...more].filter(Boolean).join(" ").toLowerCase();

/** An empty row of the list; `fillRow` writes it. */
export function row(key) {
  return el("li", {}, el("button", { type: "button", class: "row", "data-key": key },
    el("span", { class: "rank" }),
    el("span", { class: "name" }),
    el("span", { class: "score" }),
    el("span", { class: "role" }),
    el("span", { class: "heat", "aria-hidden": "true" }, el("i")),
    el("span", { class: "why" }),
    el("span", { class: "seen" })));
}

export function fillRow(item, lead, rank, scale) {
  const part = (name) => item.querySelector(`.${name}`);
  const write = (node, ...content) => node.replaceChildren(...content);
  write(part("rank"), String(rank));
  write(part("name"), said(nameOf(lead)));
  write(part("role"), ...roleOf(lead).flatMap((text, i) => [i ? " · " : "", said(text)]));
  write(part("score"), format(lead.score));
  write(part("why"), said(lead.reason ?? ""));
  write(part("seen"), relative(lead.seen));
  part("heat").firstElementChild.style.width = `${Math.min(100, Math.max(0, (100 * lead.score) / scale))}%`;
}

/** What a decision means to somebody who did not write the rules. */
function inWords(decision) {
  switch (decision.verdict) {
    case "fire": return "alerted";
    case "below_threshold": return "not enough yet";
    case "same_episode": return "already alerted";
    case "suppressed": return `held back by ${decision.by ?? "a suppression"}`;
    case "cooling_down": return decision.until ? `cooling down until ${moment.format(new Date(decision.until))}` : "cooling down";
    default: return decision.verdict;
  }
}

const mark = { fire: "yes", suppressed: "held", cooling_down: "held", same_episode: "kept", below_threshold: "no" };

function decision(made) {
  return el("li", { class: `decision ${mark[made.verdict] ?? "no"}`, title: made.verdict },
    el("b", {}, made.rule), " ", inWords(made));
}

/** The newest decision of each rule that looked at the lead. */
function verdicts(timeline) {
  const newest = new Map();
  for (const entry of timeline) {
    for (const made of entry.decisions ?? []) if (!newest.has(made.rule)) newest.set(made.rule, made);
  }
  if (!newest.size) return null;
  return el("section", {}, el("h4", {}, "Why, and why not"),
    el("ul", { class: "verdicts" }, ...[...newest.values()].map(decision)));
}

function entryLine(entry) {
  const when = clockTime(entry.time);
  if (entry.what === "alert") {
    return el("li", { class: "entry alerted" }, when,
      el("div", {}, el("b", {}, entry.kind === "closed" ? "Over: " : "Alert: ", entry.rule), el("p", {}, said(entry.reason))));
  }
  const loud = (entry.decisions ?? []).filter((made) => made.verdict !== "below_threshold");
  return el("li", { class: `entry ${entry.outcome}` }, when,
    el("div", {}, said(entry.label),
      entry.outcome === "applied" ? null : el("span", { class: "outcome" }, entry.outcome.replaceAll("_", " ")),
      loud.length ? el("ul", { class: "made" }, ...loud.map(decision)) : null));
}

/** The timeline, with a line where the day changes. */
function timeline(entries) {
  const items = [];
  let last;
  for (const entry of entries) {
    const date = day.format(new Date(entry.time));
    if (last !== undefined && date !== last) items.push(el("li", { class: "day" }, date));
    last = date;
    items.push(entryLine(entry));
  }
  return el("ol", { class: "timeline" }, ...items);
}

const latest = { opened: "Latest alert ", updated: "Latest alert, updated ", closed: "Latest alert, over " };

/** Everything about one lead. */
export function detail({ summary, card: newest, timeline: entries }) {
  const alert = newest?.alert;
  const facts = [summary.email, summary.email === summary.key ? undefined : summary.key].filter(Boolean);
  return [
    el("div", { class: "who" },
      el("div", {},
        el("h3", {}, said(nameOf(summary))),
        el("p", { class: "role" }, ...roleOf(summary).flatMap((text, i) => [i ? " · " : "", said(text)])),
        el("p", { class: "facts" }, ...facts.map((fact) => el("span", {}, said(fact))))),
      alert ? el("p", { class: "big" }, el("b", {}, format(alert.score.total)), "score") : null),
    alert ? el("section", { class: "latest" }, el("h4", {}, latest[alert.kind], relative(alert.time)),
      el("p", { class: "reason" }, said(alert.reason)), flagLine(alert), contributions(alert)) : null,
    verdicts(entries),
    el("section", {}, el("h4", {}, "Timeline"), timeline(entries)),
  ].filter(Boolean);
}

const stateWords = { delivered: "delivered", waiting: "tried again", held: "held: the sink is shut", given_up: "given up" };

const inTime = (ms) => (ms < 60_000 ? shortDelay(Math.max(0, ms)) : ago(ms).replace(" ago", ""));

/** One alert on its way to one sink. */
export function deliveryRow(delivery) {
  const next = delivery.state === "waiting" && delivery.next ? [" at ", clockTime(delivery.next)] : [];
  const lead = delivery.lead ? [said(delivery.lead), el("small", {}, delivery.rule)] : [delivery.alert];
  // What has arrived took so long; what has not is as old as it is now.
  const age = delivery.state === "delivered"
    ? el("span", { title: "from the alert until it was sent" }, `after ${inTime(Date.parse(delivery.time) - Date.parse(delivery.since))}`)
    : relative(delivery.since);
  return el("tr", { class: `delivery ${delivery.state}`, title: `alert ${delivery.alert}` },
    el("td", {}, clockTime(delivery.time)),
    el("td", {}, el("b", {}, delivery.sink)),
    el("td", {}, ...lead),
    el("td", { class: "state" }, stateWords[delivery.state] ?? delivery.state, ...next),
    el("td", { class: "age" }, age),
    el("td", { class: "tries" }, format(delivery.attempts)),
    el("td", { class: "reason" }, said(delivery.detail)));
}

/** What stands in the way of a sink, in words. */
function troubleOf(counts) {
  const parts = [];
  if (counts.trouble) parts.push(counts.trouble);
  if (counts.breaker_open) parts.push("paused: it fails too often, one message asks again");
  return parts.join(" · ");
}

/** What waits for a sink, in words. */
function waitsOf(counts) {
  const parts = [];
  if (counts.waiting) parts.push(`${format(counts.waiting)} waiting`);
  if (counts.parked) parts.push(`${format(counts.parked)} parked`);
  return parts;
}

/** Sinks for which something waits or that are in trouble: above the rows of deliveries. */
export function sinkStates(sinks) {
  const shown = Object.entries(sinks).filter(([, counts]) => troubleOf(counts) || waitsOf(counts).length);
  return shown.map(([sink, counts]) =>
    el("li", { class: troubleOf(counts) ? "bad" : undefined },
      el("b", {}, sink), " ", [troubleOf(counts), ...waitsOf(counts)].filter(Boolean).join(" · ")));
}

/** Totals and sinks, for the foot of the list. */
export function numbers(counters, sinks) {
  const outcomes = Object.entries(counters.events).filter(([, count]) => count > 0);
  const parts = [];
  if (outcomes.length) {
    parts.push(el("dl", { class: "outcomes" }, ...outcomes.map(([name, count]) =>
      el("div", {}, el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, format(count))))));
  }
  for (const [sink, counts] of Object.entries(sinks)) {
    const states = [`${format(counts.sent)} sent`, ...waitsOf(counts)];
    if (counts.given_up) states.push(`${format(counts.given_up)} given up`);
    const trouble = troubleOf(counts);
    parts.push(el("p", { class: trouble || counts.given_up ? "sink bad" : "sink" }, el("b", {}, sink), " ", states.join(" · "),
      trouble ? el("small", {}, trouble) : null));
  }
  return parts;
}
