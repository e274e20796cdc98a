"use strict";
// What silencing does: every feature where it fires, beside another's step and elsewhere; lesions held against drawn units.
(() => {
  const WHERE = ["where it fires", "elsewhere", "specific"];
  const DONE = [["lesion", "its units silenced"], ["edit", "the feature taken out"], ["steer", "the feature pushed"]];
  const PARTS = 8; // read at a time
  const HOW = { other: "another silenced at the same tokens", elsewhere: "elsewhere" };

  // The loss where each fires beside what it is held against; "elsewhere" stands in every entry alone, the other in columns.
  async function pairs(site, of, how, progress) {
    const fires = B.column(site, of, "effect"), beyond = B.column(site, of, "effect.beyond"), elsewhere = B.column(site, of, "effect.elsewhere");
    const number = B.colors.isNumber;
    if (how === "other" && fires && beyond) return fires.values.map((y, id) => ({ id, y, x: number(y) && number(beyond.values[id]) ? y - beyond.values[id] : null }));
    if (how === "elsewhere" && fires && elsewhere) return fires.values.map((y, id) => ({ id, y, x: elsewhere.values[id] }));
    const found = [], parts = Math.ceil(site.n[of] / B.index.per_shard), name = how === "other" ? "other_fires" : "elsewhere";
    for (let start = 0; start < parts; start += PARTS) {
      const names = Array.from({ length: Math.min(PARTS, parts - start) }, (_, i) => `${site.key}/${of}/${start + i}`);
      for (const part of await Promise.all(names.map(B.get))) for (const { effects: one } of part) found.push({ id: found.length, y: one ? one.fires : null, x: one ? one[name] ?? null : null });
      progress(found.length);
    }
    return found;
  }
  const inColumns = (site, of, how) => Boolean(B.column(site, of, how === "other" ? "effect.beyond" : "effect.elsewhere"));

  // Both ends, 0 among them.
  function range(values) {
    let low = 0, high = 0;
    for (const one of values) if (B.colors.isNumber(one)) { low = Math.min(low, one); high = Math.max(high, one); }
    return [low, high > low ? high : low + 1];
  }
  const link = (site, of, id) => B.make("a", { href: B.open({ site: site.key, page: of, id, beside: null }) }, `${of} ${id}`);

  // A point each, on the same axes for both sites; a dashed line where nothing is beyond the control.
  function scatter(site, of, points, limits, how, columns) {
    const width = B.chart.room(columns, 560), [low, high] = limits, axis = title => ({ low, high, title });
    const { element, X, Y } = B.chart.axes({ x: axis(`${HOW[how]} (nats)`), y: axis("where it fires (nats)"), width, height: Math.round(Math.min(460, width * 0.8)), label: `Change of loss where ${points.length} ${of}s fire, over ${HOW[how]}` });
    element.append(B.chart.svg("line", { x1: X(low), y1: Y(low), x2: X(high), y2: Y(high), class: "base-line", "stroke-dasharray": "5 4" }));
    const many = points.length > 500;
    const group = B.chart.svg("g", { class: "points", fill: B.colors.categories(B.colors.theme().dark)[0], "fill-opacity": many ? 0.5 : 0.8 },
      points.map(one => B.chart.svg("circle", { cx: X(one.x).toFixed(1), cy: Y(one.y).toFixed(1), r: many ? 2.5 : 3.5, "data-id": one.id })));
    element.append(group);
    const byId = new Map(points.map(one => [String(one.id), one])), named = B.make("p", { class: "faint" }, `Point at one for its number, click for its page. Above the dashed line silence costs more than ${HOW[how]}.`);
    group.addEventListener("pointerover", event => {
      const one = byId.get(event.target.dataset?.id);
      if (one) named.textContent = `${of} ${one.id}: ${B.number(one.y)} where it fires, ${B.number(one.x)} ${HOW[how]}`;
    });
    group.addEventListener("click", event => { const one = byId.get(event.target.dataset?.id); if (one) B.go({ site: site.key, page: of, id: one.id, beside: null }); });
    return B.make("figure", { class: "scatter" }, element, named);
  }

  function most(site, of, points, how) {
    const sorted = [...points].sort((a, b) => (b.y - b.x) - (a.y - a.x)).slice(0, 50), texts = B.column(site, of, "description");
    return B.chart.later(`The ${sorted.length} furthest above the line, as a table`, () => B.chart.table("change of loss (nats)", [of, "where it fires", HOW[how], "difference", ...(texts ? ["description"] : [])],
      sorted.map(one => [link(site, of, one.id), one.y, one.x, one.y - one.x, ...(texts ? [texts.values[one.id] || "–"] : [])]), { class: "most" }));
  }

  function medians(site, whole) {
    const all = Object.entries(whole.medians || { [whole.of || "feature"]: whole.median || {} });
    const rows = all.map(([of, one]) => [`${of}s`, one.n ?? site.n[of], one.fires ?? null, one.elsewhere ?? null, one.other_fires ?? null, one.share_above_other ?? null]);
    const controls = (site.controls.effects || []).map(one => one.kind);
    return [B.chart.table("median change of loss (nats)", ["silenced", "how many", "where they fire", "elsewhere", "control, where they fire", "share above the control"], rows, { class: "median" }),
      controls.length ? B.make("p", { class: "faint" }, `The control: ${controls.join("; ")}.`) : null];
  }

  // One lesion: what was done, and how much more that did than drawn units, with intervals over windows.
  function lesion(site, one, columns) {
    const colours = B.colors.categories(B.colors.theme().dark), controls = Object.entries(one.controls || {}), number = B.colors.isNumber;
    const bar = (name, at, interval, colour) => ({ name, at, low: interval?.[0], high: interval?.[1], colour });
    const bars = [...DONE.filter(([key]) => one[key]?.interval).map(([key, name]) => bar(name, one[key].specific, one[key].interval, colours[0])),
      ...controls.filter(([, found]) => number(found.specific?.excess)).map(([kind, found]) => bar(`less ${kind}`, found.specific.excess, found.specific.interval, colours[3]))];
    const [low, high] = range(bars.flatMap(each => [each.at, each.low, each.high])), width = B.chart.room(columns, 620);
    const rows = controls.flatMap(([kind, found]) => WHERE.filter(where => found[where]).map(where => {
      const { n, mean, p, excess, interval } = found[where];
      return [kind, where, n, mean, p ?? null, excess ?? null, interval ? interval.map(B.number).join(" to ") : "–"];
    }));
    const sheet = B.make("a", { href: B.open({ site: site.key, page: "sheet", of: "unit", selected: Array.from(one.units).join(",") }) }, "on the sheet");
    return B.make("section", { class: "lesion", "data-feature": one.feature },
      B.make("h3", {}, link(site, "feature", one.feature), `: ${one.units.length} units that hold ${number(one.share) ? B.percent(one.share) : "half"} of its mass, `, sheet),
      B.chart.table("change of loss (nats)", ["what was done", ...WHERE], DONE.filter(([key]) => one[key]).map(([key, name]) => [name, ...WHERE.map(where => one[key][where] ?? null)])),
      bars.length ? B.make("figure", {}, B.chart.intervals(bars, { width, low, high: high + 0.02 * (high - low), title: "specific change (nats), 95 % over windows", label: `What the lesion of feature ${one.feature} changes, beside drawn units` })) : null,
      rows.length ? B.chart.table("drawn units", ["control", "measure", "draws", "their mean", "p", "excess of the lesion", "95 %"], rows, { class: "draws" }) : B.make("p", { class: "faint" }, "No control was drawn for it."));
  }

  function points(sites, of, places) {
    let how = Object.hasOwn(HOW, B.state.against ?? "") ? B.state.against : "other";
    const read = async () => {
      const turn = how, found = await Promise.all(sites.map((site, k) => (places[k] ? pairs(site, of, how, n => { places[k].replaceChildren(B.make("p", { role: "status" }, `${n} of ${site.n[of]} ${of}s read`)); }) : [])));
      if (turn !== how) return;
      const shown = found.map(each => each.filter(one => B.colors.isNumber(one.x) && B.colors.isNumber(one.y)));
      const limits = range(shown.flat().flatMap(one => [one.x, one.y]));
      sites.forEach((site, k) => places[k]?.replaceChildren(...(shown[k].length ? [scatter(site, of, shown[k], limits, how, sites.length), most(site, of, shown[k], how)] : [B.make("p", { class: "faint" }, `No ${of} was silenced by itself.`)])));
    };
    const select = B.make("select", { id: "against", onchange: () => { how = select.value; B.go({ against: how === "other" ? null : how }, { replace: true }); return read(); } }, Object.entries(HOW).map(([key, text]) =>
      B.make("option", { value: key, selected: key === how }, text + (sites.some(site => !inColumns(site, of, key)) && sites.some(site => site.n[of] > PARTS * B.index.per_shard) ? ` (reads all ${of}s)` : ""))));
    return { read, choice: B.make("label", { class: "field" }, B.make("span", {}, "Held against "), select) };
  }

  async function draw(main, state, site, beside) {
    const sites = [site, ...(beside ? [beside] : [])], wholes = await Promise.all(sites.map(one => (one.sections.whole.includes("effects") ? B.get(`${one.key}/effects`) : null)));
    const of = (wholes.find(Boolean) || {}).of || "feature", places = wholes.map(whole => (whole ? B.make("div", { class: sites.length > 1 ? "points-of" : "points-of halves" }) : null)), drawn = points(sites, of, places);
    const side = (one, k) => {
      if (!wholes[k]) return B.make("p", {}, "Nothing was silenced here.");
      const lesions = wholes[k].lesions || [];
      return [medians(one, wholes[k]), places[k], B.make("h2", {}, "Lesions of units"), lesions.length ? lesions.map(each => lesion(one, each, sites.length)) : B.make("p", { class: "faint" }, "No lesion was held against drawn units.")];
    };
    main.append(B.make("h1", {}, "Lesions"), B.make("p", { class: "intro" }, `What the loss does when a ${of}, or the units that hold half of its mass, are silenced: where it fires, and elsewhere. Only what is beyond the control is its own.`),
      B.make("div", { class: "choices" }, drawn.choice), B.sides.columns(site, beside, side));
    // many parts are read on request alone
    if (sites.every(one => inColumns(one, of, "other") || one.n[of] <= PARTS * B.index.per_shard)) await drawn.read();
    else places.forEach(place => place?.replaceChildren(B.make("button", { type: "button", class: "read", onclick: drawn.read }, `Draw every ${of} (reads all of their pages)`)));
  }

  B.pages.effects = { title: "Lesions", draw };
})();
