"use strict";
// All units or features as a table: columns to choose, ranges and categories, sorting, text search, the selection of the
// sheet as a filter, and a file of what is left. All of it stands in the address.
(() => {
  const { make, number } = B;
  const ROW = 30, SPARE = 8, FEW = 9;
  const WIDTH = { number: 112, category: 140, text: 400, id: 124 };

  // density:0.01..0.2;preferred:=3;description:~word
  function parse(text) {
    const found = new Map();
    for (const one of (text ?? "").split(";").filter(Boolean)) {
      const at = one.indexOf(":"), name = one.slice(0, at), rest = one.slice(at + 1);
      if (rest.startsWith("=")) found.set(name, { is: Number(rest.slice(1)) });
      else if (rest.startsWith("~")) found.set(name, { has: decodeURIComponent(rest.slice(1)) });
      else { const [low, high] = rest.split(".."); found.set(name, { low: low === "" ? null : Number(low), high: high === "" || high === undefined ? null : Number(high) }); }
    }
    return found;
  }
  const wrote = found => [...found].map(([name, { is, has, low, high }]) =>
    is !== undefined ? `${name}:=${is}` : has !== undefined ? `${name}:~${encodeURIComponent(has)}` : `${name}:${low ?? ""}..${high ?? ""}`).join(";") || null;

  function fits(value, { is, has, low, high }) {
    if (is !== undefined) return value === is;
    if (has !== undefined) return String(value ?? "").toLowerCase().includes(has.toLowerCase());
    return value !== null && (low === null || value >= low) && (high === null || value <= high);
  }

  // The columns that are shown at first: the description, then one of each group in turn.
  function first(columns) {
    const groups = new Map();
    for (const one of columns) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
    const chosen = columns.filter(one => one.name === "description");
    for (let turn = 0; chosen.length < FEW && turn < columns.length; turn += 1) {
      for (const some of groups.values()) if (some[turn] && some[turn].kind !== "text" && !chosen.includes(some[turn]) && chosen.length < FEW) chosen.push(some[turn]);
    }
    return columns.filter(one => chosen.includes(one));
  }

  function order(ids, column, down) {
    if (!column) return down ? ids.toReversed() : ids;
    const value = column.values, sign = down ? -1 : 1, none = one => one === null || one === undefined || (column.kind === "category" && one < 0);
    const compare = column.kind === "text" ? (a, b) => String(a).localeCompare(String(b)) : (a, b) => a - b;
    return ids.toSorted((a, b) => none(value[a]) ? (none(value[b]) ? a - b : 1) : none(value[b]) ? -1 : sign * compare(value[a], value[b]) || a - b);
  }

  // Which rows are left, in which order: the same for two sites beside each other.
  async function rows(site, of, state) {
    let ids = [...Array(site.n[of]).keys()];
    if (state.q) { const kept = new Set(await B.matches(site, of, state.q)); ids = ids.filter(id => kept.has(id)); }
    if (state.selected) { const kept = new Set(state.selected.split(",").map(Number)); ids = ids.filter(id => kept.has(id)); }
    for (const [name, filter] of parse(state.where)) {
      const column = B.column(site, of, name);
      if (column) ids = ids.filter(id => fits(column.values[id], filter));
    }
    const down = state.sort?.startsWith("-"), name = state.sort?.replace(/^-/, "");
    return order(ids, B.column(site, of, name), down);
  }

  const shown = (column, value) => column.kind === "category" ? column.categories[value] ?? "–" : column.kind === "text" ? B.context.inLine(value ?? "–") : number(value);

  // Commas, quotes and ends of lines in quotes; a text that a spreadsheet would take for a formula, as text.
  function field(value) {
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }
  function csv(site, of, ids, columns) {
    const line = cells => `${cells.map(field).join(",")}\r\n`;
    const value = (column, id) => column.kind === "category" ? column.categories[column.values[id]] ?? "" : column.values[id];
    return line([of, ...columns.map(one => one.name)]) + ids.map(id => line([id, ...columns.map(one => value(one, id))])).join("");
  }
  function save(name, text) {
    const href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    const link = make("a", { href, download: name, hidden: true });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  }

  // A table of which only the rows in sight exist.
  function grid(site, of, ids, columns, state, sorted) {
    const head = (name, title, kind, sentence) => {
      const mine = state.sort?.replace(/^-/, "") === name, down = state.sort?.startsWith("-");
      const next = !mine ? (kind === "number" ? `-${name}` : name) : down === (kind === "number") ? (down ? name : `-${name}`) : null;
      return make("th", { scope: "col", class: kind === "number" ? "number" : null, title: sentence || null, "aria-sort": mine ? (down ? "descending" : "ascending") : null },
        make("button", { type: "button", id: `sort-${site.key}-${name || "number"}`, onclick: () => sorted(next) }, B.breaking(title)));
    };
    const width = [WIDTH.id, ...columns.map(one => WIDTH[one.kind])];
    const body = make("tbody");
    const table = make(
      "table", { "aria-rowcount": ids.length + 1, style: { width: `${width.reduce((sum, one) => sum + one, 0)}px` } }, make("caption", { class: "unseen" }, `${of}s of ${site.title}`),
      make("colgroup", {}, width.map(one => make("col", { style: { width: `${one}px` } }))),
      make("thead", {}, make("tr", { "aria-rowindex": 1 }, head("", of, "id"), columns.map(one => head(one.name, one.title, one.kind, one.sentence)))), body,
    );
    const box = make("div", { class: "grid", tabindex: 0, role: "region", "aria-label": `${of}s of ${site.title}` }, table);
    const gap = height => make("tr", { class: "gap", "aria-hidden": "true" }, make("td", { colspan: width.length, style: { height: `${height}px` } }));
    const row = at => make(
      "tr", { "aria-rowindex": at + 2, "data-id": ids[at] }, make("th", { scope: "row" }, B.link_to(site, of, ids[at])),
      columns.map(one => { const text = shown(one, one.values[ids[at]]); return make("td", { class: one.kind === "number" ? "number" : null, title: one.kind === "text" ? text : null }, text); }),
    );
    let drawn = null;
    function draw() {
      const from = Math.max(0, Math.floor(box.scrollTop / ROW) - SPARE), to = Math.min(ids.length, from + Math.ceil((box.clientHeight || 700) / ROW) + 2 * SPARE);
      if (drawn && drawn[0] === from && drawn[1] === to) return;
      drawn = [from, to];
      const focused = document.activeElement?.closest?.("tr")?.dataset.id, held = body.contains(document.activeElement);
      body.replaceChildren(gap(from * ROW), ...ids.slice(from, to).map((_, i) => row(from + i)), gap((ids.length - to) * ROW));
      if (held) (body.querySelector(`[data-id="${focused}"] a`) ?? box).focus({ preventScroll: true });
    }
    box.addEventListener("scroll", draw, { passive: true });
    new ResizeObserver(draw).observe(box);
    box.addEventListener("keydown", event => {
      const by = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }[event.key], here = event.target.closest("tr[data-id]");
      if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
      if (!here && event.key.startsWith("Arrow")) return;
      event.preventDefault();
      const at = here ? ids.indexOf(Number(here.dataset.id)) + by : Math.ceil(box.scrollTop / ROW);
      if (at < 0 || at >= ids.length) return;
      const top = at * ROW;
      if (top < box.scrollTop) box.scrollTop = top;
      if (top + 3 * ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + 3 * ROW - box.clientHeight;
      draw();
      body.querySelector(`[data-id="${ids[at]}"] a`)?.focus({ preventScroll: true });
    });
    return { box, draw };
  }

  function choose(sites, of, columns, visible, where, change) {
    const filterOf = column => {
      const now = where.get(column.name) ?? {};
      const set = filter => { if (filter === null) where.delete(column.name); else where.set(column.name, filter); change({ where: wrote(where) }); };
      const called = what => ({ "aria-label": `${column.title}: ${what}`, id: `filter-${what}-${column.name}` });
      if (column.kind === "category") {
        return make("select", { ...called("is"), onchange: event => set(event.target.value === "" ? null : { is: Number(event.target.value) }) },
          make("option", { value: "" }, "any"), column.categories.map((name, i) => make("option", { value: i, selected: now.is === i }, name)));
      }
      if (column.kind === "text") return make("input", { type: "text", ...called("contains"), placeholder: "contains", value: now.has, onchange: event => set(event.target.value ? { has: event.target.value } : null) });
      const bound = (end, word) => make("input", { type: "number", step: "any", ...called(word), placeholder: word, value: now[end], onchange: event => {
        const one = { low: null, high: null, ...now, [end]: event.target.value === "" ? null : Number(event.target.value) };
        set(one.low === null && one.high === null ? null : one);
      } });
      return [bound("low", "from"), " ", bound("high", "to")];
    };
    const box = column => make("input", { type: "checkbox", id: `column-${column.name}`, checked: visible.includes(column), onchange: event => {
      const names = new Set(visible.map(one => one.name));
      if (event.target.checked) names.add(column.name); else names.delete(column.name);
      change({ cols: columns.filter(one => names.has(one.name)).map(one => one.name).join(",") || "none" });
    } });
    return make("div", {},
      make("p", { class: "tools" }, make("button", { type: "button", id: "columns-all", onclick: () => change({ cols: columns.map(one => one.name).join(",") }) }, "All columns"), make("button", { type: "button", id: "columns-few", onclick: () => change({ cols: null }) }, "Those shown at first")),
      make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Columns and filters" }, make("table", {}, make("tbody", {}, columns.map(column =>
        make("tr", {}, make("td", {}, make("label", { title: column.sentence || null }, box(column), column.title)), make("td", { class: "faint small" }, column.group), make("td", {}, filterOf(column))))))));
  }

  B.pages.table = {
    title: "Table",
    draw: async (main, given, site, beside) => {
      const of = ["unit", "feature"].includes(given.of) && site.n[given.of] ? given.of : site.n.feature ? "feature" : "unit";
      const sides = [site, beside].filter(one => one?.n[of]);
      const columns = [...new Map(sides.flatMap(one => one.columns[of]).map(one => [one.name, one])).values()].sort((a, b) => (b.name === "description") - (a.name === "description"));
      const open = { columns: Boolean(given.where || given.cols) };
      const change = async changes => {
        B.go({ ...changes }, { replace: true });
        const held = document.activeElement?.id;
        await draw();
        if (held && document.activeElement?.id !== held) document.getElementById(held)?.focus({ preventScroll: true });
      };
      const place = make("div"), q = make("input", { id: "table-q", type: "search", value: given.q, placeholder: "Words of descriptions and tokens", "aria-label": `Search these ${of}s`, oninput: () => change({ q: q.value }) });
      const kinds = ["feature", "unit"].filter(one => site.n[one]).map(one => make("a", { class: "button", href: B.open({ page: "table", of: one, selected: null }), "aria-current": one === of ? "true" : null }, one === "unit" ? "Units" : "Features"));
      main.append(make("h1", {}, of === "unit" ? "All units" : "All features"));
      const bar = make("div", { class: "toolbar" }, kinds, q), choice = make("div"), notes = make("div", { class: "toolbar", role: "status" });
      main.append(bar, choice, notes, place);
      let turn = 0;

      async function draw() {
        const state = B.state, mine = ++turn, where = parse(state.where);
        const asked = new Set([...where.keys(), state.sort?.replace(/^-/, ""), ...(state.cols ?? "").split(",")]), few = state.cols ? [] : first(columns);
        const sorting = columns.find(one => one.name === state.sort?.replace(/^-/, "")), rankOf = one => one === sorting ? 0 : one.name === "description" ? 1 : 2;
        // what the rows are sorted by stands where it is seen
        const visible = columns.filter(one => asked.has(one.name) || few.includes(one)).sort((a, b) => rankOf(a) - rankOf(b));
        const left = await Promise.all(sides.map(one => rows(one, of, state)));
        if (mine !== turn) return;
        const details = make("details", { class: "choose", open: open.columns, ontoggle: event => { open.columns = event.target.open; } },
          make("summary", {}, `Columns and filters (${visible.length} of ${columns.length} columns${where.size ? `, ${where.size} filtered` : ""})`), choose(sides, of, columns, visible, where, change));
        const panel = () => choice.querySelector(".scroll"), down = panel()?.scrollTop ?? 0;
        const along = [...place.querySelectorAll(".grid")].map(one => one.scrollLeft);
        choice.replaceChildren(details);
        panel().scrollTop = down;
        notes.replaceChildren(...[
          left.map((ids, i) => make("span", {}, `${ids.length} of ${sides[i].n[of]} ${of}s${sides.length > 1 ? ` of ${sides[i].title}` : ""}`)),
          state.selected && make("button", { type: "button", onclick: () => change({ selected: null }) }, `selected on the sheet: ${state.selected.split(",").length} ✕`),
          (state.where || state.q) && make("button", { type: "button", onclick: () => { q.value = ""; change({ where: null, q: null }); } }, "Clear filters"),
          sides.map((one, i) => make("button", { type: "button", id: `csv-${one.key}`, onclick: () => save(`${one.key}-${of}s.csv`, csv(one, of, left[i], visible.filter(column => B.column(one, of, column.name)).map(column => B.column(one, of, column.name)))) }, sides.length > 1 ? `Save CSV of ${one.title}` : "Save as CSV")),
          B.copyLink(),
          sorting?.sentence && make("p", { class: "small faint sorted" }, `Sorted by ${sorting.title}: ${sorting.sentence}. `, B.colors.beside(sorting)),
        ].flat().filter(Boolean));
        const grids = sides.map((one, i) => {
          const mineColumns = visible.map(column => B.column(one, of, column.name)).filter(Boolean);
          return grid(one, of, left[i], mineColumns, state, sort => change({ sort }));
        });
        place.className = sides.length > 1 ? "pair" : "";
        place.replaceChildren(...grids.map(({ box }, i) => make("div", { class: "side" }, sides.length > 1 && make("h2", {}, sides[i].title), box, left[i].length === 0 && B.say(`No ${of} is left: clear a filter.`))));
        grids.forEach((one, i) => { one.draw(); one.box.scrollLeft = along[i] ?? 0; });
      }
      await draw();
    },
  };
})();
