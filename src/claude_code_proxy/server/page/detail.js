// One request: its facts, its notices, and the four bodies where they were captured.

import { diffLines } from "./diff.js";
import * as f from "./format.js";
import { JsonTree } from "./json_tree.js";
import { VirtualList, moved } from "./virtual_list.js";

const LINE = 20; // pixels
const KEY = "YOUR_KEY";

export class Detail {
  constructor(element, { onClose, onMove }) {
    this._element = element;
    this._onClose = onClose;
    this._onMove = onMove;
  }

  async show(row) {
    this._row = row;
    this._tree = null;
    this._body = f.element("div", { class: "bodies", "aria-busy": "true" });
    this._notices = f.element("section", { class: "notices", "aria-label": "Notices" });
    const button = (text, title, onclick) => f.element("button", { type: "button", title, onclick }, text);
    const back = button("← All requests", "Esc", this._onClose);
    this._tools = f.element("div", { class: "tools" });
    this._element.replaceChildren(
      f.element("div", { class: "bar" }, back,
        button("↑ Newer", "the request above", () => this._onMove(-1)),
        button("↓ Older", "the request below", () => this._onMove(1)),
        f.element("h2", {}, row.id), this._tools),
      facts(row), this._notices, this._body);
    back.focus();
    let answer;
    try {
      const response = await fetch(`/ui/request?id=${encodeURIComponent(row.id)}`);
      answer = await response.json();
      if (!response.ok) throw new Error(answer.error?.message ?? `status ${response.status}`);
    } catch (error) {
      answer = { notices: [], capture: null, reason: `It could not be loaded: ${error.message}` };
    }
    if (this._row !== row) return; // another one was opened in the meantime
    this._body.removeAttribute("aria-busy");
    this._showNotices(answer.notices);
    if (answer.capture) this._showBodies(answer.capture, answer.notices);
    else this._body.replaceChildren(f.element("p", { class: "hint" }, answer.reason));
  }

  _showNotices(notices) {
    const items = notices.map((notice) =>
      f.element("li", {},
        f.element("mark", {}, notice.code), ` ${notice.action} at `,
        f.element("button", { type: "button", class: "path", title: "show it", onclick: () => this._reveal(notice.path) }, notice.path || "(the request)"),
        `: ${notice.reason}`));
    this._notices.hidden = !items.length;
    this._notices.replaceChildren(f.element("ul", {}, ...items));
  }

  _reveal(path) {
    this._tree?.reveal(path);
  }

  _showBodies(capture, notices) {
    const last = capture.upstream.at(-1);
    this._tree = new JsonTree(capture.request.body, notices);
    const converted = last ? new JsonTree(last.body, notices.filter(({ path }) => path.startsWith("upstream."))).element : note("No request was sent upstream.");
    const chunks = last?.response ? stream(last.response.chunks, last.response.end) : note(last?.error || "There was no response.");
    const panes = () => this._body.replaceChildren(
      pane("Anthropic request", this._tree.element),
      pane(last ? `Converted request${capture.upstream.length > 1 ? `, the last of ${capture.upstream.length}` : ""}` : "Converted request", converted),
      pane(`Upstream chunks${last?.response ? ` · ${last.response.status}` : ""}`, chunks),
      pane(`Anthropic events · ${capture.answer.status}`, stream(capture.answer.chunks, capture.answer.end)));
    const compare = f.element("button", { type: "button", "aria-pressed": "false", title: "Anthropic request and converted request, line by line", onclick: () => {
      const on = compare.getAttribute("aria-pressed") !== "true";
      compare.setAttribute("aria-pressed", String(on));
      if (on) this._body.replaceChildren(pane("Difference: − Anthropic request, + converted request", difference(capture.request.body, last.body)));
      else panes();
    } }, "Diff");
    const copy = f.element("button", { type: "button", title: `the key is the placeholder ${KEY}`, onclick: async () => {
      await navigator.clipboard.writeText(asCurl(capture.request));
      copy.textContent = "Copied";
    } }, "Copy as curl");
    this._tools.replaceChildren(...(last ? [compare] : []), copy);
    if (capture.truncated) this._notices.before(f.element("p", { class: "hint" }, "Parts of this exchange were too large to keep."));
    panes();
  }
}

