// A list of any length of which only what is in sight exists. All rows are equally high.

const BEYOND = 6; // rows above and below what is in sight

export class VirtualList {
  // `fill(element, index)` shows row `index`; `make()` makes an empty row.
  constructor(viewport, rowHeight, make, fill) {
    this.viewport = viewport;
    this.rowHeight = rowHeight;
    this.count = 0;
    this._make = make;
    this._fill = fill;
    this._rows = []; // elements in use, in order
    this._room = document.createElement("div");
    this._room.className = "room";
    this._room.setAttribute("role", "presentation");
    viewport.append(this._room);
    viewport.addEventListener("scroll", () => this.refresh(), { passive: true });
    new ResizeObserver(() => this.refresh()).observe(viewport);
  }

  // `added` rows are new at the top: what is in sight stays where it is.
  setCount(count, added = 0) {
    this.count = count;
    this._room.style.height = `${count * this.rowHeight}px`;
    if (added && this.viewport.scrollTop > this.rowHeight) {
      this.viewport.scrollTop += added * this.rowHeight;
    }
    this.refresh();
  }

  refresh() {
    const { scrollTop, clientHeight } = this.viewport;
    const first = Math.max(0, Math.floor(scrollTop / this.rowHeight) - BEYOND);
    const last = Math.min(this.count, Math.ceil((scrollTop + clientHeight) / this.rowHeight) + BEYOND);
    const needed = Math.max(0, last - first);
    while (this._rows.length < needed) {
      const row = this._make();
      this._rows.push(row);
      this._room.append(row);
    }
    while (this._rows.length > needed) this._rows.pop().remove();
    this._rows.forEach((row, place) => {
      row.style.transform = `translateY(${(first + place) * this.rowHeight}px)`;
      this._fill(row, first + place);
    });
  }

  show(index) {
    const top = index * this.rowHeight;
    const { scrollTop, clientHeight } = this.viewport;
    if (top < scrollTop) this.viewport.scrollTop = top;
    else if (top + this.rowHeight > scrollTop + clientHeight) {
      this.viewport.scrollTop = top + this.rowHeight - clientHeight;
    }
    this.refresh();
  }

  get page() {
    return Math.max(1, Math.floor(this.viewport.clientHeight / this.rowHeight) - 1);
  }
}

// Where a key moves from row `at` in a list of `count`; null for a key that moves nowhere.
export function moved(key, at, count, page) {
  const to = {
    ArrowDown: at + 1, ArrowUp: at - 1, j: at + 1, k: at - 1,
    PageDown: at + page, PageUp: at - page, Home: 0, End: count - 1,
  }[key];
  return to === undefined ? null : Math.max(0, Math.min(count - 1, to));
}
