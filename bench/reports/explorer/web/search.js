"use strict";
// Search over descriptions, labels, top words, promoted tokens and names of columns: every word asked for has to be there.
(() => {
  const MOST = 12, COLUMNS = 6;
  const NOUN = /^(features?|units?|neurons?|channels?)$/;
  const lowered = new WeakMap();

  async function texts(site, of) {
    const found = await B.get(`${site.key}/search`).catch(() => null);
    const mine = found?.[of] ?? B.column(site, of, "description")?.values ?? [];
    if (!lowered.has(mine)) lowered.set(mine, mine.map(one => (one ?? "").toLowerCase()));
    return { shown: mine, low: lowered.get(mine) };
  }

  const words = q => q.toLowerCase().split(/\s+/).filter(Boolean);

  // 3: a word of the description, 2: within the description, 1: a top word or a promoted token, 0: not there.
  function rank(low, asked) {
    const end = low.indexOf("\n");
    let least = 3;
    for (const one of asked) {
      const at = low.indexOf(one);
      if (at < 0) return 0;
      if (end >= 0 && at > end) least = 1;
      else if (at > 0 && /[\p{L}\p{N}]/u.test(low[at - 1])) least = Math.min(least, 2);
    }
    return least;
  }

  // Of all units or features: those that hold all words, the best first, otherwise in their own order.
  B.matches = async (site, of, q) => {
    const asked = words(q), { low } = await texts(site, of);
    const found = [];
    for (let id = 0; id < low.length; id += 1) {
      const how = rank(low[id], asked);
      if (how) found.push([id, how]);
    }
    return found.sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([id]) => id);
  };

  // Where a question is met behind the description: the words around it.
  function around(text, q) {
    const at = text.indexOf("\n"), rest = at < 0 ? "" : text.slice(at + 1), low = rest.toLowerCase();
    if (at >= 0 && words(q).every(one => text.slice(0, at).toLowerCase().includes(one))) return "";
    const first = words(q).map(one => low.indexOf(one)).find(one => one >= 0);
    return first === undefined ? "" : rest.slice(Math.max(0, first - 24), first + 60).trim();
  }

  async function answers(site, q) {
    const found = [];
    let n = 0;
    const number = /^#?(\d+)$/.exec(q.trim());
    for (const of of ["feature", "unit"]) {
      if (!site.n[of]) continue;
      if (number && Number(number[1]) < site.n[of]) found.push({ of, id: Number(number[1]), more: "" });
    }
    for (const of of ["feature", "unit"]) {
      if (!site.n[of]) continue;
      const ids = await B.matches(site, of, q), { shown } = await texts(site, of);
      n += ids.length;
      const room = of === "feature" ? MOST - 4 : MOST - found.length;
      found.push(...ids.slice(0, Math.max(room, 0)).map(id => ({ of, id, more: around(shown[id] ?? "", q) })));
    }
    return { found, n };
  }

  // Properties and other columns of numbers that a question names: a list of all by that number, and the probe of a property.
  function named(site, q) {
    const asked = words(q), found = [];
    const holds = text => asked.every(one => ` ${text.toLowerCase().replaceAll("_", " ")} `.includes(` ${one.replaceAll("_", " ")} `));
    for (const of of ["feature", "unit"]) {
      if (!site.n[of]) continue;
      for (const column of site.columns[of]) if (column.kind === "number" && holds(column.title)) {
        const probe = column.name.startsWith("t.") && site.sections.whole.includes("probes") ? column.name.slice(2) : null;
        found.push({ name: `${of}s`, text: `by ${column.title}`, href: B.open({ site: site.key, page: "table", of, sort: `-${column.name}`, selected: null }), probe });
      }
    }
    const probes = [...new Set(found.map(one => one.probe).filter(Boolean))].map(name => ({ name: "probe", text: `of ${name}`, href: B.open({ site: site.key, page: "probes", property: name }) }));
    return asked.join("").length < 3 ? [] : [...found, ...probes].slice(0, COLUMNS);
  }

  function option(site, one, i) {
    if (one.href) return B.make("li", { id: `found-${i}`, role: "option", "aria-selected": "false", "data-href": one.href }, B.make("span", {}, one.name), B.make("span", {}, one.text));
    const description = B.column(site, one.of, "description")?.values[one.id];
    return B.make(
      "li", { id: `found-${i}`, role: "option", "aria-selected": "false", "data-href": B.open({ site: site.key, page: one.of, id: one.id }) },
      B.make("span", {}, `${one.of} ${one.id}`), B.make("span", {}, description || B.make("span", { class: "faint" }, "no description")),
      one.more && B.make("span", { class: "more" }, `… ${one.more} …`),
    );
  }

  // The field of the header, with what it finds below it.
  B.searchField = () => {
    const input = B.make("input", {
      id: "search", type: "search", role: "combobox", "aria-expanded": "false", "aria-controls": "found", "aria-autocomplete": "list",
      "aria-label": "Search descriptions, words, promoted tokens and properties, or a number", placeholder: "Search words and properties  ( / )", autocomplete: "off", spellcheck: "false",
    });
    const panel = B.make("div", { class: "found", hidden: true });
    let at = -1, turn = 0;

    const options = () => [...panel.querySelectorAll("[role=option]")];
    function close() { panel.hidden = true; at = -1; turn += 1; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); }
    function mark(next) {
      const all = options();
      if (!all.length) return;
      at = (next + all.length) % all.length;
      all.forEach((one, i) => one.setAttribute("aria-selected", String(i === at)));
      input.setAttribute("aria-activedescendant", all[at].id);
      all[at].scrollIntoView({ block: "nearest" });
    }
    function leave(href) { close(); input.value = ""; input.blur(); location.hash = href; }
    const all = (of, q) => B.open({ page: "table", of, q, selected: null });

    async function ask() {
      const q = input.value.trim(), mine = ++turn, site = B.site(B.state.site);
      if (!q || !site) { close(); return; }
      // “French features” asks for French ones
      const bare = words(q).filter(one => !NOUN.test(one)).join(" ") || q;
      let asked = q, { found, n } = await answers(site, q);
      if (!n && bare !== q) { asked = bare; ({ found, n } = await answers(site, bare)); }
      if (mine !== turn) return;
      at = -1;
      const columns = /^#?\d+$/.test(q) ? [] : named(site, bare), of = found.find(one => one.of)?.of;
      const href = all(of, asked);
      const said = n ? `${n} found in ${site.title}` : columns.length ? `no description or token of ${site.title} holds “${asked}”; these numbers do` : `nothing in ${site.title} holds “${q}”`;
      // what is called just so stands first
      found = [...columns, ...found];
      panel.replaceChildren(B.make(
        "div", {}, B.make("p", { role: "status" }, said),
        B.make("ul", { id: "found", role: "listbox", "aria-label": "Found" }, found.map((one, i) => option(site, one, i))),
        n > 0 && B.make("p", {}, B.make("a", { href, onclick: event => { event.preventDefault(); leave(href); } }, "All of them as a table")),
      ));
      panel.hidden = false;
      input.setAttribute("aria-expanded", "true");
      input.removeAttribute("aria-activedescendant");
      panel.dataset.q = q;
    }

    input.addEventListener("input", ask);
    input.addEventListener("focus", () => { if (input.value) ask(); });
    input.addEventListener("keydown", event => {
      if (event.key === "ArrowDown") { event.preventDefault(); mark(at + 1); }
      if (event.key === "ArrowUp") { event.preventDefault(); mark(at - 1); }
      if (event.key === "Escape") { event.preventDefault(); input.value = ""; close(); document.getElementById("main").focus(); }
      if (event.key === "Enter" && input.value.trim()) {
        const one = options()[Math.max(at, 0)];
        if (one) leave(one.dataset.href);
      }
    });
    panel.addEventListener("mousedown", event => {
      const one = event.target.closest("[role=option]");
      if (one) { event.preventDefault(); leave(one.dataset.href); }
    });
    document.addEventListener("mousedown", event => { if (!event.target.closest(".find")) close(); });
    return B.make("div", { class: "find", role: "search" }, input, panel);
  };
})();
