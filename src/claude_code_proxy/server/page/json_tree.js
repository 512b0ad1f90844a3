// A JSON value as a tree that is built where it is opened.

import { element } from "./format.js";

const MOST_CHILDREN = 200; // shown at once
const LONGEST = 4000; // characters of a string shown at once
const OPEN_LEVELS = 2;

export class JsonTree {
  // `notices` are {code, path, reason} with paths such as messages[0].content[1].text
  constructor(value, notices = []) {
    this.notices = notices.map((notice) => ({ ...notice, keys: keysOf(notice.path) }));
    this._nodes = new Map(); // by the path as JSON
    this.element = element("div", { class: "json" }, this._node(value, [], null, OPEN_LEVELS));
  }

  // Open what leads to `path` and bring it into sight; as near as it goes where the path ends earlier.
  reveal(path) {
    const keys = keysOf(path);
    let found = null;
    for (let length = 0; length <= keys.length; length++) {
      const node = this._nodes.get(JSON.stringify(keys.slice(0, length)));
      if (!node) break;
      found = node;
      if (node.open) node.open();
    }
    if (!found) return;
    this.element.querySelector(".revealed")?.classList.remove("revealed");
    found.element.classList.add("revealed");
    found.element.scrollIntoView({ block: "center" });
  }

  _node(value, path, name, levels) {
    const isBranch = value !== null && typeof value === "object";
    const made = isBranch ? this._branch(value, path, name, levels) : { element: this._leaf(value, path, name) };
    this._nodes.set(JSON.stringify(path), made);
    return made.element;
  }

  _leaf(value, path, name) {
    const kind = value === null ? "null" : typeof value;
    const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
    const shown = element("span", { class: kind }, text.slice(0, LONGEST));
    const line = element("div", { class: "leaf" }, ...label(name), shown, ...this._marks(path, false));
    if (text.length > LONGEST) {
      const more = element("button", { type: "button", onclick: () => { shown.textContent = text; more.remove(); } },
        `and ${text.length - LONGEST} more characters`);
      line.append(more);
    }
    return line;
  }

  _branch(value, path, name, levels) {
    const keys = Object.keys(value);
    const isArray = Array.isArray(value);
    const hint = isArray ? `[${keys.length}]` : `{${keys.length}}`;
    const details = element("details", {},
      element("summary", {}, ...label(name), element("span", { class: "hint" }, hint, summary(value)), ...this._marks(path, true)));
    let filled = 0;
    const fill = () => {
      const end = Math.min(keys.length, filled + MOST_CHILDREN);
      for (; filled < end; filled++) {
        const key = isArray ? filled : keys[filled];
        details.append(this._node(value[key], [...path, key], key, levels - 1));
      }
      if (filled < keys.length) {
        const more = element("button", { type: "button", onclick: () => { more.remove(); fill(); } }, `${keys.length - filled} more`);
        details.append(more);
      }
    };
    const open = () => {
      if (!filled) fill();
      details.open = true;
    };
    details.addEventListener("toggle", () => details.open && !filled && fill());
    if (levels > 0 && keys.length) open();
    return { element: details, open };
  }

  // Notices at `path`, or for a branch also the number of those below.
  _marks(path, isBranch) {
    const at = this.notices.filter(({ keys }) => isPrefix(path, keys));
    const here = at.filter(({ keys }) => keys.length === path.length);
    const below = at.length - here.length;
    const marks = here.map((notice) => element("mark", { title: notice.reason }, notice.code));
    if (isBranch && below && path.length) marks.push(element("mark", { class: "below", title: "notices further in" }, String(below)));
    return marks;
  }
}

export function keysOf(path) {
  return [...path.matchAll(/[^.[\]]+/g)].map(([key]) => (/^\d+$/.test(key) ? Number(key) : key));
}

function isPrefix(path, keys) {
  return path.length <= keys.length && path.every((key, index) => String(key) === String(keys[index]));
}

function label(name) {
  return name === null ? [] : [element("span", { class: "key" }, String(name)), ": "];
}

// What an object is, in a word: its type, role or name.
function summary(value) {
  const words = ["type", "role", "name"].map((key) => value[key]).filter((word) => typeof word === "string");
  return words.length ? ` ${words.join(" ").slice(0, 80)}` : "";
}
