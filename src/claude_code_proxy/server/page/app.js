// The page: what is chosen, and when what is drawn again.

import { Charts } from "./charts.js";
import { Detail } from "./detail.js";
import { Feed } from "./feed.js";
import * as f from "./format.js";
import { RequestTable } from "./request_table.js";
import { Sessions, sessionTree } from "./sessions.js";

const STATES = [["", "All"], ["running", "Running"], ["error", "Errors"], ["retried", "Retried"], ["noticed", "Notices"]];
const SLOW = 1000; // milliseconds between two drawings of what is costly: tree, charts, totals
const $ = (id) => document.getElementById(id);

const filter = { state: "", words: [], model: "" };
const feed = new Feed(() => draw(), showConnection);
const table = new RequestTable({ columns: $("columns"), list: $("list"), now: () => feed.now, onOpen: open });
const sessions = new Sessions($("sessions"), () => draw(true));
const charts = new Charts($("charts"));
const detail = new Detail($("detail"), { onClose: close, onMove: step });
let asked = false; // whether a frame is asked for
let hurry = false; // whether the costly parts should be drawn with it
let drawnSlowly = 0; // when they were drawn last,
let drawnRows = 0; // and of how many requests
let models = "";

function draw(now = false) {
  hurry ||= now;
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const shown = feed.rows.filter(fits);
    table.set(shown.toReversed());
    const all = feed.rows.length;
    $("count").value = shown.length === all ? `${f.count(all)} requests` : `${f.count(shown.length)} of ${f.count(all)}`;
    showEmpty(shown.length);
    const time = performance.now();
    if (hurry || !drawnRows || time - drawnSlowly > SLOW) {
      hurry = false;
      drawnRows = all;
      drawnSlowly = time;
      drawSlowly(shown);
    } else setTimeout(() => draw(), SLOW);
  });
}

function drawSlowly(shown) {
  const tree = sessionTree(feed.rows);
  sessions.show(tree, sums(feed.rows));
  charts.show(shown, sessions.chosen.session !== null);
  showTotals();
  const known = [...new Set(feed.rows.map((row) => row.model).filter(Boolean))].sort();
  if (known.join("\n") !== models) {
    models = known.join("\n");
    const every = $("model").options[0];
    $("model").replaceChildren(every, ...known.map((name) => f.element("option", { value: name }, name)));
    $("model").value = known.includes(filter.model) ? filter.model : (filter.model = "");
  }
}

function sums(rows) {
  const all = { requests: rows.length, running: 0, errors: 0, tokens: 0, cached: 0, prompt: 0, output: 0, time: 0 };
  for (const row of rows) {
    all.running += row.state === "running";
    all.errors += row.state === "error";
    if (!row.usage) continue;
    all.prompt += f.prompt(row);
    all.cached += row.usage.cache_read_input_tokens;
    all.tokens += f.prompt(row) + row.usage.output_tokens;
    if (f.speed(row) !== null) {
      all.output += row.usage.output_tokens;
      all.time += row.seconds - row.first_byte_seconds;
    }
  }
  return all;
}

function showTotals() {
  const all = sums(feed.rows);
  const figures = [
    ["running", String(all.running)],
    ["errors", String(all.errors)],
    ["tokens", f.count(all.tokens)],
    ["cached", all.prompt ? f.percent(all.cached / all.prompt) : "–"],
    ["tok/s", all.time ? (all.output / all.time).toFixed(0) : "–"],
  ];
  $("totals").replaceChildren(
    ...figures.map(([name, value]) => f.element("div", {}, f.element("dt", {}, name), f.element("dd", {}, value))),
  );
}

function fits(row) {
  if (!sessions.holds(row)) return false;
  if (filter.model && row.model !== filter.model) return false;
  if (filter.state === "retried" ? row.attempts < 2 : filter.state === "noticed" ? !row.notices.length : filter.state && row.state !== filter.state) return false;
  if (!filter.words.length) return true;
  const text = [row.id, row.session_id, row.agent_id, row.agent_type, row.request_class, row.operation, row.asked, row.model,
    row.provider, row.status, row.error, row.cache_loss?.text, ...row.notices].join(" ").toLowerCase();
  return filter.words.every((word) => text.includes(word));
}

function showEmpty(count) {
  $("empty").hidden = count > 0;
  if (!count) $("empty").textContent = feed.rows.length ? "No request fits the filter." : "No request has come yet. This page shows each as it comes.";
}

function showConnection() {
  const { server, live } = feed;
  let text = live ? `live · ${server.version}` : "not connected; trying again";
  if (live && server.workers > 1) text += ` · process ${server.pid}, one of ${server.workers}: others' requests are not shown`;
  $("connection").textContent = text;
  $("connection").dataset.state = live ? "live" : "waiting";
}

// --- a request's detail ---------------------------------------------------------------------------------
function open(id) {
  const row = feed.byId.get(id);
  if (!row) return;
  $("overview").hidden = true;
  $("detail").hidden = false;
  detail.show(row);
}

function close() {
  $("detail").hidden = true;
  $("overview").hidden = false;
  table.refresh();
  $("list").focus();
}

function step(by) {
  table.select(Math.max(0, Math.min(table.rows.length - 1, table.index + by)));
  if (table.selected) open(table.selected);
}

// --- what the user does ----------------------------------------------------------------------------------
for (const [value, title] of STATES) {
  const button = f.element("button", { type: "button", "aria-pressed": value === "", onclick: () => chooseState(value, button) }, title);
  $("states").append(button);
}

function chooseState(value, chosen) {
  filter.state = value;
  for (const button of $("states").children) button.setAttribute("aria-pressed", button === chosen);
  draw(true);
}

$("filters").addEventListener("submit", (event) => event.preventDefault());
$("words").addEventListener("input", () => {
  filter.words = $("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  draw(true);
});
$("model").addEventListener("change", () => {
  filter.model = $("model").value;
  draw(true);
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape" && !$("detail").hidden) close();
  else if (event.key === "Escape" && event.target === $("words")) $("list").focus();
  else if (event.key === "/" && !typing && $("detail").hidden) {
    event.preventDefault();
    $("words").focus();
  }
});

const THEMES = ["light dark", "light", "dark"];
$("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(localStorage.getItem("theme") ?? THEMES[0]) + 1) % THEMES.length];
  localStorage.setItem("theme", next);
  applyTheme();
});

function applyTheme() {
  const theme = localStorage.getItem("theme") ?? THEMES[0];
  document.documentElement.style.colorScheme = theme;
  $("theme").textContent = { light: "Light", dark: "Dark" }[theme] ?? "Auto";
  charts.rebuild();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.rebuild());
applyTheme();
setInterval(() => feed.rows.some((row) => row.state === "running") && table.refresh(), 250); // times that run
feed.open();
draw(true);
