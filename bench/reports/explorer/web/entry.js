"use strict";
// The page of one unit or feature, and the many that it is one of, in the order of their numbers, which is no ranking.
(() => {
  const LEFT = ["description", "examples", "tokens", "neighbours"];
  const MANY = 24;
  const WORDS = { unit: "Unit", feature: "Feature" };

  // A link to a unit or feature, with its description as it is hovered.
  B.link_to = (site, of, id, { text = null, more = {} } = {}) => {
    const description = B.column(site, of, "description")?.values[id];
    const beside = B.state.beside === site.key ? null : B.state.beside;
    return B.make("a", { href: B.open({ site: site.key, page: of, id, beside, ...more }), title: description || null }, text ?? `${of} ${id}`);
  };

  const material = site => B.get(`material/${site.material}`).catch(() => null);

  // Why a part is empty: most need activity, and this one has none, or little.
  const RARE = 50;
  function why(name, { site, of, entry }) {
    const { n, silent } = entry?.histogram ?? {}, active = n - silent, rows = site.facts.modality === "vision" ? "places" : "tokens";
    if (active === 0) return `The ${of} is never active in these ${n.toLocaleString("en")} ${rows}.`;
    if (active < RARE) return `The ${of} is active at ${active} of these ${n.toLocaleString("en")} ${rows}: too few for this.`;
    return name === "description" ? `No description was found for this ${of}.` : `This was not measured for this ${of}.`;
  }

  async function block(name, value, about, tag) {
    const kind = B.blocks[name];
    const id = `${name}-${about.site.key}`;
    const box = B.make("section", { class: "block", "data-block": name, "aria-labelledby": id }, B.make("h2", { id }, kind?.title ?? name, tag && B.make("span", { class: "faint small" }, tag)));
    if (value === undefined || value === null) { box.append(B.make("p", { class: "faint" }, why(name, about))); return box; }
    try {
      const made = await (kind ? kind.draw(value, about) : B.facts(value));
      if (!made) return null;
      box.append(made);
    } catch (error) {
      box.append(B.say(`This part cannot be shown: ${error.message}.`));
    }
    const controls = B.controls(about.site, name, about.of);
    if (controls && !kind?.controls) box.append(controls);
    return box;
  }

  // Which of the other site stands beside: the one asked for, the best match, or that of the same number.
  async function partner(state, site, of, beside, entry) {
    if (state.with !== undefined && state.with in [...Array(beside.n[of]).keys()]) return { id: Number(state.with), why: "chosen" };
    const match = entry.twins?.matches?.find(one => one.site === beside.key && one.of === of);
    if (match) return { id: match.id, why: `best match by activation (r ${B.number(match.held_out_r ?? match.r)})` };
    return { id: state.id, why: site.n[of] === beside.n[of] && of === "unit" ? "the same place" : "the same number; no match is known" };
  }

  async function one(site, of, id) {
    const [entry, shown] = await Promise.all([B.entry(site, of, id), material(site)]);
    return { entry: entry ?? {}, about: { site, of, id, material: shown, entry } };
  }

  const names = site => of => [...Object.keys(B.blocks).filter(name => name === "numbers" || site.sections[of].includes(name)), ...site.sections[of].filter(name => !B.blocks[name])];

  function tools(state, site, of, id) {
    const n = site.n[of], turn = by => B.open({ page: of, id: (id + by + n) % n });
    return B.make(
      "div", { class: "tools" },
      B.make("a", { class: "button", href: turn(-1), rel: "prev" }, `← ${(id - 1 + n) % n}`), B.make("a", { class: "button", href: turn(1), rel: "next" }, `${(id + 1) % n} →`),
      B.make("button", { type: "button", onclick: B.random }, "Random"), B.copyLink(),
      site.sheet && B.pages.sheet && B.make("a", { class: "button", href: B.open({ page: "sheet", of, selected: String(id) }) }, "On the sheet"),
    );
  }

  async function copy(button) {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied";
    } catch {
      button.after(B.make("input", { type: "text", readonly: true, value: location.href, "aria-label": "The link of this view", onfocus: event => event.target.select() }));
      button.nextSibling.focus();
    }
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  // The address holds the whole view.
  B.copyLink = () => {
    const button = B.make("button", { type: "button", onclick: () => copy(button) }, "Copy link");
    return button;
  };

  function heading(of, id, site, right) {
    return B.make(
      "div", { class: "head" },
      B.make("h1", {}, `${WORDS[of]} ${id} `, B.make("small", {}, `of ${site.n[of]} · ${site.title}${site.facts.layer ? ` · ${site.facts.layer}` : ""}`)), right,
    );
  }

  function unknown(of, id, site) {
    return B.say(`${site.title} has no ${of} ${Number.isNaN(id) ? "of that number" : id}: they are numbered 0 to ${site.n[of] - 1}. `, B.make("a", { href: B.open({ page: of }) }, `All ${of}s`));
  }

  const there = (site, of, id) => Number.isInteger(id) && id >= 0 && id < site.n[of];

  async function single(main, state, site, of) {
    const { entry, about } = await one(site, of, state.id);
    const made = await Promise.all(names(site)(of).map(async name => [name, await block(name, name === "numbers" ? true : entry[name], about)]));
    const left = B.make("div", { class: "side" }), right = B.make("div", { class: "side" });
    for (const [name, box] of made) if (box) (LEFT.includes(name) ? left : right).append(box);
    main.append(heading(of, state.id, site, tools(state, site, of, state.id)), B.make("div", { class: "two" }, left, right));
  }

  async function pair(main, state, site, of, beside) {
    const mine = await one(site, of, state.id);
    main.append(heading(of, state.id, site, tools(state, site, of, state.id)));
    if (!beside.n[of]) { main.append(B.say(`${beside.title} has no ${of}s.`)); return single(main, state, site, of); }
    const { id, why } = await partner(state, site, of, beside, mine.entry);
    if (!there(beside, of, id)) { main.append(unknown(of, id, beside)); return single(main, state, site, of); }
    const other = await one(beside, of, id);
    main.append(B.make("p", { class: "intro" }, "Beside it: ", B.link_to(beside, of, id, { text: `${of} ${id} of ${beside.title}`, more: { beside: null } }), `, ${why}.`));
    const all = [...new Set([...names(site)(of), ...names(beside)(of)])];
    const rows = await Promise.all(all.map(name => Promise.all([mine, other].map(({ entry, about }) =>
      block(name, name === "numbers" ? true : entry[name], about, `${of} ${about.id} · ${about.site.title}`)))));
    for (const [a, b] of rows) if (a || b) main.append(B.make("div", { class: "pair" }, a ?? B.make("div"), b ?? B.make("div")));
    return undefined;
  }

  async function card(site, of, id, shown) {
    const entry = await B.entry(site, of, id) ?? {}, { description, examples } = entry;
    const top = examples?.top?.[0];
    const draw = site.facts.modality === "vision" ? B.context.picture : B.context.text;
    return B.make(
      "li", {},
      B.make("h2", {}, B.link_to(site, of, id), typeof description?.r === "number" && B.make("span", {}, `r ${B.number(description.r)}`)),
      B.make("p", {}, description?.text ?? B.make("span", { class: "faint" }, why("description", { site, of, entry }))),
      top && shown && draw(shown, top, { max: 100 * examples.step, before: 6 }),
    );
  }

  async function many(site, of, from) {
    const shown = await material(site), ids = [];
    for (let id = from; id < Math.min(from + MANY, site.n[of]); id += 1) ids.push(id);
    const cards = await Promise.all(ids.map(id => card(site, of, id, shown)));
    return B.make("div", { class: "side" }, B.make("ul", { class: "cards" }, cards));
  }

  async function gallery(main, state, site, of, beside) {
    const from = Math.max(0, Math.floor((Number(state.from) || 0) / MANY) * MANY), n = site.n[of];
    const last = Math.min(from + MANY, n) - 1;
    const turn = (to, text, rel) => B.make("a", { class: "button", rel, href: B.open({ page: of, from: to }) }, text);
    const pages = () => B.make(
      "div", { class: "tools" }, from > 0 && turn(from - MANY, `← before ${from}`, "prev"), last < n - 1 && turn(from + MANY, `from ${last + 1} →`, "next"),
      B.make("button", { type: "button", onclick: B.random }, "Random"), B.make("a", { class: "button", href: B.open({ page: "table", of }) }, "Sort and filter"),
    );
    main.append(B.make("div", { class: "head" }, B.make("h1", {}, `${WORDS[of]}s ${from} to ${last} `, B.make("small", {}, `of ${n} · ${site.title}`)), pages()));
    main.append(B.make("p", { class: "intro" }, `In the order of their numbers, which is no ranking: the first are no better than the last. r says how well a description predicts activation on ${site.facts.modality === "vision" ? "pictures" : "texts"} that it was not made from.`));
    if (from >= n) { main.append(B.say(`There are ${n} ${of}s.`)); return; }
    const sides = [site, beside].filter(one => one?.n[of] > from);
    const made = await Promise.all(sides.map(one => many(one, of, from)));
    if (made.length > 1) made.forEach((one, i) => one.prepend(B.make("h2", {}, sides[i].title)));
    main.append(B.make("div", { class: made.length > 1 ? "pair" : "" }, made), pages());
  }

  function page(of) {
    return {
      title: `${WORDS[of]}s`,
      draw: async (main, state, site, beside) => {
        if (state.id === null) return gallery(main, state, site, of, beside);
        if (!there(site, of, state.id)) { main.append(unknown(of, state.id, site)); return undefined; }
        return beside ? pair(main, state, site, of, beside) : single(main, state, site, of);
      },
    };
  }
  B.pages.feature = page("feature");
  B.pages.unit = page("unit");
})();
