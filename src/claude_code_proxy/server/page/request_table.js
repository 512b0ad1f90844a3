// The requests, newest first.

import * as f from "./format.js";
import { VirtualList, moved } from "./virtual_list.js";

const ROW_HEIGHT = 30;
const SIGNS = { ok: "✓", error: "✕", gone: "⊘", running: "●" };

// Name, title, what it means, text of a row. The narrower the window, the fewer (style.css).
const COLUMNS = [
  ["state", "", "ok, error, gone (the client left) or running", (row) => SIGNS[row.state] ?? "?"],
  ["time", "Came", "when it came", (row) => f.clock(row.began)],
  ["model", "Model", "the model that served it, and what was asked for where that differs", modelText],
  ["provider", "Provider", "", (row) => row.provider],
  ["who", "From", "subagent or request class, and the path where it is not a message", whoText],
  ["status", "Status", "HTTP status or error type", (row) => row.error || String(row.status || "")],
  ["first", "First", "time to the first byte of the response", (row) => f.seconds(row.first_byte_seconds)],
  ["time-all", "Took", "time to the end", (row, now) => f.seconds(f.elapsed(row, now))],
  ["speed", "Tok/s", "output tokens per second after the first byte", (row) => f.speed(row)?.toFixed(0) ?? ""],
  ["prompt", "Prompt", "tokens of the prompt, from the cache or not", (row) => f.count(f.prompt(row))],
  ["cache", "Cached", "share of the prompt that the provider's cache had", (row) => f.percent(f.cacheHit(row))],
  ["output", "Output", "tokens of the answer; bytes while it runs", outputText],
  ["retries", "Retries", "requests upstream beyond the first", (row) => (row.attempts > 1 ? String(row.attempts - 1) : "")],
  ["notices", "Notices", "what the conversion could not carry over", (row) => (row.notices.length ? String(row.notices.length) : "")],
];

export class RequestTable {
  constructor({ columns, list, now, onOpen }) {
    this.rows = []; // newest first
    this.selected = null; // an id
    this._now = now;
    this._element = list;
    for (const [name, title, meaning] of COLUMNS) {
      columns.append(f.element("span", { class: name, title: meaning }, title));
    }
    this._list = new VirtualList(list, ROW_HEIGHT, makeRow, (element, index) => this._fill(element, index));
    list.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) {
        this.select(Number(row.dataset.index));
        onOpen(this.selected);
      }
    });
    list.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const to = moved(event.key, this.index, this.rows.length, this._list.page);
      if (event.key === "Enter" && this.selected) onOpen(this.selected);
      else if (to !== null) this.select(to);
      else return;
      event.preventDefault();
    });
  }

  get index() {
    return this.rows.findIndex((row) => row.id === this.selected);
  }

  set(rows) {
    const top = this.rows[0];
    const added = top ? rows.indexOf(top) : 0;
    this.rows = rows;
    this._list.setCount(rows.length, Math.max(0, added));
  }

  refresh() {
    this._list.refresh();
  }

  select(index) {
    const row = this.rows[index];
    if (!row) return;
    this.selected = row.id;
    this._list.show(index);
    this._element.setAttribute("aria-activedescendant", `row-${index}`);
  }

  _fill(element, index) {
    const row = this.rows[index];
    element.id = `row-${index}`;
    element.dataset.index = index;
    element.dataset.state = row.state;
    element.setAttribute("aria-selected", String(row.id === this.selected));
    element.setAttribute("aria-posinset", index + 1);
    element.setAttribute("aria-setsize", this.rows.length);
    const now = this._now();
    COLUMNS.forEach(([, , , text], place) => {
      const cell = element.children[place];
      const shown = text(row, now);
      if (cell.textContent !== shown) cell.textContent = shown;
    });
    element.dataset.loss = Boolean(row.cache_loss);
    element.title = [row.cache_loss?.text, ...row.notices].filter(Boolean).join("\n");
  }
}

function makeRow() {
  return f.element("div", { class: "row", role: "option" }, ...COLUMNS.map(([name]) => f.element("span", { class: name })));
}

function modelText(row) {
  const model = row.model || row.asked;
  return row.asked && row.asked !== model ? `${model}  ← ${row.asked}` : model;
}

function whoText(row) {
  const who = row.agent_id ? row.agent_type || `agent ${f.short(row.agent_id)}` : row.request_class;
  return row.operation === "messages" ? who : `${row.operation} ${who}`.trim();
}

function outputText(row) {
  if (row.usage) return f.count(row.usage.output_tokens);
  return row.state === "running" && row.sent_bytes ? f.bytes(row.sent_bytes) : "";
}
