"use strict";
// The page of the sandbox: one panel a chat, newest message at its foot. What comes from messages is only ever put into
// text nodes. Everything is bounded: panels, messages in a panel, and how often the page is touched.

const CHATS = 48;
const MESSAGES = 60;
const FIRST_LOOK = 1000;

const still = new URLSearchParams(location.search).has("still");
const $ = (id) => document.getElementById(id);
const chats = new Map(); // chat id -> { panel, feed, count, total, groups }
const shown = new Map(); // seq -> { message, chat }
let lastSeq = 0;
let run = null; // of which start of the sandbox the numbers are
let pending = [];
let drawing = false;
let unseenChats = new Set();

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function bytes(n) {
  if (n < 1000) return n + " B";
  return n < 1e6 ? Math.round(n / 1000) + " kB" : (n / 1e6).toFixed(1) + " MB";
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

// ---- one message

function picture(message) {
  const media = message.media;
  const link = element("a");
  const gone = (text) => link.replaceChildren(element("div", "nothing", text));
  if (media.elsewhere) {
    gone(media.url ? "A picture that Telegram would fetch from " + media.url : "A picture from a URL, sent again");
    return link;
  }
  link.href = "/sandbox/pictures/" + media.sha256;
  link.target = "_blank";
  link.rel = "noopener";
  if ((message.options || []).includes("has_spoiler")) link.className = "spoiler";
  const image = element("img");
  image.loading = still ? "eager" : "lazy";
  image.decoding = "async";
  if (media.width) {
    image.width = media.width;
    image.height = media.height;
    image.style.aspectRatio = media.width + " / " + media.height;
  }
  image.alt = message.caption || "Picture " + message.message_id;
  image.onerror = () => gone("This picture is no longer kept, or the browser cannot show it");
  image.src = link.href;
  link.append(image);
  return link;
}

// Whether the browser can show it as a picture.
function pictured(message) {
  const media = message.media;
  if (!media) return false;
  if (media.kind === "photo" || media.kind === "sticker") return true;
  return media.kind === "animation" && /\.(gif|webp|png)$/i.test(media.file_name || "");
}

// A tile for what is no picture: what it is, its name, its length and size.
function file(media) {
  const node = element("div", "file");
  node.dataset.kind = media.kind;
  if (media.thumbnail) {
    const image = element("img");
    image.alt = "";
    image.loading = still ? "eager" : "lazy";
    image.src = "/sandbox/pictures/" + media.thumbnail.sha256;
    node.append(image);
  }
  const words = element("div");
  const song = [media.performer, media.title].filter(Boolean).join(" – ");
  words.append(element("div", "", song || media.file_name || "unnamed"));
  const facts = [media.kind.replace("_", " ")];
  if (media.duration) facts.push(Math.floor(media.duration / 60) + ":" + String(media.duration % 60).padStart(2, "0"));
  if (media.bytes) facts.push(bytes(media.bytes));
  words.append(element("div", "facts", facts.join(", ")));
  node.append(words);
  return node;
}

// Places, contacts and dice, as plain words.
function content(message) {
  const { location, venue, contact, dice } = message.content;
  const said = venue ? venue.title + ", " + venue.address
    : contact ? contact.first_name + ", " + contact.phone_number
    : dice ? dice.emoji + " " + dice.value
    : location ? location.latitude + ", " + location.longitude : "";
  return element("p", "caption", said);
}

// The caption with its entities: cut at every boundary, each piece styled by the entities that cover it.
function caption(message) {
  const node = element("p", "caption");
  const text = message.caption;
  const entities = message.entities || [];
  const cuts = new Set([0, text.length]);
  for (const e of entities) cuts.add(Math.min(e.offset, text.length)).add(Math.min(e.offset + e.length, text.length));
  const points = [...cuts].sort((a, b) => a - b);
  for (let i = 0; i + 1 < points.length; i++) {
    const over = entities.filter((e) => e.offset <= points[i] && e.offset + e.length >= points[i + 1]);
    const piece = element("span", over.map((e) => e.type).join(" "), text.slice(points[i], points[i + 1]));
    const link = over.find((e) => e.url);
    if (link) piece.title = link.url;
    node.append(piece);
  }
  return node;
}

function keyboard(markup) {
  const node = element("div", "keys");
  for (const row of markup.inline_keyboard) {
    const line = element("div");
    for (const key of row) line.append(element("span", "", String(key.text)));
    node.append(line);
  }
  return node;
}

function about(messages) {
  const first = messages[0];
  const node = element("p", "about");
  const words = { upload: "uploaded", file_id: "by file_id", url: "by URL" };
  const ways = new Map();
  for (const { media } of messages) {
    if (!media) continue;
    const way = ways.get(media.how) || { count: 0, bytes: 0 };
    ways.set(media.how, { count: way.count + 1, bytes: way.bytes + media.bytes });
  }
  for (const [how, way] of ways) {
    const size = how === "upload" ? " " + bytes(way.bytes) : how === "file_id" ? ", no upload" : "";
    const badge = element("span", "how " + how, (messages.length > 1 ? way.count + " " : "") + words[how] + size);
    node.append(badge);
  }
  node.append(element("span", "", "bot " + first.bot));
  if (first.forward_origin) node.append(element("span", "", "forwarded"));
  if (first.message_thread_id) node.append(element("span", "", "topic " + first.message_thread_id));
  if (first.reply_to_message_id) node.append(element("span", "", "reply to " + first.reply_to_message_id));
  if (messages.some((m) => m.deleted)) node.append(element("span", "", "deleted"));
  else if (messages.some((m) => m.edited_at_ms)) node.append(element("span", "", "edited"));
  const time = element("time", "", clock.format(first.at_ms));
  time.dateTime = new Date(first.at_ms).toISOString();
  time.title = "message " + messages.map((m) => m.message_id).join(", ") + ", " + new Date(first.at_ms).toISOString();
  node.append(time);
  return node;
}

// A bubble: one message, or all of an album.
function fill(bubble, messages) {
  bubble.replaceChildren();
  const pictures = messages.filter(pictured);
  if (pictures.length) {
    const grid = element("div", pictures.length > 1 ? "pictures many" : "pictures");
    pictures.forEach((m) => grid.append(picture(m)));
    bubble.append(grid);
  }
  for (const m of messages) if (m.media && !pictured(m)) bubble.append(file(m.media));
  for (const m of messages) if (m.content) bubble.append(content(m));
  for (const m of messages) if (m.caption) bubble.append(caption(m));
  const keys = messages.find((m) => m.reply_markup);
  if (keys) bubble.append(keyboard(keys.reply_markup));
  bubble.append(about(messages));
  bubble.classList.toggle("gone", messages.every((m) => m.deleted));
}

// ---- chats

function title(id) {
  if (id > 0) return "User " + id;
  if (id <= -1900000000000) return "Channel " + id;
  return (id <= -1000000000000 ? "Supergroup " : "Group ") + id;
}

function panel(id) {
  let chat = chats.get(id);
  if (chat) return chat;
  const node = element("article", "chat");
  const head = element("h2");
  const face = element("span", "face", id > 0 ? "U" + String(id).slice(-1) : "G");
  face.dataset.hue = Math.abs(id) % 7;
  const who = element("div", "who", title(id));
  const count = element("span", "count");
  who.append(count);
  head.append(face, who);
  const feed = element("div", "feed");
  feed.tabIndex = 0;
  feed.setAttribute("role", "log");
  feed.setAttribute("aria-label", title(id));
  node.append(head, feed);
  chat = { id, node, feed, count, total: 0, bubbles: [], last: 0 };
  chats.set(id, chat);
  $("chats").prepend(node);
  return chat;
}

// Too many panels: the one that was quiet longest goes; a new message brings it back.
function prune() {
  while (chats.size > CHATS) {
    let quiet = null;
    for (const chat of chats.values()) if (!quiet || chat.last < quiet.last) quiet = chat;
    for (const bubble of quiet.bubbles) for (const m of bubble.messages) shown.delete(m.seq);
    quiet.node.remove();
    chats.delete(quiet.id);
    unseenChats.add(quiet.id);
  }
  $("more").hidden = unseenChats.size === 0;
  $("more").textContent = "The " + CHATS + " most recently active chats are shown; " + unseenChats.size + " more were quiet longer.";
}

function take(message, arriving) {
  const known = shown.get(message.seq);
  lastSeq = Math.max(lastSeq, message.seq);
  if (known) {
    const index = known.messages.findIndex((m) => m.seq === message.seq);
    known.messages[index] = message;
    known.stale = true;
    return known.chat;
  }
  const chat = panel(message.chat_id);
  unseenChats.delete(message.chat_id);
  const last = chat.bubbles[chat.bubbles.length - 1];
  let bubble = last;
  if (!message.media_group_id || !last || last.album !== message.media_group_id) {
    bubble = { node: element("div", arriving ? "message new" : "message"), messages: [], album: message.media_group_id, chat };
    chat.bubbles.push(bubble);
    chat.feed.append(bubble.node);
  }
  bubble.messages.push(message);
  bubble.stale = true;
  shown.set(message.seq, bubble);
  chat.total++;
  chat.last = message.seq;
  return chat;
}

function draw() {
  drawing = false;
  const batch = pending;
  pending = [];
  const touched = new Map();
  for (const { message, arriving } of batch) {
    const before = chats.get(message.chat_id);
    if (before && !touched.has(before)) {
      const { feed } = before;
      touched.set(before, feed.scrollHeight - feed.scrollTop - feed.clientHeight < 80);
    }
    const chat = take(message, arriving);
    if (!touched.has(chat)) touched.set(chat, true);
  }
  for (const chat of touched.keys()) {
    while (chat.bubbles.length > MESSAGES) {
      const oldest = chat.bubbles.shift();
      oldest.messages.forEach((m) => shown.delete(m.seq));
      oldest.node.remove();
    }
    for (const bubble of chat.bubbles) {
      if (!bubble.stale) continue;
      bubble.stale = false;
      fill(bubble.node, bubble.messages);
    }
    const n = chat.total;
    const trimmed = chat.bubbles.length === MESSAGES ? ", the newest " + MESSAGES + " shown" : "";
    chat.count.textContent = n + (n === 1 ? " message" : " messages") + trimmed;
    filter(chat);
  }
  prune();
  for (const [chat, atFoot] of touched) if (atFoot) chat.feed.scrollTop = chat.feed.scrollHeight;
  $("empty").hidden = chats.size > 0;
}

function queue(messages, arriving) {
  for (const message of messages) pending.push({ message, arriving });
  // A page that is not looked at draws nothing; it keeps only what it would show.
  if (pending.length > 5000) pending = pending.slice(-2500);
  if (!drawing && pending.length) {
    drawing = true;
    setTimeout(draw, arriving ? 60 : 0);
  }
}

function clear() {
  pending = [];
  chats.clear();
  shown.clear();
  unseenChats = new Set();
  $("chats").replaceChildren();
  $("more").hidden = true;
  $("empty").hidden = false;
}

// ---- filter

function filter(chat) {
  const wanted = $("filter").value.trim().toLowerCase();
  const has = (m) => [m.bot, m.message_id, m.caption || ""].join(" ").toLowerCase().includes(wanted);
  const named = title(chat.id).toLowerCase().includes(wanted);
  let any = named;
  for (const bubble of chat.bubbles) {
    const fits = named || bubble.messages.some(has);
    bubble.node.hidden = !fits;
    any = any || fits;
  }
  chat.node.hidden = !any;
}

$("filter").addEventListener("input", () => chats.forEach(filter));

// ---- counters

function counters(stats) {
  const rows = [
    ["sends", stats.sends],
    ["uploads", stats.uploads],
    ["uploads skipped", stats.by_file_id],
    ["answers 429", stats.too_many_requests, true],
  ];
  if (stats.by_url) rows.splice(3, 0, ["by URL", stats.by_url]);
  if (stats.violations) rows.push(["did not wait", stats.violations, true]);
  if (stats.faults) rows.push(["faults fired", stats.faults]);
  const nodes = rows.map(([name, value, alarming]) => {
    const row = element("div");
    row.append(element("dt", "", name), element("dd", alarming && value ? "alarm" : "", value.toLocaleString("en")));
    return row;
  });
  $("counters").replaceChildren(...nodes);
}

async function getJson(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function refreshCounters() {
  try {
    if (!document.hidden) counters(await getJson("/sandbox/stats"));
  } catch {
    // The state of the connection is shown by the events.
  }
  if (!still) setTimeout(refreshCounters, 1000);
}

// ---- the stream of messages, and asking again where there is none

let asking = null;

function catchUp() {
  asking = asking || getJson("/sandbox/messages?" + (lastSeq ? "after=" + lastSeq + "&" : "") + "limit=" + FIRST_LOOK)
    .then(({ messages }) => queue(messages, false))
    .finally(() => { asking = null; $("empty").hidden = chats.size > 0 || pending.length > 0; });
  return asking.catch(() => {});
}

function state(name, text) {
  $("live").dataset.state = name;
  $("live").textContent = text;
}

function listen() {
  const events = new EventSource("/sandbox/events");
  let polling = null;
  const stopPolling = () => { clearInterval(polling); polling = null; };
  events.addEventListener("hello", (event) => {
    stopPolling();
    state("live", "live");
    const known = run;
    run = JSON.parse(event.data).run;
    if (known !== null && known !== run) {
      clear();
      lastSeq = 0;
    }
    catchUp();
  });
  events.addEventListener("message", (event) => queue([JSON.parse(event.data)], true));
  events.addEventListener("reset", clear);
  events.addEventListener("lag", catchUp);
  events.addEventListener("error", () => {
    state("away", "reconnecting");
    polling = polling || setInterval(catchUp, 2000);
    if (events.readyState === EventSource.CLOSED) {
      events.close();
      stopPolling();
      setTimeout(listen, 2000);
    }
  });
}

$("example").textContent =
  "curl -F chat_id=1 -F caption=Hello -F photo=@picture.jpg \\\n  " +
  location.origin + "/bot123456:SANDBOX-any-secret-of-24-or-more/sendPhoto";

// With ?still the page is drawn once and stays so, for taking its picture.
if (still) state("still", "still");
catchUp().then(() => still || listen());
refreshCounters();
