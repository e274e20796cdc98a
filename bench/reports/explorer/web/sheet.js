"use strict";
// The first page: all units and features where they lie, in the colours of any column.
(() => {
  const GROUPS = ["place", "activity", "probes", "brain", "description", "twins", "effects", "topics", "importance", "vocabulary"];
  const FIRST = ["probes", "brain", "description", "activity"];
  const ROWS = 200;

  const ofState = (state, site) => (state.of === "feature" && site.n.feature ? "feature" : site.n.unit ? "unit" : "feature");

  // Columns of all sites shown, each name once, in groups.
  function menu(sites, of) {
    const names = new Map();
    for (const site of sites) for (const one of site.columns[of]) if (!names.has(one.name)) names.set(one.name, one);
    const groups = new Map(GROUPS.map(one => [one, []]));
    for (const one of names.values()) {
      const group = one.group || "other";
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(one);
    }
    return new Map([...groups].filter(([, columns]) => columns.length));
  }
  function chosenColumn(groups, wanted) {
    const all = [...groups.values()].flat();
    const first = FIRST.map(one => (groups.get(one) || []).find(column => column.kind !== "text" && !/not shown:/.test(column.sentence || ""))).find(Boolean);
    return all.find(one => one.name === wanted) || first || all[0] || null;
  }

  // The part of the sheet that is seen, in the address: zoom, and the middle in shares of both sides.
  function windowOf(text) {
    const [zoom, u, v] = String(text ?? "").split("_").map(Number);
    return zoom >= 1 && zoom <= 20 && u >= 0 && u <= 1 && v >= 0 && v <= 1 ? { zoom, u, v } : null;
  }
  const wrote = ({ zoom, u, v }) => [zoom, u, v].map(one => Number(one.toFixed(3))).join("_");
  const written = (now, first) => (wrote(now) === wrote(first) ? null : wrote(now));

  // What is said of one: on its card, and aloud.
  const card = (shared, scales) => (k, id) => {
    const site = shared.sites[k], place = shared.places[k], scale = scales()[k], texts = B.column(site, shared.of, "description");
    const where = place.onSheet ? `x ${B.number(place.x[id])}, y ${B.number(place.y[id])}${place.unit && place.unit !== "cell" ? ` ${place.unit}` : ""}` : null;
    return B.make("div", {}, B.make("strong", {}, `${shared.of} ${id}`), shared.selected[k].includes(id) ? " (selected)" : "",
      scale ? B.make("div", {}, `${scale.column.title}: ${scale.say(scale.column.values[id])}`) : null,
      texts && texts.values[id] ? B.make("div", {}, texts.values[id]) : null, where ? B.make("div", { class: "faint" }, where) : null);
  };

  // Rows that say what the canvas shows, some at a time.
  function standIn(shared, k, scale) {
    const place = shared.places[k], site = shared.sites[k], chosen = () => new Set(shared.selected[k]);
    return B.chart.later(`The same as a table: ${place.n} ${shared.of}s`, () => {
      const body = B.make("tbody"), more = B.make("button", { type: "button" }, "More rows"), value = scale();
      let shown = 0;
      const add = () => {
        const taken = chosen();
        for (const last = Math.min(place.n, shown + ROWS); shown < last; shown++) {
          body.append(B.make("tr", {}, B.make("th", { scope: "row" }, B.make("a", { href: B.link({ site: site.key, page: shared.of, id: shown, beside: null }) }, `${shared.of} ${shown}`)),
            B.make("td", { class: "number" }, B.number(place.x[shown])), B.make("td", { class: "number" }, B.number(place.y[shown])),
            B.make("td", {}, value ? value.say(value.column.values[shown]) : "–"), B.make("td", {}, taken.has(shown) ? "yes" : "")));
        }
        more.hidden = shown >= place.n;
      };
      more.addEventListener("click", add);
      add();
      const heads = [shared.of, place.onSheet ? "x" : "column", place.onSheet ? "y" : "row", value ? value.column.title : "value", "selected"];
      return B.make("div", {}, B.make("div", { class: "scroll fit", tabindex: 0, role: "region", "aria-label": `what the canvas of ${site.title} shows` },
        B.make("table", { class: "stand-in" }, B.make("thead", {}, B.make("tr", {}, heads.map(one => B.make("th", { scope: "col" }, one)))), body)), more);
    });
  }

  function remarks(shared) {
    const said = shared.places.flatMap((place, k) => {
      const site = shared.sites[k], absent = Array.from({ length: place.n }, (_, i) => i).filter(i => !place.placed(i)).length, whose = shared.sites.length > 1 ? `${shared.sites[k].title}: ` : "";
      return [place.onSheet ? null : `${whose}no sheet: ${shared.of}s are laid out by number, so that neighbours mean nothing.`,
        absent ? `${whose}${absent} ${shared.of}s have no place and are not drawn; they stand in the table.` : null,
        place.onSheet && !whose ? `${site.sheet.said ? `${site.sheet.said.replace(/, native$/, ", where the network itself has them")}${place.periodic ? "; " : "."}` : ""}${place.periodic ? "the sheet goes on at its other edge." : ""}` : null];
    });
    if (shared.window.zoom > 1) said.push(`shown closer: most ${shared.of}s write into units all over the sheet, so that the centers of their mass lie near its middle.`);
    return [...said, B.sides.sentence(shared)].filter(Boolean).map(one => (shared.sites.length > 1 ? one : one[0].toUpperCase() + one.slice(1)));
  }

  function radios(name, legend, options, current, change) {
    return B.make("fieldset", { class: "choice" }, B.make("legend", {}, legend), options.map(([value, text]) =>
      B.make("label", {}, B.make("input", { type: "radio", name, value, checked: value === current, onchange: () => change(value) }), ` ${text}`)));
  }

  function colourMenu(groups, current, change) {
    const select = B.make("select", { id: "colour", onchange: () => change(select.value) }, [...groups].map(([group, columns]) =>
      B.make("optgroup", { label: group }, columns.map(one => B.make("option", { value: one.name, selected: one === current }, one.title)))));
    return B.make("label", { class: "field" }, B.make("span", {}, "Color by "), select);
  }

  function draw(root, state, site, beside) {
    const of = ofState(state, site), shared = B.sides(site, beside, of), groups = menu(shared.sites, of);
    const other = of === "unit" ? "feature" : "unit", again = () => { root.replaceChildren(); draw(root, B.state, site, beside); };
    const change = (changes, focus) => { B.go(changes, { replace: true }); again(); const next = root.querySelector(focus); if (next) next.focus(); };
    let column = chosenColumn(groups, state.colour), scales = [], tool = matchMedia("(pointer: coarse)").matches ? "move" : "lasso";
    const live = B.make("p", { class: "live", role: "status", "aria-live": "polite" });
    const say = text => { live.textContent = text; };
    const boards = shared.sites.map((one, k) => B.board(shared, k, { say, tool: () => tool, card: card(shared, () => scales),
      open: (side, id) => B.go({ site: shared.sites[side].key, page: of, id, beside: null }) }));
    const closer = B.board.fitted(shared.places[0]);
    shared.window = { ...(windowOf(state.view) ?? closer) };
    shared.ownLimits = state.own === "1" && shared.sites.length > 1;
    let waits = 0;
    shared.listen(what => {
      if (what !== "window") return;
      clearTimeout(waits);
      waits = setTimeout(() => { if (root.isConnected) B.go({ view: written(shared.window, closer) }, { replace: true }); }, 200);
    });
    const legend = B.make("div"), graphs = boards.map(() => B.make("div")), chosen = boards.map(() => B.make("div")), tables = boards.map(() => B.make("div"));
    const width = B.chart.room(2, 470);

    function refill() {
      boards.forEach((_, k) => {
        graphs[k].replaceChildren(...[B.chosen.histogram(scales[k], shared.selected[k], width)].filter(Boolean));
        chosen[k].replaceChildren(B.chosen(shared, k, scales[k]));
      });
    }
    function recolour() {
      scales = column ? B.sides.scales(shared, column.name) : shared.sites.map(() => null);
      const empty = { kind: "number", has: () => false, say: () => "no value", pattern: () => 0, column: { title: "no such column here", values: [] } };
      const shown = shared.ownLimits ? scales.filter(Boolean) : [scales.find(Boolean)].filter(Boolean);
      legend.replaceChildren(...shown.map(one => one.legend()));
      boards.forEach((board, k) => board.use(scales[k] || empty)); // behind the legend, which may push them down
      tables.forEach((one, k) => one.replaceChildren(standIn(shared, k, () => scales[k])));
      refill();
    }
    shared.listen(what => { if (what === "selected") refill(); });

    const button = (text, label, act) => B.make("button", { type: "button", "aria-label": label, title: label, onclick: act }, text);
    const touch = () => { for (const one of boards) one.element.classList.toggle("lassoing", tool === "lasso"); };
    const tools = B.make("div", { class: "tools" },
      radios("tool", "Drag to", [["lasso", "select"], ["move", "move"]], tool, value => { tool = value; touch(); }),
      button("+", "zoom in (+, or Ctrl and the wheel)", () => boards[0].zoom(1.5)), button("−", "zoom out (−, or Ctrl and the wheel)", () => boards[0].zoom(1 / 1.5)), button("whole", "show the whole sheet", () => shared.look({ zoom: 1, u: 0.5, v: 0.5 })),
      closer.zoom > 1 ? button("closer", `show the middle, where most ${of}s lie`, () => shared.look(closer)) : null,
      button("clear", "select nothing", () => { shared.choose(0, []); say("nothing selected"); }), B.copyLink());
    const both = site.n[other] && (of === "unit" ? B.places(site, "feature") : B.places(site, "unit")).onSheet && B.places(site, of).onSheet;
    const controls = B.make("div", { class: "choices" },
      site.n[other] ? radios("of", "Show", [["unit", `units (${site.n.unit})`], ["feature", `features (${site.n.feature})`]], of, value => change({ of: value, selected: null }, `input[name=of][value=${value}]`)) : null,
      both ? B.make("label", { class: "choice" }, B.make("input", { type: "checkbox", id: "both", checked: state.show === "both", onchange: event => { B.go({ show: event.target.checked ? "both" : null }, { replace: true }); for (const one of boards) one.draw(); } }), ` and ${other}s, plain`) : null,
      colourMenu(groups, column, name => { column = chosenColumn(groups, name); B.go({ colour: name, of }, { replace: true }); recolour(); }),
      shared.sites.length > 1 ? B.make("label", { class: "choice" }, B.make("input", { type: "checkbox", id: "own", checked: shared.ownLimits, onchange: event => { shared.ownLimits = event.target.checked; B.go({ own: shared.ownLimits ? "1" : null }, { replace: true }); recolour(); } }), " each with limits of its own") : null,
      tools);

    const many = shared.sites.length > 1;
    const panel = k => [B.make("div", { class: "panel" }, many ? null : legend, graphs[k], chosen[k])];
    root.append(B.make("h1", {}, site.sheet ? "The sheet" : "Units and features by number"), controls, many ? legend : "",
      B.make("div", { class: "remarks" }, remarks(shared).map(one => B.make("p", { class: "faint" }, one))), live,
      B.sides.columns(site, beside, (_, k) => B.make("div", { class: many ? "narrow" : "wide" }, B.make("div", {}, boards[k].element, many ? null : tables[k]), panel(k), many ? tables[k] : null)));
    root.dataset.of = of;
    touch();
    recolour();
    B.colors.onTheme(live, recolour);
  }

  B.pages.sheet = { title: "Sheet", draw: async (main, state, site, beside) => {
    const root = B.make("div", { class: "sheet" });
    main.append(root);
    draw(root, state, site, beside);
  } };
  B.sheet = { map: B.board.map, keys: [["arrows", "move on the sheet"], ["Enter", "open what is ringed"], ["Space", "select it"], ["Shift + arrows", "select a rectangle"], ["Escape", "select nothing"], ["+ − 0", "zoom in, out, whole; also Ctrl and the wheel"]] };
})();
