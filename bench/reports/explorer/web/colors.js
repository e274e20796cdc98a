"use strict";
// Colours that are told apart in every common kind of colour vision, on dark and on light paper: one ramp of steadily
// changing lightness for numbers, blue against orange for numbers around 0, and for categories eight colours that were searched for so that any two of
// them differ by 29 (CIE 1976, of which 2 can just be seen) or more to readers who lack one kind of cone, as to all others.
(() => {
  const RAMPS = {
    sequential: {
      light: ["#e3ebbd", "#a4d6b2", "#52acb5", "#2b6ca8", "#1b2a66"],
      dark: ["#2b3672", "#2f6ba3", "#45a3b4", "#98d3aa", "#f6f8cd"],
    },
    diverging: {
      light: ["#0e4482", "#6aa5d6", "#dedbd5", "#ee9d58", "#963f00"],
      dark: ["#86c8ff", "#3474b0", "#3a3e46", "#b06a26", "#ffb765"],
    },
  };
  const CATEGORIES = {
    light: ["#2a3b83", "#af7b00", "#07d58e", "#8d1722", "#517dff", "#9d90bd", "#f6da15", "#0d001f"],
    dark: ["#3958fb", "#e39011", "#01a88c", "#b73d27", "#81ffc1", "#ffa7fb", "#ffff0b", "#8256b0"],
  };
  const STEPS = 256;
  const MOST = 24; // categories that have a colour and a pattern of their own

  const toLinear = value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const fromLinear = value => (value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055);
  const bytes = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));

  function toLab(hex) {
    const [r, g, b] = bytes(hex).map(one => toLinear(one / 255));
    const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return [0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s, 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
      0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s];
  }

  function toHex([lightness, a, b]) {
    const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
    return `#${[4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s]
      .map(one => Math.round(255 * Math.min(1, Math.max(0, fromLinear(one)))).toString(16).padStart(2, "0")).join("")}`;
  }

  // Steps between anchors, equal in how different they look (OKLab).
  function ramp(anchors) {
    const places = anchors.map(toLab);
    return Array.from({ length: STEPS }, (_, step) => {
      const at = step / (STEPS - 1) * (places.length - 1), low = Math.min(Math.floor(at), places.length - 2);
      return toHex(places[low].map((one, i) => one + (at - low) * (places[low + 1][i] - one)));
    });
  }
  const ramps = new Map();
  function rampOf(kind, dark) {
    const key = `${kind} ${dark}`;
    if (!ramps.has(key)) ramps.set(key, ramp(RAMPS[kind][dark ? "dark" : "light"]));
    return ramps.get(key);
  }

  // Share of white light of a colour, as contrast is reckoned with.
  function luminance(hex) {
    const [r, g, b] = bytes(hex).map(one => toLinear(one / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  const inkOn = hex => (luminance(hex) > 0.18 ? "#000000" : "#ffffff");

  // A color of the style sheet as a browser has worked it out, which a canvas needs.
  function resolved(name, otherwise) {
    const probe = B.make("span", { hidden: true });
    probe.style.color = `var(--${name}, ${otherwise})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  let known = null;
  // What the page looks like now, read from the page itself: so that a switch of its own counts as much as the system's.
  function theme() {
    const dark = B.dark();
    if (known && known.dark === dark) return known; // asking for a computed style lays out the whole page
    const paper = getComputedStyle(document.body).backgroundColor;
    known = { dark, paper, ink: dark ? "#f2f2f2" : "#111111", none: dark ? "#5a606b" : "#b9bec6", faint: resolved("faint", dark ? "#a0a8b4" : "#5c6570"), line: resolved("line", dark ? "#454c58" : "#c9ced6") };
    return known;
  }

  // Calls `draw` when dark becomes light or the other way, until `element` has left the page.
  function onTheme(element, draw) {
    const media = matchMedia("(prefers-color-scheme: dark)");
    let last = theme().paper;
    const look = () => {
      if (!element.isConnected) { media.removeEventListener("change", look); watcher.disconnect(); return; }
      const now = theme().paper;
      if (now !== last) { last = now; draw(); }
    };
    const watcher = new MutationObserver(look);
    for (const one of [document.documentElement, document.body]) watcher.observe(one, { attributes: true });
    media.addEventListener("change", look);
  }

  const isNumber = value => typeof value === "number" && Number.isFinite(value);
  const numbers = columns => Float64Array.from(columns.flatMap(one => one.values.filter(isNumber))).sort();
  const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(q * (sorted.length - 1))))];

  // First and last hundredth of all columns together; what lies beyond has the last colour, and the legend says so.
  function limits(columns) {
    const sorted = numbers(columns);
    if (!sorted.length) return { low: 0, high: 1, below: false, above: false };
    const least = sorted[0], most = sorted[sorted.length - 1];
    let low = quantile(sorted, 0.01), high = quantile(sorted, 0.99);
    if (most - least <= 1.25 * (high - low) || high === low) { low = least; high = most; }
    if (columns.some(one => one.diverging)) {
      high = Math.max(Math.abs(low), Math.abs(high)) || 1;
      low = -high;
    }
    return { low, high, below: least < low, above: most > high };
  }

  // Texts as categories: the commonest that occur more than once, all else together.
  function asCategory(columns) {
    const counts = new Map();
    for (const one of columns) for (const text of one.values) if (text) counts.set(text, (counts.get(text) || 0) + 1);
    const common = [...counts].filter(([, n]) => n > 1).sort((a, b) => b[1] - a[1]).slice(0, 7).map(([text]) => text);
    const categories = [...common, "another text"], number = new Map(common.map((text, i) => [text, i]));
    return columns.map(one => ({ ...one, kind: "category", categories,
      values: one.values.map(text => (text ? number.get(text) ?? common.length : -1)) }));
  }
  const asDrawn = columns => (columns[0].kind === "text" ? asCategory(columns) : columns);

  function categorical(columns, look) {
    const colours = CATEGORIES[look.dark ? "dark" : "light"];
    const names = columns.reduce((most, one) => (one.categories.length > most.length ? one.categories : most), []);
    return {
      kind: "category", names, limits: null, has: value => isNumber(value) && value >= 0,
      color: value => (isNumber(value) && value >= 0 && value < MOST ? colours[value % colours.length] : look.none),
      pattern: value => (isNumber(value) && value >= 0 && value < MOST ? Math.floor(value / colours.length) : 0),
      say: value => (isNumber(value) && value >= 0 ? names[value] ?? `category ${value}` : "none"),
    };
  }

  function numeric(columns, look, given) {
    const found = given || limits(columns), span = found.high - found.low;
    const colours = rampOf(columns.some(one => one.diverging) ? "diverging" : "sequential", look.dark);
    const unit = columns[0].unit && columns[0].unit !== "cell" ? ` ${columns[0].unit}` : "";
    const share = value => (span > 0 ? Math.min(1, Math.max(0, (value - found.low) / span)) : 0.5);
    return {
      kind: "number", limits: found, has: isNumber, share, colours, write: columns[0].write || B.number, pattern: () => 0,
      color: value => (isNumber(value) ? colours[Math.round(share(value) * (STEPS - 1))] : look.none),
      say: value => (isNumber(value) ? `${B.number(value)}${unit}` : "no value"),
    };
  }

  // A scale of one column, or of the same column in several sites, which then share its limits.
  function scale(columns, { limits: given = null } = {}) {
    const look = theme();
    const drawn = asDrawn(columns.filter(Boolean));
    const made = drawn[0].kind === "category" ? categorical(drawn, look) : numeric(drawn, look, given);
    return { ...made, columns: drawn, legend: () => legend(made, drawn) };
  }

  const swatch = (colour, pattern = 0, missing = false) => {
    const element = B.make("span", { class: `swatch pattern${pattern}${missing ? " missing" : ""}`, "aria-hidden": "true" });
    element.style.setProperty("--swatch", colour);
    return element;
  };

  function bar(made) {
    const { low, high, below, above } = made.limits;
    const band = B.make("div", { class: "band", role: "img", "aria-label": `colors from ${made.write(low)} to ${made.write(high)}` });
    band.style.background = `linear-gradient(90deg, ${made.colours.filter((_, i) => i % 15 === 0).join(", ")})`;
    const ends = [`${below ? "≤ " : ""}${made.write(low)}`, made.write((low + high) / 2), `${above ? "≥ " : ""}${made.write(high)}`];
    return [band, B.make("div", { class: "ends" }, ends.map(one => B.make("span", {}, one)))];
  }

  function names(made, columns) {
    const counts = made.names.map((_, i) => columns.map(one => one.values.reduce((n, value) => n + (value === i), 0)));
    return B.make("ul", { class: "names" }, made.names.slice(0, MOST).map((name, i) =>
      B.make("li", {}, swatch(made.color(i), made.pattern(i)), ` ${name} `, B.make("span", { class: "faint" }, counts[i].join(", ")))));
  }

  const controlText = one => Object.entries(one).filter(([name]) => name !== "kind")
    .map(([name, value]) => `${name === "value" ? "" : `${name} `}${typeof value === "number" ? B.number(value) : value}`).join(", ");

  // The controls of a column in words, or null.
  const beside = column => (column.beside && column.beside.length
    ? `Beside it: ${column.beside.map(one => `${one.kind} ${controlText(one)}`).join("; ")}.` : null);

  function legend(made, columns) {
    const first = columns[0];
    const absent = columns.map(one => one.values.reduce((n, value) => n + !made.has(value), 0));
    const total = absent.reduce((a, b) => a + b, 0);
    const unit = first.unit && made.kind === "number" ? ` (${first.unit})` : "";
    return B.make("figure", { class: "legend" },
      B.make("figcaption", {}, B.make("strong", {}, `${first.title}${unit}`), first.sentence ? `: ${first.sentence}` : ""),
      made.kind === "number" ? bar(made) : names(made, columns),
      total ? B.make("p", { class: "faint" }, swatch(theme().none, 0, true), ` hatched or hollow: ${made.kind === "number" ? "no value" : "none of these"}, ${absent.join(" and ")}`) : null,
      beside(first) ? B.make("p", { class: "faint controls-of" }, beside(first)) : null);
  }

  B.colors = { scale, limits, theme, onTheme, luminance, inkOn, beside, controlText, swatch, isNumber,
    sequential: dark => rampOf("sequential", dark), diverging: dark => rampOf("diverging", dark),
    categories: dark => CATEGORIES[dark ? "dark" : "light"] };
})();
