"use strict";
// How few units tell a property: F1 on other documents over the number of units, beside what needs no network at all.
(() => {
  const METHODS = [
    ["mean_difference", "largest mean difference", "dot", null, 0], ["adaptive", "adaptive thresholding", "square", null, 1], ["optimal", "optimal, with its gap", "diamond", null, 3],
    ["random", "units at random", null, "5 4", 4], ["rotated", "rotated basis", null, "2 3", 5],
  ];
  const LEAST = 0.4; // where the axis of F1 begins, unless something is lower

  const documentsOf = site => (site.facts.modality === "vision" ? "pictures" : "documents");
  const best = one => one.trivial.reduce((most, each) => (!most || each.f1 > most.f1 ? each : most), null);
  const top = points => (points || []).reduce((most, each) => (!most || each.f1 > most.f1 ? each : most), null);

  function why(one) {
    const trivial = best(one);
    return `${one.name} is not shown: no better than ${trivial ? `${trivial.name} (F1 ${B.number(trivial.f1)})` : "what needs no units"}.`;
  }

  function series(one, ks) {
    const look = B.colors.theme(), colours = B.colors.categories(look.dark), ends = [ks[0], ks[ks.length - 1]];
    const flat = (name, f1, colour, dash) => ({ name, points: ends.map(k => [k, f1]), colour, dash });
    return [
      ...METHODS.filter(([key]) => one[key] && one[key].length).map(([key, name, mark, dash, colour]) => ({ name, mark, dash, colour: colours[colour], points: one[key].map(each => [each.k, each.f1, B.colors.isNumber(each.gap) ? `gap ${B.number(each.gap)}` : null, each.interval]) })),
      ...one.trivial.map((each, i) => flat(`${each.name} alone`, each.f1, look.faint, ["8 3", "1 3", "8 3 2 3", "12 4", "3 6"][i % 5])),
      ...(B.colors.isNumber(one.table_f1) ? [flat("a table of tokens", one.table_f1, look.faint, "2 6")] : []),
      ...(B.colors.isNumber(one.all_units) ? [flat("all units", one.all_units, look.ink, null)] : []),
    ];
  }

  // The limits of both axes, shared by the sites that are shown.
  function limits(shown) {
    const ks = [...new Set(shown.flatMap(one => METHODS.flatMap(([key]) => (one[key] || []).map(each => each.k))))].sort((a, b) => a - b);
    const all = shown.flatMap(one => [...METHODS.flatMap(([key]) => (one[key] || []).map(each => each.f1)), ...one.trivial.map(each => each.f1), ...(one.mean_difference || []).flatMap(each => each.interval || [])]);
    return { ks: ks.length ? ks : [1, 2], low: Math.min(LEAST, ...all.map(f1 => Math.floor(f1 * 10) / 10)) };
  }

  const unitLinks = (site, of, units) => (units || []).slice(0, 16).flatMap((id, i) => [i ? ", " : "", B.make("a", { href: B.open({ site: site.key, page: of, id, beside: null }) }, String(id))])
    .concat(units && units.length > 16 ? [` and ${units.length - 16} more`] : []);

  const gapInWords = (each, of) => (each.gap <= 0.001 ? `No other ${each.k === 1 ? of : `${each.k} ${of}s`} of those searched can be better (gap ${B.number(each.gap)}).`
    : `Within ${B.percent ? B.percent(each.gap) : B.number(each.gap)} of the best that is possible; the search ended before it was certain.`);

  function certificate(one, site, of) {
    if (!one.optimal || !one.optimal.length) return B.make("p", { class: "faint" }, "No exact search was made for this property, so that better units may exist.");
    return [B.make("h3", {}, "Certificate"),
      B.make("p", { class: "faint" }, `Optimal for the ${of}s that a first sieve left, and for the regularized loss; the gap is what a better set could still gain of it.`),
      B.chart.table(`certificate of ${one.name}`, ["k", "F1", "gap", "in words", `${of}s`], one.optimal.map(each => [each.k, each.f1, each.gap, gapInWords(each, of), B.make("span", {}, unitLinks(site, of, each.units))]), { class: "certificate" })];
  }

  function numbers(one, site, of, ks) {
    const used = METHODS.filter(([key]) => one[key] && one[key].length);
    const at = (key, k) => (one[key].find(each => each.k === k) || {}).f1 ?? null;
    return B.chart.table(`F1 of ${one.name}`, ["k", ...used.map(([, name]) => name), `${of}s of largest mean difference`],
      ks.map(k => [k, ...used.map(([key]) => at(key, k)), B.make("span", {}, unitLinks(site, of, (one.mean_difference.find(each => each.k === k) || {}).units))]), { class: "f1" });
  }

  function toSheet(one, site, of) {
    const column = B.column(site, of, `t.${one.name}`) || B.column(site, of, one.name), few = top(one.optimal) || top((one.mean_difference || []).filter(each => each.k <= 16));
    return B.make("p", {}, B.make("a", { href: B.open({ site: site.key, page: "sheet", of, colour: column ? column.name : null, selected: few && few.units ? few.units.join(",") : null }) },
      column ? `${of}s on the sheet in the colors of t` : `these ${of}s on the sheet`));
  }

  function one(found, site, of, shared) {
    const made = series(found, shared.ks), width = B.chart.room(shared.columns, 620, 284);
    const chart = B.chart.lines(made, { width, height: 300, x: { low: shared.ks[0], high: shared.ks[shared.ks.length - 1], log: true, title: `k ${of}s`, ticks: shared.ks.map(k => [k, String(k)]) },
      y: { low: shared.low, high: 1, title: `F1 on other ${documentsOf(site)}` }, label: `F1 of ${found.name} over the number of ${of}s, ${made.length} lines` });
    const documents = Array.isArray(found.n_documents) ? ` of ${found.n_documents.join(" and ")} ${documentsOf(site)}` : "";
    const sentence = text => `${String(text).replace(/\.$/, "")}.`;
    return [B.make("p", {}, `${sentence(found.sentence)} Trained on ${found.n_train} rows, tested on ${found.n_test}${documents}.${found.confound ? ` What could tell it as well: ${sentence(found.confound)}` : ""}`),
      B.make("figure", { class: "probe" }, chart, B.chart.key(made)), toSheet(found, site, of), certificate(found, site, of),
      B.chart.later("F1 as a table", () => numbers(found, site, of, shared.ks))];
  }

  function list(whole, current) {
    const shown = whole.properties.filter(each => each.shown), hidden = whole.properties.filter(each => !each.shown), skipped = Object.entries(whole.skipped || {});
    return B.make("nav", { class: "properties", "aria-label": "properties" }, B.make("h2", {}, "Properties"),
      B.make("ul", {}, shown.map(each => B.make("li", {}, B.make("a", { href: B.link({ property: each.name }), "aria-current": each === current ? "true" : null }, B.breaking(each.name)),
        B.make("span", { class: "faint" }, ` ${B.number((each.mean_difference[0] || {}).f1)} by one, ${B.number(each.all_units)} by all`), each.optimal?.length ? B.make("span", { class: "badge", title: "the exact search has a certificate" }, "certificate") : null))),
      hidden.length ? B.chart.later(`Not shown: ${hidden.length}`, () => B.make("ul", { class: "hidden-ones" }, hidden.map(each => B.make("li", {}, why(each))))) : null,
      skipped.length ? B.chart.later(`Skipped: ${skipped.length}`, () => B.make("ul", {}, skipped.map(([name, reason]) => B.make("li", {}, `${name}: ${reason}`)))) : null);
  }

  async function draw(main, state, site, beside) {
    const sites = [site, ...(beside ? [beside] : [])];
    const wholes = await Promise.all(sites.map(each => (each.sections.whole.includes("probes") ? B.get(`${each.key}/probes`) : null)));
    const shown = wholes[0].properties.filter(each => each.shown), current = wholes[0].properties.find(each => each.name === state.property) || shown[0];
    const same = wholes.map(whole => whole && current && whole.properties.find(each => each.name === current.name));
    const drawn = same.filter(each => each && each.shown), shared = { ...limits(drawn), columns: sites.length };
    const side = (each, k) => {
      if (!wholes[k]) return B.make("p", {}, "Nothing was probed here.");
      if (!same[k]) return B.make("p", {}, current ? `${current.name} was not probed here${(wholes[k].skipped || {})[current.name] ? `: ${wholes[k].skipped[current.name]}` : ""}.` : "No property.");
      return same[k].shown ? one(same[k], each, wholes[k].of || "unit", shared) : B.make("p", { class: "not-shown" }, why(same[k]));
    };
    const of = wholes[0].of || "unit";
    main.append(B.make("h1", {}, "Probes"), B.make("p", { class: "intro" }, `How few ${of}s tell a property, on ${documentsOf(site)} that they were not chosen on. A property that length, frequency or luminance tell as well is not shown.`),
      B.make("div", { class: "with-list" }, list(wholes[0], current), B.make("div", {}, current ? B.make("h2", {}, current.name) : B.make("p", {}, "No property is told better by units than by what needs none."), B.sides.columns(site, beside, side))));
  }

  B.pages.probes = { title: "Probes", draw };
})();
