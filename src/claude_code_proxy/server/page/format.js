// Figures as people read them, and elements that take nothing but text.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children); // strings become text nodes
  return made;
}

export function count(value) {
  if (value === null || value === undefined) return "";
  if (value < 10_000) return value.toLocaleString("en");
  if (value < 1_000_000) return `${(value / 1000).toFixed(value < 100_000 ? 1 : 0)}k`;
  return `${(value / 1_000_000).toFixed(value < 10_000_000 ? 2 : 1)}M`;
}

export function bytes(value) {
  if (value < 1000) return `${value} B`;
  return value < 1_000_000 ? `${(value / 1000).toFixed(1)} kB` : `${(value / 1_000_000).toFixed(1)} MB`;
}

export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 10) return `${value.toFixed(2)} s`;
  if (value < 120) return `${value.toFixed(1)} s`;
  return `${Math.floor(value / 60)} min ${String(Math.floor(value % 60)).padStart(2, "0")} s`;
}

export function percent(value) {
  return value === null ? "" : `${Math.round(value * 100)} %`;
}

export function clock(epoch) {
  return new Date(epoch * 1000).toLocaleTimeString("en-GB");
}

export function short(id) {
  return id.length > 12 ? id.slice(0, 8) : id;
}

// --- what follows from a request's figures ------------------------------------------------------------

export function prompt(row) {
  const usage = row.usage;
  return usage && usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;
}

// The share of the prompt that the provider's cache had; null where nothing is known.
export function cacheHit(row) {
  const all = prompt(row);
  return all ? row.usage.cache_read_input_tokens / all : null;
}

// Output tokens in a second, after the first byte; null where that cannot be said.
export function speed(row) {
  if (!row.usage || row.first_byte_seconds === null) return null;
  const time = row.seconds - row.first_byte_seconds;
  return time > 0.05 && row.usage.output_tokens > 1 ? row.usage.output_tokens / time : null;
}

export function elapsed(row, now) {
  return row.state === "running" ? Math.max(0, now - row.began) : row.seconds;
}
