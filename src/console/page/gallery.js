// Draws Block Kit messages as Slack does: the blocks that hotlead sends, and no others. Whatever they say goes in as text.

import { el } from "/cards.js";

const TITLES = {
  fresh: ["Fresh", "A lead has just turned hot."],
  updated: ["Updated", "Another rule fired: the card is edited, nobody is pinged twice."],
  reply: ["Reply", "In the card's thread: which rule fired, and why."],
  closed: ["Closed", "The lead is no longer hot."],
  late: ["Late", "What Slack could not take in time comes together, with its age."],
  storm: ["Storm", "More leads than there are seconds to post them in: the hottest have cards, the others are here."],
  test: ["Test", "What `hotlead sink test` posts."],
  redacted: ["Redacted", "After `hotlead state erase`: nothing says any more who it was."],
};
const LEADS = { plain: "", mixed: "", hostile: "hostile name", long: "very long name", "right-to-left": "right to left", emoji: "emoji" };

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const shortClock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

/** Slack's own markup: bold, links, and times in the reader's clock. Everything else is text. */
function mrkdwn(text) {
  const nodes = [];
  let at = 0;
  for (const found of text.matchAll(/<([^<>]*)>|\*([^*\n]+)\*/g)) {
    nodes.push(unescape(text.slice(at, found.index)));
    at = found.index + found[0].length;
    nodes.push(found[2] === undefined ? control(found[1]) : el("b", {}, unescape(found[2])));
  }
  nodes.push(unescape(text.slice(at)));
  return nodes;
}

function control(inside) {
  const bar = inside.indexOf("|");
  const [what, label] = bar < 0 ? [inside, inside] : [inside.slice(0, bar), inside.slice(bar + 1)];
  const date = /^!date\^(\d+)\^/.exec(what);
  if (date) {
    const time = new Date(Number(date[1]) * 1000);
    return el("time", { datetime: time.toISOString(), title: unescape(label) }, clock.format(time));
  }
  if (/^https?:\/\//.test(what)) return el("a", { href: unescape(what), rel: "noopener noreferrer", target: "_blank" }, unescape(label));
  return el("mark", {}, `<${unescape(inside)}>`); // it would do something in Slack: nothing of ours does
}

const text = (object) => (object.type === "mrkdwn" ? mrkdwn(object.text) : [object.text]);

/** Its first letter says which way it runs, as in Slack. */
function lines(tag, object) {
  return el(tag, { dir: "auto" }, ...text(object));
}

function block(data) {
  if (data.type === "header") return lines("h3", data.text);
  if (data.type === "section") return lines("p", data.text);
  if (data.type === "context") return el("div", { class: "context" }, ...data.elements.map((element) => lines("span", element)));
  return el("mark", {}, `a block of type ${data.type}`);
}

function message({ kind, lead, posted, message: { blocks, text: plain } }) {
  const time = new Date(posted);
  const content = blocks ? blocks.map(block) : [el("p", { dir: "auto" }, ...mrkdwn(plain))];
  return el("li", { class: "message", "data-kind": kind, "data-lead": lead },
    LEADS[lead] ? el("p", { class: "what" }, LEADS[lead]) : null,
    el("img", { src: "/icon.svg", alt: "", width: "36", height: "36", class: "avatar" }),
    el("article", {},
      el("p", { class: "sender" }, el("b", {}, "hotlead"), el("span", { class: "app" }, "APP"),
        el("time", { datetime: time.toISOString() }, shortClock.format(time)),
        kind === "updated" || kind === "closed" || kind === "redacted" ? el("span", { class: "edited" }, "(edited)") : null),
      ...content));
}

async function show() {
  const answer = await fetch("/api/cards");
  if (!answer.ok) {
    document.getElementById("none").hidden = false;
    return;
  }
  const samples = await answer.json();
  for (const [kind, [title, about]] of Object.entries(TITLES)) {
    const of = samples.filter((sample) => sample.kind === kind);
    document.getElementById("kinds").append(el("a", { href: `#${kind}` }, title));
    document.getElementById("gallery").append(el("section", { id: kind },
      el("h2", {}, title), el("p", { class: "about" }, about), el("ul", {}, ...of.map(message))));
  }
  document.body.dataset.shown = String(samples.length);
}

show();
