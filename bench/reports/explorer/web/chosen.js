"use strict";
// What is chosen on a sheet: who they are, and their mean beside all, beside the same shape elsewhere, beside random ones.
(() => {
  const ROWS = 50;

  // What is compared: the mean of numbers, or the share of the commonest category, whichever that is at each place.
  function measured(scale) {
    const values = scale.column.values;
    if (scale.kind === "number") return { values, what: `mean of ${scale.column.title}`, head: "mean" };
    return { values: values.map(one => (scale.has(one) ? one : null)), statistic: B.places.purity, what: `${scale.column.title}: share of the commonest, whichever that is`, head: "share" };
  }

  // The share of draws as large, and p, in which what was seen counts as a draw.
  const share = ({ n, larger }) => (n ? [larger, (1 + Math.round(larger * n)) / (1 + n)] : [null, null]);

  function means(place, ids, scale) {
    const { values, statistic, what, head } = measured(scale), found = B.places.control(place, ids, values, statistic), kind = `${place.of}s`;
    const rows = [
      [`the ${found.n} selected`, found.n, found.mean, "", ""],
      [`all ${kind}`, place.n, found.all, "", ""],
      place.onSheet ? ["the same shape at other places", found.places.n, found.places.mean, ...share(found.places)] : null,
      [`as many ${kind} drawn at random`, found.draws.n, found.draws.mean, ...share(found.draws)],
    ].filter(Boolean);
    const words = !place.onSheet ? "Without a sheet there are no other places."
      : found.places.n < 19 ? `Only ${found.places.n} other places hold this shape: too few to judge by.`
      : "Neighbours are alike on a smooth sheet, so that random ones are beaten easily; other places are the fair control. Where the selection was made by looking at these very colors, p says little.";
    const table = B.chart.table(what, ["of", "how many", head, "as large or larger", "p"], rows, { class: "means" });
    table.dataset.control = JSON.stringify(found);
    return [table, B.make("p", { class: "faint" }, words)];
  }

  function list(shared, k, scale) {
    const site = shared.sites[k], ids = shared.selected[k], texts = B.column(site, shared.of, "description");
    const shown = ids.slice(0, ROWS), shows = texts && scale.column.name !== "description";
    const link = id => B.make("a", { href: B.link({ site: site.key, page: shared.of, id, beside: null }) }, `${shared.of} ${id}`);
    const rows = shown.map(id => [link(id), scale.say(scale.column.values[id]), ...(shows ? [texts.values[id] || "–"] : [])]);
    const rest = ids.length - shown.length;
    return [B.chart.table(`selected ${shared.of}s`, [shared.of, scale.column.title, ...(shows ? ["description"] : [])], rows, { class: "selected" }),
      B.make("p", {}, rest > 0 ? `${rest} more. ` : "", B.make("a", { href: B.link({ site: site.key, page: "table", id: null, of: shared.of, selected: ids.join(","), beside: null }) }, "All of them in the table"))];
  }

  // The panel of site k; filled anew whenever the selection or the colours change.
  B.chosen = (shared, k, scale) => {
    const ids = shared.selected[k], n = ids.length;
    const head = B.make("h3", {}, n ? `${n} ${shared.of}${n > 1 ? "s" : ""} selected` : "Nothing selected");
    if (!n) {
      return B.make("div", { class: "chosen" }, head, B.make("p", { class: "faint" }, "Draw around some with the lasso, hold Shift with the arrow keys, or press Space."));
    }
    return B.make("div", { class: "chosen" }, head, scale ? [means(shared.places[k], ids, scale), list(shared, k, scale)] : null);
  };

  const BINS = 24;
  // How a column is distributed, with the chosen ones as a part of each bar; null for categories.
  B.chosen.histogram = (scale, ids, width) => {
    if (!scale || scale.kind !== "number") return null;
    const values = scale.column.values.filter(B.colors.isNumber);
    if (!values.length) return null;
    const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
    const span = high - low || Math.abs(high) || 1, edges = Array.from({ length: BINS + 1 }, (_, i) => low + span * i / BINS);
    const binned = given => {
      const counts = new Array(BINS).fill(0);
      for (const one of given) if (B.colors.isNumber(one)) counts[Math.min(BINS - 1, Math.floor((one - low) / span * BINS))]++;
      return counts;
    };
    const counts = binned(values);
    return B.chart.bars({ edges, counts, part: ids.length ? binned(ids.map(i => scale.column.values[i])) : null, width, title: scale.column.title,
      colours: counts.map((_, i) => scale.color((edges[i] + edges[i + 1]) / 2)), label: `Histogram of ${scale.column.title}: ${values.length} values from ${B.number(low)} to ${B.number(high)}` });
  };
})();
