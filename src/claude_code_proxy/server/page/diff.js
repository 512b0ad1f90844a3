// The difference of two texts by lines (Myers, "An O(ND) Difference Algorithm and Its Variations", 1986).

const MOST_STEPS = 3000; // of edits; texts that differ in more are shown as wholly different

// [[sign, line], ...] with the signs " ", "-", "+".
export function diffLines(before, after) {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const middle = edits(before.slice(start, before.length - end), after.slice(start, after.length - end));
  const same = (line) => [" ", line];
  return [...before.slice(0, start).map(same), ...middle, ...before.slice(before.length - end).map(same)];
}

function edits(before, after) {
  const trace = search(before, after);
  if (!trace) return [...before.map((line) => ["-", line]), ...after.map((line) => ["+", line])];
  const found = [];
  let x = before.length;
  let y = after.length;
  for (let step = trace.length - 1; step >= 0; step--) {
    const reached = trace[step];
    const k = x - y;
    const down = k === -step || (k !== step && at(reached, k - 1, step) < at(reached, k + 1, step));
    const fromX = step ? (down ? at(reached, k + 1, step) : at(reached, k - 1, step)) : 0;
    const fromY = step ? fromX - (down ? k + 1 : k - 1) : 0;
    const stopX = step ? (down ? fromX : fromX + 1) : 0;
    while (x > stopX && y > 0) {
      found.push([" ", before[--x]]);
      y--;
    }
    if (!step) break;
    found.push(down ? ["+", after[fromY]] : ["-", before[fromX]]);
    x = fromX;
    y = fromY;
  }
  return found.reverse();
}

// For each number of edits how far each diagonal was reached before it; null for too many.
function search(before, after) {
  const trace = [];
  let reached = [0]; // of the diagonals -step ... step, every second one
  for (let step = 0; step <= Math.min(MOST_STEPS, before.length + after.length); step++) {
    trace.push(reached);
    const next = [];
    for (let k = -step; k <= step; k += 2) {
      let x;
      if (!step) x = 0;
      else if (k === -step || (k !== step && at(reached, k - 1, step) < at(reached, k + 1, step))) x = at(reached, k + 1, step);
      else x = at(reached, k - 1, step) + 1;
      let y = x - k;
      while (x < before.length && y < after.length && before[x] === after[y]) x++, y++;
      next.push(x);
      if (x >= before.length && y >= after.length) return trace;
    }
    reached = next;
  }
  return null;
}

// How far diagonal `k` came within `step - 1` edits.
function at(reached, k, step) {
  return reached[(k + step - 1) / 2] ?? -1;
}
