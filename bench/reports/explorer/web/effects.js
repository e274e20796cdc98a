"use strict";
// What silencing does: every feature where it fires and elsewhere, and lesions of units held against 200 drawn ones.
(() => {
  const WHERE = ["where it fires", "elsewhere", "specific"];
  const PARTS = 8; // read at a time

  // Loss where each feature fires and elsewhere, from columns where both are there, else from every feature's own entry.
  async function effects(site, progress) {
    const fires = B.column(site, "feature", "effect"), elsewhere = B.column(site, "feature", "effect.elsewhere");
    if (fires && elsewhere) return fires.values.map((value, id) => ({ id, fires: value, elsewhere: elsewhere.values[id] }));
    const found = [], parts = Math.ceil(site.n.feature / B.index.per_shard);
    for (let start = 0; start < parts; start += PARTS) {
      const names = Array.from({ length: Math.min(PARTS, parts - start) }, (_, i) => `${site.key}/feature/${start + i}`);
      for (const part of await Promise.all(names.map(B.get))) for (const entry of part) found.push({ id: found.length, fires: entry.effects ? entry.effects.fires : null, elsewhere: entry.effects ? entry.effects.elsewhere : null });
      progress(found.length);
    }
    return found;
  }
  const measured = all => all.filter(one => B.colors.isNumber(one.fires) && B.colors.isNumber(one.elsewhere));

  const range = values => { let low = 0, high = 0; for (const one of values) { low = Math.min(low, one); high = Math.max(high, one); } return [low, high > low ? high : low + 1]; };

  // A point a feature, on the same axes for both; a dashed line where both are equal.
  function scatter(site, points, limits, columns) {
    const width = B.chart.room(columns, 560), [low, high] = limits, axis = title => ({ low, high, title });
    const { element, X, Y } = B.chart.axes({ x: axis("elsewhere (nats)"), y: axis("where it fires (nats)"), width, height: Math.round(Math.min(460, width * 0.8)), label: `Change of loss where ${points.length} features fire, over that elsewhere` });
    element.append(B.chart.svg("line", { x1: X(low), y1: Y(low), x2: X(high), y2: Y(high), class: "rule", "stroke-dasharray": "5 4" }));
    const colour = B.colors.categories(B.colors.theme().dark)[0];
    const group = B.chart.svg("g", { class: "points", fill: colour, "fill-opacity": points.length > 500 ? 0.5 : 0.8 });
    for (const one of points) group.append(B.chart.svg("circle", { cx: X(one.elsewhere).toFixed(1), cy: Y(one.fires).toFixed(1), r: points.length > 500 ? 2.5 : 3.5, "data-id": one.id }));
    element.append(group);
    const named = B.make("p", { class: "faint" }, "Point at a feature for its number, click for its page.");
    const hit = event => (event.target.dataset && event.target.dataset.id !== undefined ? Number(event.target.dataset.id) : null);
    group.addEventListener("pointerover", event => { const id = hit(event); const one = points.find(each => each.id === id); if (one) named.textContent = `feature ${id}: ${B.number(one.fires)} where it fires, ${B.number(one.elsewhere)} elsewhere`; });
    group.addEventListener("click", event => { const id = hit(event); if (id !== null) location.hash = B.open({ site: site.key, page: "feature", id, beside: null }); });
    return B.make("figure", { class: "scatter" }, element, named);
  }

  function most(site, points) {
    const sorted = [...points].sort((a, b) => (b.fires - b.elsewhere) - (a.fires - a.elsewhere)), texts = B.column(site, "feature", "description");
    return B.chart.later(`The 50 of ${points.length} whose silence is most specific, as a table`, () => B.chart.table("change of loss (nats)", ["feature", "where it fires", "elsewhere", "difference", ...(texts ? ["description"] : [])],
      sorted.slice(0, 50).map(one => [B.make("a", { href: B.open({ site: site.key, page: "feature", id: one.id, beside: null }) }, `feature ${one.id}`), one.fires, one.elsewhere, one.fires - one.elsewhere, ...(texts ? [texts.values[one.id] || "–"] : [])]), { class: "most" }));
  }

  function median(site, whole) {
    const given = (whole && whole.median) || {}, rows = [["the median feature", given.fires ?? null, given.elsewhere ?? null], ["another feature, silenced there", given.other_fires ?? null, null]];
    const controls = (site.controls.effects || []).map(one => `${one.kind}: ${B.colors.controlText(one)}`);
    return [B.chart.table("change of loss (nats)", ["silenced", "where it fires", "elsewhere"], rows, { class: "median" }), controls.length ? B.make("p", { class: "faint" }, `Beside it: ${controls.join("; ")}.`) : null];
  }

  // One lesion: its effects, and each control's excess with its interval.
  function lesion(site, one, columns) {
    const colours = B.colors.categories(B.colors.theme().dark), bars = [];
    Object.entries(one.controls || {}).forEach(([kind, measures]) => {
      for (const [what, found] of Object.entries(measures)) {
        if (!B.colors.isNumber(found.excess)) continue;
        const [low, high] = found.interval || [];
        bars.push({ name: what === "specific" ? `less ${kind} units` : `${what}, less ${kind}`, at: found.excess, low, high, colour: colours[bars.length % 7], found, kind, what });
      }
    });
    const [low, high] = range(bars.flatMap(bar => [bar.at, bar.low ?? bar.at, bar.high ?? bar.at])), width = B.chart.room(columns, 560);
    const effect = (name, values) => (values ? [name, ...WHERE.map(where => values[where] ?? null)] : null);
    return B.make("section", { class: "lesion", "data-feature": one.feature }, B.make("h3", {}, B.make("a", { href: B.open({ site: site.key, page: "feature", id: one.feature, beside: null }) }, `Feature ${one.feature}`), `: ${one.units.length} units that hold half of its mass `,
      B.make("a", { href: B.open({ site: site.key, page: "sheet", of: "unit", selected: Array.from(one.units).join(",") }) }, "on the sheet")),
    B.chart.table("change of loss (nats)", ["what was done", ...WHERE], [effect("its units silenced", one.lesion), effect("the feature taken out", one.edit)].filter(Boolean)),
    bars.length ? B.make("figure", {}, B.chart.intervals(bars, { width, low, high: high + 0.02 * (high - low), title: "excess over drawn units (nats), 95 %", label: `Excess of feature ${one.feature} over controls` })) : null,
    bars.length ? B.chart.table("controls", ["control", "measure", "draws", "their mean", "excess", "95 %", "p"], bars.map(({ found, kind, what }) => [`${kind} units`, what, found.n, found.mean, found.excess, found.interval ? found.interval.map(B.number).join(" to ") : "–", found.p ?? null]), { class: "controls" }) : B.make("p", { class: "faint" }, "No controls were drawn for it."));
  }

  async function draw(main, state, site, beside) {
    const sites = [site, ...(beside ? [beside] : [])], wholes = await Promise.all(sites.map(one => (one.sections.whole.includes("effects") ? B.get(`${one.key}/effects`) : null)));
    const places = sites.map(() => B.make("div", { class: sites.length > 1 ? "features" : "features halves" })), direct = sites.every(one => B.column(one, "feature", "effect.elsewhere") || !B.column(one, "feature", "effect") || one.n.feature <= PARTS * B.index.per_shard);
    const side = (one, k) => {
      const lesions = (wholes[k] && wholes[k].lesions) || [];
      if (!wholes[k]) return B.make("p", {}, "Nothing was silenced here.");
      return [B.make("h2", {}, "Every feature silenced"), median(one, wholes[k]), places[k], B.make("h2", {}, "Lesions of units"),
        lesions.length ? lesions.map(each => lesion(one, each, sites.length)) : B.make("p", { class: "faint" }, "No lesion was held against drawn units.")];
    };
    main.append(B.make("h1", {}, "Lesions"), B.make("p", { class: "intro" }, "What the loss does when a feature, or the units that hold half of its mass, are silenced: where the feature fires, and elsewhere. Only the difference is its own."), B.sides.columns(site, beside, side));
    const read = async () => {
      const found = await Promise.all(sites.map(async (one, k) => (wholes[k] ? measured(await effects(one, n => { places[k].replaceChildren(B.make("p", { role: "status" }, `${n} of ${one.n.feature} features read`)); })) : [])));
      const limits = range(found.flat().flatMap(one => [one.fires, one.elsewhere]));
      sites.forEach((one, k) => places[k].replaceChildren(...(found[k].length ? [scatter(one, found[k], limits, sites.length), most(one, found[k])] : [B.make("p", { class: "faint" }, "No feature was silenced by itself.")])));
    };
    if (direct) await read();
    else places.forEach(place => place.replaceChildren(B.make("button", { type: "button", class: "read", onclick: read }, "Draw every feature (reads all of their pages)")));
  }

  B.pages.effects = { title: "Lesions", draw };
})();
