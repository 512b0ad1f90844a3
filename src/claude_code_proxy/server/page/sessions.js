// The sessions as a tree: each with its subagents, those with theirs.

import * as f from "./format.js";
import { moved } from "./virtual_list.js";

const MOST_SHOWN = 200;

// A tree of nodes {id, session, agent, label, requests, running, errors, tokens, cached, prompt, children}.
export function sessionTree(rows) {
  const sessions = new Map();
  for (const row of rows) {
    const session = node(sessions, row.session_id, { session: row.session_id, agents: new Map() });
    session.model = row.model || row.asked || session.model;
    session.began = Math.min(session.began ?? row.began, row.began);
    add(session, row);
    if (row.agent_id) {
      const agent = node(session.agents, row.agent_id, { session: row.session_id, agent: row.agent_id });
      agent.parent = row.parent_agent_id || agent.parent;
      agent.label = row.agent_type || agent.label;
      add(agent, row);
    }
  }
  for (const session of sessions.values()) {
    for (const agent of session.agents.values()) {
      const parent = session.agents.get(agent.parent);
      (parent && !isBelow(session.agents, parent, agent) ? parent : session).children.push(agent);
    }
  }
  return [...sessions.values()].sort((a, b) => b.began - a.began);
}

// Whether `one` stands somewhere below `other`, by what requests say of their parents.
function isBelow(agents, one, other) {
  const seen = new Set();
  for (let at = one; at && !seen.has(at); at = agents.get(at.parent)) {
    if (at === other) return true;
    seen.add(at);
  }
  return false;
}

function node(nodes, id, facts) {
  let found = nodes.get(id);
  if (!found) {
    found = { id, label: "", requests: 0, running: 0, errors: 0, tokens: 0, cached: 0, prompt: 0, children: [], ...facts };
    nodes.set(id, found);
  }
  return found;
}

function add(to, row) {
  to.requests++;
  to.running += row.state === "running";
  to.errors += row.state === "error";
  if (row.usage) {
    const prompt = f.prompt(row);
    to.prompt += prompt;
    to.cached += row.usage.cache_read_input_tokens;
    to.tokens += prompt + row.usage.output_tokens;
  }
}

export class Sessions {
  constructor(element, onChoose) {
    this.chosen = { session: null, agent: null };
    this._element = element;
    this._onChoose = onChoose;
    const choose = (event) => {
      const item = event.button === 0 && event.target.closest("[role=treeitem]");
      if (item) this._choose([...element.children].indexOf(item));
    };
    element.addEventListener("pointerdown", choose); // an update may replace the item before the button is released
    element.addEventListener("click", choose); // for what clicks without a pointer
    element.addEventListener("keydown", (event) => {
      const at = this._shown.findIndex((shown) => this._isChosen(shown));
      const to = moved(event.key, at, this._shown.length, 10);
      if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this._choose(to);
      this._element.children[to]?.scrollIntoView({ block: "nearest" });
    });
    this._shown = [];
  }

  holds(row) {
    const { session, agent } = this.chosen;
    return (session === null || row.session_id === session) && (agent === null || row.agent_id === agent);
  }

  show(tree, all) {
    this._shown = [{ session: null, agent: null, label: "All requests", level: 1, ...all }];
    const flatten = (nodes, level) => {
      for (const one of nodes) {
        this._shown.push({ ...one, agent: one.agent ?? null, level });
        flatten(one.children, level + 1);
      }
    };
    flatten(tree.slice(0, MOST_SHOWN), 1);
    const items = this._shown.map((one, index) => this._item(one, index));
    if (tree.length > MOST_SHOWN) items.push(f.element("p", {}, `and ${tree.length - MOST_SHOWN} older ones`));
    this._element.replaceChildren(...items);
  }

  _item(one, index) {
    const name = one.label || (one.agent ? `agent ${f.short(one.agent)}` : one.session ? f.short(one.session) : "no session");
    const facts = [`${f.count(one.requests)} req`, `${f.count(one.tokens)} tok`];
    if (one.cached) facts.push(`${f.percent(one.cached / one.prompt)} cached`);
    const chosen = this._isChosen(one);
    if (chosen) this._element.setAttribute("aria-activedescendant", `session-${index}`);
    return f.element(
      "div",
      {
        id: `session-${index}`, role: "treeitem", "aria-level": one.level, "aria-selected": chosen,
        class: `level-${Math.min(one.level, 5)}`, title: one.agent ?? one.session ?? "",
      },
      f.element("span", { class: "name" }, ...(one.running ? [f.element("i", { class: "pulse" })] : []), name),
      f.element("span", { class: "model" }, one.model ?? "", " ", f.element("span", { class: "bad" }, one.errors ? `${one.errors} ✕` : "")),
      f.element("span", { class: "facts" }, facts.join(" · ")),
    );
  }

  _choose(index) {
    const { session, agent } = this._shown[index];
    this.chosen = { session, agent };
    this._onChoose();
  }

  _isChosen(one) {
    return one.session === this.chosen.session && one.agent === this.chosen.agent;
  }
}
