"use strict";
// What is chosen on a sheet: who they are, and their mean beside all, beside the same shape elsewhere, beside random ones.
(() => {
  const ROWS = 50, PREFERRED = 3;

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

  // The properties that the chosen ones answer to most beyond all others, each beside the same shape elsewhere; and the commonest that they prefer.
  function prefers(shared, k, ids) {
    const site = shared.sites[k], place = shared.places[k], mean = (some, values) => { let sum = 0, n = 0; for (const i of some) if (B.colors.isNumber(values[i])) { sum += values[i]; n++; } return n ? sum / n : null; };
    const every = Array.from({ length: place.n }, (_, i) => i), columns = site.columns[shared.of].filter(one => one.kind === "number" && one.name.startsWith("t."));
    const beyond = ({ values }) => {
      const all = mean(every, values), sd = Math.sqrt(mean(every, values.map(one => (B.colors.isNumber(one) ? (one - all) ** 2 : null))) || 0), own = mean(ids, values);
      return sd > 0 && own !== null ? (own - all) / sd : -Infinity;
    };
    if (!columns.length) return null;
    const ranked = columns.map(column => ({ column, z: beyond(column) })).filter(one => Number.isFinite(one.z)).sort((a, b) => b.z - a.z).slice(0, PREFERRED);
    const rows = ranked.map(({ column }) => {
      const found = B.places.control(place, ids, column.values), control = found.places.n >= 19 ? found.places : found.draws;
      return [B.make("a", { href: B.link({ colour: column.name }) }, column.title), found.mean, found.all, control.mean, share(control)[1]];
    });
    const category = B.column(site, shared.of, "preferred.property") ?? B.column(site, shared.of, "preferred"), counts = new Map();
    if (category?.kind === "category") for (const id of ids) if (category.values[id] >= 0) counts.set(category.values[id], (counts.get(category.values[id]) || 0) + 1);
    const [most, n] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
    return [B.chart.table(`what they answer to: of ${columns.length} properties the ${rows.length} furthest above all ${shared.of}s`, ["property", "their mean", `all ${shared.of}s`, "elsewhere", "p"], rows, { class: "prefers" }),
      B.make("p", { class: "faint" }, n ? `${category.title}, the commonest: ${category.categories[most]}, ${n} of ${ids.length} (${category.values.filter(one => one === most).length} of all ${place.n}). ` : "",
        `Elsewhere: ${place.onSheet ? "the same shape at other places, or random ones where there are few" : "random ones"}; p is of one property, and these are the best of ${columns.length}.`)];
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
    return B.make("div", { class: "chosen" }, head, scale ? [means(shared.places[k], ids, scale), prefers(shared, k, ids), list(shared, k, scale)] : null);
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
