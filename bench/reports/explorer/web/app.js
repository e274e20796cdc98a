"use strict";
// The frame: which page is shown for an address, the header and its choices, keys, themes, and what went wrong.
(() => {
  const PAGES = ["sheet", "feature", "unit", "table", "probes", "lens", "topics", "effects", "about"];
  const NAMES = { sheet: "Sheet", feature: "Features", unit: "Units", table: "Table", probes: "Probes", lens: "Lens", topics: "Topics", effects: "Lesions", about: "About" };
  const OF = ["unit", "feature"];
  const KEYS = [
    ["/", "search descriptions, tokens and properties"], ["j  or  →", "next unit or feature"], ["k  or  ←", "the one before"], ["r", "one at random"],
    ["s", "the sheet"], ["t", "the table"], ["Esc", "leave the search, close this help"], ["?", "this help"],
  ];
  const named = page => Object.hasOwn(NAMES, page) ? NAMES[page] : page;
  const known = page => Object.hasOwn(B.pages, page);
  const byId = name => document.getElementById(name);
  const main = byId("main");
  let turn = 0, last = null;

  // What went wrong is shown, whoever raised it.
  function complain(error) {
    if (/^ResizeObserver loop/.test(error?.message ?? error)) return; // a size that is settled in the next frame: no error
    const box = byId("errors");
    box.hidden = false;
    box.append(B.make("div", {}, String(error?.message ?? error)));
  }
  self.addEventListener("error", event => complain(event.error ?? event.message));
  self.addEventListener("unhandledrejection", event => complain(event.reason));

  B.dark = () => {
    const theme = document.documentElement.dataset.theme;
    return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };

  function has(site, page) {
    if (!known(page)) return false;
    if (page === "unit" || page === "feature") return site.n[page] > 0;
    if (page === "sheet") return Boolean(site.sheet);
    return page === "table" || page === "about" || site.sections.whole.includes(page);
  }
  const firstPage = site => PAGES.find(page => has(site, page));

  // One sentence on what a site is, for whoever comes here first.
  function introduction(site) {
    const { n, facts } = site, shown = [];
    if (n.unit) shown.push(`${n.unit} units`);
    if (n.feature) shown.push(`${n.feature} sparse features`);
    const rows = facts.n_rows ? `, looked at on ${facts.n_rows.toLocaleString("en")} ${facts.modality === "vision" ? "places" : "tokens"}` : "";
    const documents = facts.n_documents ? ` of ${facts.n_documents} ${facts.modality === "vision" ? "pictures" : "texts"}` : "";
    return `${shown.join(" and ")} of the layer ${facts.layer ?? ""} of ${facts.model ?? site.title}${rows}${documents}: what each answers to, where it lies, what it does, and how sure one can be of that.`;
  }

  function chooser(id, label, options, chosen, change) {
    const select = B.make("select", { id, onchange: () => change(select.value) }, options.map(([value, title]) =>
      B.make("option", { value, selected: value === chosen }, title)));
    return B.make("label", {}, label, select);
  }

  const THEMES = { "": ["Auto", "light"], light: ["Light", "dark"], dark: ["Dark", ""] };
  const theme = state => Object.hasOwn(THEMES, state.theme ?? "") ? state.theme ?? "" : "";
  function themeButton(state) {
    const [name, next] = THEMES[theme(state)];
    return B.make("button", { id: "theme", type: "button", "aria-label": `Colors: ${name}. Change`, onclick: () => { B.go({ theme: next }, { replace: true }); draw(); } }, `◐ ${name}`);
  }

  const field = { made: null };
  function header(state, site) {
    field.made ??= B.searchField();
    const sites = B.index.sites, others = sites.filter(one => one !== site);
    const bar = B.make(
      "div", { class: "bar" },
      B.make("a", { class: "brand", href: B.open({ page: firstPage(site) }), title: B.index.title }, B.index.title),
      sites.length > 1 && chooser("site", "Shown", sites.map(one => [one.key, one.title]), site.key, key => B.go({ site: key, beside: state.beside === key ? null : state.beside, selected: null })),
      sites.length > 1 && chooser("beside", "Beside", [["", "nothing"], ...others.map(one => [one.key, one.title])], state.beside ?? "", key => B.go({ beside: key, with: null })),
      field.made, themeButton(state),
      B.make("button", { id: "help", type: "button", "aria-label": "Keys and help", onclick: help }, "?"),
    );
    const nav = B.make("nav", { class: "pages", "aria-label": "Pages" }, PAGES.filter(page => has(site, page)).map(page =>
      B.make("a", { href: B.open({ page }), "aria-current": state.page === page ? "page" : null }, NAMES[page])));
    byId("header").replaceChildren(bar, nav);
  }

  const keys = (caption, rows) => B.make("table", {}, B.make("caption", {}, caption), B.make("tbody", {}, rows.map(([key, what]) => B.make("tr", {}, B.make("td", {}, B.make("kbd", {}, key)), B.make("td", {}, what)))));
  function help() {
    const dialog = B.make(
      "dialog", { "aria-labelledby": "help-title", onclose: () => dialog.remove() },
      B.make("h2", { id: "help-title" }, "Keys"),
      keys("Everywhere", KEYS), keys("On the sheet, once it is reached by Tab", B.sheet.keys),
      B.make("p", { class: "small" }, "A unit is a neuron or channel of the layer; a feature is a direction of its sparse dictionary. Its mass is the sum of its activation, or, on the sheet, how much it writes into each unit. r of a description is how well it predicts activation on texts or pictures that it was not made from: read it beside that of the controls. Every view is in the address, and can be sent as a link."),
      B.make("button", { type: "button", onclick: () => dialog.close() }, "Close"),
    );
    document.body.append(dialog);
    dialog.showModal();
  }

  function show(state) {
    const site = B.site(state.site), page = state.page;
    const all = B.index.sites.map(one => B.make("li", {}, B.make("a", { href: B.open({ site: one.key, page: firstPage(one), beside: null }) }, one.title)));
    if (!site) return { line: [B.say(`There is no layer “${state.site}” in this page. It holds:`), B.make("ul", {}, all)] };
    if (!known(page)) return { line: B.say(`There is no page “${page}”. `, B.make("a", { href: B.open({ page: firstPage(site) }) }, "To the first page")) };
    if (!has(site, page)) return { line: B.say(`${site.title} has no page “${named(page)}”: that part was not made. `, B.make("a", { href: B.open({ page: "about" }) }, "What was left out")) };
    const beside = state.beside && state.beside !== site.key ? B.site(state.beside) : null;
    return { site, page, beside: beside ?? null, unknown: state.beside && !beside && state.beside !== site.key ? state.beside : null };
  }

  async function fill(place, state) {
    const { line, site, page, beside, unknown } = show(state);
    if (line) { place.append(...[line].flat()); return; }
    if (unknown) place.append(B.say(`There is no layer “${unknown}” to put beside.`));
    if (page === "sheet") place.append(B.make("p", { class: "intro" }, introduction(site)));
    await B.pages[page].draw(place, state, site, beside);
  }

  // Where the keyboard is after a page was drawn: at the same control if it is still there, else at the content.
  function focus(held, moved) {
    const same = held && byId(held);
    if (same && !(moved && main.contains(same))) { if (document.activeElement !== same) same.focus({ preventScroll: true }); }
    else if (last) main.focus({ preventScroll: true });
    if (moved && last) scrollTo(0, 0);
  }

  async function draw() {
    const state = B.read(), mine = ++turn, active = document.activeElement;
    if (!state.site) { B.go({ site: B.index.sites[0].key, page: location.hash.length > 2 ? state.page : firstPage(B.index.sites[0]) }, { replace: true }); draw(); return; }
    const here = `${state.page}/${state.site}${state.id === null ? "" : `/${state.id}`}`;
    if (theme(state)) document.documentElement.dataset.theme = theme(state); else delete document.documentElement.dataset.theme;
    delete document.body.dataset.ready;
    byId("ready")?.remove();
    const held = active?.id && active !== main && active !== document.body ? active.id : null;
    const high = last ? `${main.offsetHeight}px` : ""; // before anything changes, so that nothing is laid out for it
    header(B.state, B.site(state.site) ?? B.index.sites[0]);
    const place = B.make("div", { class: `page ${state.page}` });
    main.style.minHeight = high;
    main.replaceChildren(place);
    document.title = [state.id === null ? named(state.page) : `${state.page} ${state.id}`, B.index.title].filter(Boolean).join(" · ");
    try { await fill(place, B.state); } catch (error) {
      place.append(B.say(`This page could not be drawn: ${error.message}.`));
      if (mine === turn) complain(error);
    }
    if (mine !== turn) return;
    main.style.minHeight = "";
    focus(held, last !== null && last !== here);
    last = here;
    document.dispatchEvent(new CustomEvent("drawn", { detail: here }));
    requestAnimationFrame(() => setTimeout(() => {
      if (mine !== turn) return;
      place.classList.add("whole");
      // what scrolls can be scrolled by keys
      for (const one of place.querySelectorAll(".scroll:not([tabindex])")) if (one.scrollWidth > one.clientWidth) {
        one.tabIndex = 0;
        one.setAttribute("role", "region");
        if (!one.ariaLabel) one.setAttribute("aria-label", one.closest(".block")?.querySelector("h2")?.firstChild.textContent ?? "table");
      }
      main.append(B.make("span", { id: "ready", hidden: true }));
      document.body.dataset.ready = here;
    }));
  }
  B.draw = draw;

  // Keys, where nobody writes.
  function step(by) {
    const of = B.state.page, n = OF.includes(of) && B.site(B.state.site)?.n[of];
    if (!n) return false;
    const id = B.state.id === null ? (by > 0 ? 0 : n - 1) : (B.state.id + by + n) % n;
    location.hash = B.open({ page: of, id });
    return true;
  }
  function random() {
    const site = B.site(B.state.site), of = OF.includes(B.state.page) && site?.n[B.state.page] ? B.state.page : site?.n.feature ? "feature" : "unit";
    if (site?.n[of]) location.hash = B.open({ page: of, id: Math.floor(Math.random() * site.n[of]) });
  }
  B.random = random;
  const to = page => { const site = B.site(B.state.site); if (site && has(site, page)) location.hash = B.open({ page }); };
  const ACTIONS = { "/": () => byId("search")?.focus(), "?": help, j: () => step(1), k: () => step(-1), r: random, s: () => to("sheet"), t: () => to("table") };
  document.addEventListener("keydown", event => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !B.index) return;
    const target = event.target;
    if (target.closest("input, select, textarea, dialog, [contenteditable]")) return;
    const arrow = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (arrow && !target.closest("canvas, .scroll, .grid, [tabindex='0']") && step(arrow)) { event.preventDefault(); return; }
    if (ACTIONS[event.key]) { event.preventDefault(); ACTIONS[event.key](); }
  });

  self.addEventListener("hashchange", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (!B.state.theme) draw(); });
  document.querySelector(".skip").addEventListener("click", event => { event.preventDefault(); main.focus(); });

  B.get("index").then(index => {
    B.index = index;
    byId("footer").replaceChildren(...B.footer());
    return draw();
  }).catch(error => { main.replaceChildren(B.say(`This page cannot be opened: ${error.message}.`)); complain(error); });
})();
