"use strict";
// Charts as SVG elements, with axes, a name, and a table of the same numbers behind them.
(() => {
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const LEFT = 48, BOTTOM = 40, TOP = 12, RIGHT = 12;

  function svg(tag, attributes = {}, ...children) {
    const element = document.createElementNS(NAMESPACE, tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined) element.setAttribute(name, value);
    element.append(...children.flat(Infinity).filter(one => one !== null && one !== undefined && one !== false));
    return element;
  }

  // Round numbers between two ends.
  function ticks(low, high, count = 5) {
    const raw = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map(one => one * power).find(one => one >= raw - 1e-12);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(Number((i * step).toPrecision(12)));
    return found;
  }

  const MARKS = {
    dot: (x, y, r) => ({ d: `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0` }),
    square: (x, y, r) => ({ d: `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z` }),
    diamond: (x, y, r) => ({ d: `M${x} ${y - 1.3 * r}L${x + 1.3 * r} ${y}L${x} ${y + 1.3 * r}L${x - 1.3 * r} ${y}z` }),
    triangle: (x, y, r) => ({ d: `M${x} ${y - 1.3 * r}L${x + 1.2 * r} ${y + r}H${x - 1.2 * r}z` }),
  };

  // An empty chart with axes: {x, y}: {low, high, title, log, ticks: [[value, text]]}; gives the element and where values lie.
  function axes({ x, y, width, height = 280, label }) {
    const place = (axis, from, to) => value => {
      const [a, b, v] = axis.log ? [axis.low, axis.high, value].map(Math.log) : [axis.low, axis.high, value];
      return from + (b > a ? (v - a) / (b - a) : 0.5) * (to - from);
    };
    const X = place(x, LEFT, width - RIGHT), Y = place(y, height - BOTTOM, TOP);
    const named = axis => axis.ticks || ticks(axis.low, axis.high).map(one => [one, B.number(one)]);
    const element = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label, class: "chart" },
      named(y).map(([value, text]) => [svg("line", { x1: LEFT, x2: width - RIGHT, y1: Y(value), y2: Y(value), class: "rule" }),
        svg("text", { x: LEFT - 6, y: Y(value) + 4, "text-anchor": "end" }, text)]),
      named(x).map(([value, text]) => [svg("line", { x1: X(value), x2: X(value), y1: height - BOTTOM, y2: height - BOTTOM + 4, class: "base-line" }),
        svg("text", { x: X(value), y: height - BOTTOM + 17, "text-anchor": "middle" }, text)]),
      svg("line", { x1: LEFT, x2: width - RIGHT, y1: height - BOTTOM, y2: height - BOTTOM, class: "base-line" }),
      svg("text", { x: (LEFT + width - RIGHT) / 2, y: height - 6, "text-anchor": "middle", class: "name" }, x.title),
      svg("text", { transform: `translate(12 ${(TOP + height - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle", class: "name" }, y.title));
    return { element, X, Y };
  }

  // Lines: series [{name, points: [[x, y, said?, interval?]], colour, mark, dash}]; what is said of a point stands over it.
  function lines(series, options) {
    const made = axes(options);
    for (const one of series) {
      const at = one.points.map(([x, y]) => [made.X(x), made.Y(y)]);
      const group = svg("g", { class: "series", "data-name": one.name },
        svg("path", { d: at.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join(""), fill: "none", stroke: one.colour,
          "stroke-width": one.dash ? 1.5 : 2, "stroke-dasharray": one.dash || null }));
      one.points.forEach(([x, y, said, interval], i) => {
        if (interval) group.append(svg("line", { x1: at[i][0], x2: at[i][0], y1: made.Y(interval[0]), y2: made.Y(interval[1]), stroke: one.colour, "stroke-width": 1.5 }));
        if (said) group.append(svg("text", { x: at[i][0] + 4, y: at[i][1] - 9 }, said));
        if (one.mark) group.append(svg("path", { ...MARKS[one.mark](at[i][0], at[i][1], 4), fill: one.colour }, svg("title", {}, `${one.name}: ${B.number(x)}, ${B.number(y)}`)));
      });
      made.element.append(group);
    }
    return made.element;
  }

  // Names of the lines, in their colours and marks.
  const key = series => B.make("ul", { class: "key" }, series.map(one => B.make("li", {},
    svg("svg", { width: 30, height: 14, "aria-hidden": "true" },
      svg("line", { x1: 2, x2: 28, y1: 7, y2: 7, stroke: one.colour, "stroke-width": 2, "stroke-dasharray": one.dash || null }),
      one.mark ? svg("path", { ...MARKS[one.mark](15, 7, 4), fill: one.colour }) : null), ` ${one.name}`)));

  // Bars of a histogram; colours one a bar, `part` the share of each that is marked.
  function bars({ edges, counts, part = null, colours, width, height = 110, title, label }) {
    const most = Math.max(1, ...counts);
    const made = axes({ x: { low: edges[0], high: edges[edges.length - 1], title }, y: { low: 0, high: most, title: "how many", ticks: ticks(0, most, 2).map(one => [one, String(one)]) }, width, height, label });
    counts.forEach((count, i) => {
      const x = made.X(edges[i]), wide = Math.max(1, made.X(edges[i + 1]) - x - 1);
      made.element.append(svg("rect", { x, y: made.Y(count), width: wide, height: made.Y(0) - made.Y(count), fill: colours[i], class: "bin" },
        svg("title", {}, `${B.number(edges[i])} to ${B.number(edges[i + 1])}: ${count}`)));
      if (part && part[i]) made.element.append(svg("rect", { x, y: made.Y(part[i]), width: wide, height: made.Y(0) - made.Y(part[i]), class: "part" }));
    });
    return made.element;
  }

  // Intervals: rows [{name, low, high, at, colour}], one below the other on a common axis; where there is little room the
  // names stand above their bars.
  function intervals(rows, { width, title, label, low, high }) {
    const above = width < 420, step = above ? 42 : 28, names = above ? 10 : 20 + 6.6 * Math.max(...rows.map(row => row.name.length));
    const height = step * rows.length + BOTTOM + TOP, span = high - low || 1, X = value => names + (value - low) / span * (width - names - RIGHT);
    return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label, class: "chart" },
      ticks(low, high, 4).map(one => [svg("line", { x1: X(one), x2: X(one), y1: TOP, y2: height - BOTTOM, class: one === 0 ? "base-line" : "rule" }),
        svg("text", { x: X(one), y: height - BOTTOM + 16, "text-anchor": "middle" }, B.number(one))]),
      rows.map((row, i) => {
        const y = TOP + step * i + (above ? 28 : 14);
        return svg("g", { class: "interval" }, above ? svg("text", { x: names, y: y - 12 }, row.name) : svg("text", { x: names - 8, y: y + 4, "text-anchor": "end" }, row.name),
          row.low === undefined ? null : svg("line", { x1: X(row.low), x2: X(row.high), y1: y, y2: y, stroke: row.colour, "stroke-width": 6, "stroke-linecap": "round" }),
          svg("path", { ...MARKS.diamond(X(row.at), y, 5), class: "estimate" }, svg("title", {}, `${row.name}: ${B.number(row.at)}`)));
      }),
      svg("text", { x: (names + width) / 2, y: height - 6, "text-anchor": "middle", class: "name" }, title));
  }

  // A table of rows of cells (texts, numbers or elements), with its caption.
  function table(caption, heads, rows, attributes = {}) {
    const numeric = heads.map((_, i) => rows.some(row => typeof row[i] === "number"));
    const cell = (value, i) => B.make("td", { class: numeric[i] ? "number" : null }, typeof value === "number" ? B.number(value) : value ?? "–");
    return B.make("div", { class: "scroll fit", tabindex: 0, role: "region", "aria-label": caption }, B.make("table", attributes, B.make("caption", {}, caption),
      B.make("thead", {}, B.make("tr", {}, heads.map((one, i) => B.make("th", { scope: "col", class: numeric[i] ? "number" : null }, one)))),
      B.make("tbody", {}, rows.map(row => B.make("tr", {}, row.map(cell))))));
  }

  // Something built when it is first opened.
  function later(title, build) {
    const element = B.make("details", { class: "later" }, B.make("summary", {}, title));
    let built = false;
    element.addEventListener("toggle", () => {
      if (!element.open || built) return;
      built = true;
      element.append(build());
    });
    return element;
  }

  // Pixels that a chart may take in a column of the page, beside a list that takes some.
  function room(columns = 1, most = 620, taken = 0) {
    const main = document.getElementById("main"), whole = ((main && main.clientWidth) || innerWidth) - (innerWidth < 1000 ? 0 : taken);
    const across = innerWidth < 800 ? 1 : columns;
    return Math.max(240, Math.min(most, Math.floor((whole - 40 * across) / across)));
  }

  B.chart = { svg, axes, lines, key, bars, intervals, table, later, room, ticks };
})();
