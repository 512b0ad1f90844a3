// Small charts over the requests that are in sight.

import * as f from "./format.js";

const HEIGHT = 118;
const CHARTS = [
  { title: "Prompt tokens", series: [["prompt", "--chart-1", f.prompt], ["cached", "--chart-2", (row) => row.usage?.cache_read_input_tokens]], text: f.count },
  { title: "From the cache", series: [["cached", "--chart-2", f.cacheHit]], text: f.percent, range: [0, 1] },
  { title: "Output tokens per second", series: [["tok/s", "--chart-3", f.speed]], text: (value) => value.toFixed(0) },
  { title: "Time to the first byte", series: [["first", "--chart-4", (row) => row.first_byte_seconds]], text: f.seconds },
];

export class Charts {
  constructor(element) {
    this._figures = CHARTS.map((chart) => f.element("figure", {}, f.element("figcaption", {}, chart.title, f.element("output"))));
    element.append(...this._figures);
    this._plots = [];
    this._lines = null;
    new ResizeObserver(() => this._resize()).observe(element);
  }

  // `joined`: the requests are of one session, so that lines between them mean something.
  show(rows, joined) {
    const used = rows.filter((row) => row.usage && row.operation === "messages").sort((a, b) => a.began - b.began);
    const times = used.map((row) => row.began);
    if (!this._plots.length || this._lines !== joined) {
      this._lines = joined;
      this.rebuild();
    }
    CHARTS.forEach((chart, index) => {
      const columns = chart.series.map(([, , value]) => used.map((row) => value(row) ?? null));
      this._plots[index].setData([times, ...columns]);
      this._figures[index].dataset.empty = String(!columns.some((column) => column.some((value) => value !== null)));
    });
  }

  // Colours come from the style sheet: call it again when the theme changes.
  rebuild() {
    const data = this._plots.map((plot) => plot.data);
    this._plots.forEach((plot) => plot.destroy());
    this._plots = CHARTS.map((chart, index) => {
      const figure = this._figures[index];
      const plot = options(chart, width(figure), this._lines, figure.querySelector("output"));
      return new uPlot(plot, data[index] ?? [[], ...chart.series.map(() => [])], figure);
    });
  }

  _resize() {
    this._plots.forEach((plot, index) => plot.setSize({ width: width(this._figures[index]), height: HEIGHT }));
  }
}

function width(figure) {
  return Math.max(120, figure.clientWidth - 16);
}

function options(chart, wide, joined, output) {
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width: wide,
    height: HEIGHT,
    padding: [6, 22, 0, 0],
    legend: { show: false },
    hooks: {
      setCursor: [(plot) => tell(plot, chart, output)],
      setData: [(plot) => tell(plot, chart, output)],
    },
    cursor: { sync: { key: "requests" }, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { y: { range: (plot, low, high) => chart.range ?? [0, (high || 1) * 1.05] } },
    axes: [
      { ...axis, size: 24, space: 70, values: (plot, splits) => splits.map(f.clock) },
      { ...axis, size: 46, space: 26, values: (plot, splits) => splits.map((value) => chart.text(value)) },
    ],
    series: [
      {},
      ...chart.series.map(([label, name]) => ({
        label,
        stroke: colour(name),
        fill: joined ? colour(name, 0.12) : undefined,
        width: 1.5,
        spanGaps: true,
        paths: joined ? undefined : () => null,
        points: { show: true, size: 4, fill: colour(name) },
      })),
    ],
  };
}

// Say the values under the cursor, else the last ones.
function tell(plot, chart, output) {
  const last = plot.data[0].length - 1;
  const at = plot.cursor.idx ?? last;
  if (at < 0) return;
  const values = chart.series.map(([label], index) => {
    const value = plot.data[index + 1][at];
    return value === null ? "" : index ? `${chart.text(value)} ${label}` : chart.text(value);
  });
  const time = plot.cursor.idx === null || plot.cursor.idx === undefined ? "" : `${f.clock(plot.data[0][at])}  `;
  output.value = time + values.filter(Boolean).join(" · ");
}

// A colour of the style sheet as the canvas needs it: resolved for the theme of now.
function colour(name, opacity = 1) {
  const probe = f.element("i");
  probe.style.color = `rgb(from var(${name}) r g b / ${opacity})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