function facts(row) {
  const usage = row.usage;
  const listed = [
    ["state", row.error ? `${row.state}: ${row.error}` : row.state], ["status", row.status || ""], ["model", row.model],
    ["asked for", row.asked], ["by the route", row.rule], ["provider", row.provider], ["operation", row.operation], ["came", f.clock(row.began)],
    ["first byte", f.seconds(row.first_byte_seconds)], ["time", f.seconds(row.seconds)], ["requests upstream", row.attempts],
    ["prompt", usage && f.count(f.prompt(row))], ["from the cache", usage && `${f.count(usage.cache_read_input_tokens)} (${f.percent(f.cacheHit(row))})`],
    ["read again", row.cache_loss?.text], ["written to the cache", usage && f.count(usage.cache_creation_input_tokens)], ["output", usage && f.count(usage.output_tokens)],
    ["thinking", usage?.thinking_tokens ? f.count(usage.thinking_tokens) : ""], ["tokens per second", f.speed(row)?.toFixed(1)],
    ["response", f.bytes(row.sent_bytes)], ["session", row.session_id], ["subagent", row.agent_id && `${row.agent_type} ${row.agent_id}`],
    ["class", row.request_class],
  ];
  return f.element("dl", { class: "facts" }, ...listed.filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .map(([name, value]) => f.element("div", {}, f.element("dt", {}, name), f.element("dd", {}, String(value)))));
}

function pane(title, ...content) {
  return f.element("section", { class: "pane", "aria-label": title }, f.element("h3", {}, title), ...content);
}

function note(text) {
  return f.element("p", { class: "hint" }, text);
}

// The lines of a stream with the time of the read they came in; the chosen one is shown whole below.
function stream(chunks, end) {
  const lines = [];
  let rest = "";
  for (const chunk of chunks) {
    const parts = (rest + (chunk.text ?? `(${chunk.base64.length} characters of base64)\n`)).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part.trim()) lines.push([chunk.seconds, part]);
  }
  if (rest.trim()) lines.push([chunks.at(-1).seconds, rest]);
  if (end) lines.push([chunks.at(-1)?.seconds ?? 0, `(${end})`]);
  const whole = f.element("pre", { class: "whole", hidden: "" });
  const list = lineList(lines.length, (line, index) => {
    const [seconds, text] = lines[index];
    line.className = /^event:/.test(text) ? "line quiet" : "line";
    line.textContent = `${seconds.toFixed(2).padStart(5)}  ${text.replace(/^data: ?/, "").slice(0, 400)}`;
  }, (index) => {
    whole.hidden = false;
    whole.textContent = pretty(lines[index][1]);
  });
  return f.element("div", { class: "stream" }, list, whole);
}

function difference(before, after) {
  const text = (value) => JSON.stringify(value, null, 2).split("\n");
  const lines = diffLines(text(before), text(after));
  return lineList(lines.length, (line, index) => {
    const [sign, words] = lines[index];
    line.className = `line ${{ "+": "added", "-": "removed" }[sign] ?? ""}`;
    line.textContent = `${sign} ${words.slice(0, 2000)}`;
  });
}

function lineList(count, fill, onChoose = () => {}) {
  let chosen = -1;
  const element = f.element("div", { class: "lines", role: "listbox", tabindex: "0" });
  const list = new VirtualList(element, LINE, () => f.element("div", { role: "option" }), (line, index) => {
    fill(line, index);
    line.dataset.index = index;
    line.setAttribute("aria-selected", String(index === chosen));
  });
  const choose = (index) => {
    chosen = index;
    list.show(index);
    onChoose(index);
  };
  element.addEventListener("click", (event) => event.target.dataset.index && choose(Number(event.target.dataset.index)));
  element.addEventListener("keydown", (event) => {
    const to = count ? moved(event.key, chosen, count, list.page) : null;
    if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(to);
  });
  list.setCount(count);
  return element;
}

function pretty(line) {
  const text = line.replace(/^data: ?/, "");
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return line;
  }
}

// The request as a command for a POSIX shell.
export function asCurl(request) {
  const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const kept = Object.entries(request.headers).filter(([name]) => /^(anthropic-|content-type$|x-claude-code-)/.test(name));
  const query = request.query ? `?${request.query}` : "";
  return [
    `curl ${quote(location.origin + request.path + query)}`,
    `-H ${quote(`authorization: Bearer ${KEY}`)}`,
    ...kept.map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`),
    `--data-binary ${quote(JSON.stringify(request.body))}`,
  ].join(" \\\n  ");
}
