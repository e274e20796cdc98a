"use strict";
// How all of it was made: digests, seeds, versions, commands, controls, and what was left out.
(() => {
  const { make } = B;
  const digest = one => (one.facts.weights_digest ?? one.facts.digest ?? "").slice(0, 8);

  B.footer = () => {
    const { made, sites, notes } = B.index;
    const digests = sites.map(one => digest(one) && `${one.title} ${digest(one)}`).filter(Boolean).join(", ");
    return [
      make("p", {}, ["command", "with", "seed"].filter(key => made[key] !== undefined).map(key => `${key === "command" ? "Made by " : key === "seed" ? "seed " : ""}${made[key]}`).join(" · ")),
      digests && make("p", {}, `Weights: ${digests}`), notes.map(one => make("p", {}, one)),
      make("p", {}, make("a", { href: "#", onclick: event => { event.preventDefault(); location.hash = B.open({ page: "about" }); } }, "How it was made, controls, what was left out")),
    ].flat().filter(Boolean);
  };

  function glossary(site) {
    const rows = ["unit", "feature"].flatMap(of => site.columns[of].map(one => ({ of, ...one })));
    const said = new Map();
    for (const one of rows) said.set(one.name, { ...one, of: said.has(one.name) ? "both" : one.of });
    return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ["column", "of", "what it is"].map(one => make("th", { scope: "col" }, one)))),
      make("tbody", {}, [...said.values()].map(one => make("tr", {}, make("th", { scope: "row" }, one.title), make("td", {}, one.of), make("td", {}, one.sentence, one.unit && ` (${one.unit})`))))));
  }

  function part(title, ...content) { return make("section", { class: "block" }, make("h2", {}, title), content); }

  function about(site) {
    const controls = Object.entries(site.controls ?? {});
    return make(
      "div", { class: "side" }, make("h2", {}, site.title), B.facts({ ...site.facts, units: site.n.unit, features: site.n.feature }),
      part("Left out", site.left_out.length ? make("ul", { class: "plain" }, site.left_out.map(one => make("li", {}, one))) : make("p", {}, "Nothing.")),
      controls.length > 0 && part("Controls", controls.map(([name, rows]) => [make("h3", {}, B.blocks[name]?.title ?? B.pages[name]?.title ?? name), B.rows(rows)])),
      part("Columns", make("details", {}, make("summary", {}, "What each number is"), glossary(site))),
    );
  }

  B.pages.about = {
    title: "About",
    draw: async (main, state, site, beside) => {
      const { made, notes, materials } = B.index;
      main.append(
        make("h1", {}, B.index.title), make("p", { class: "intro" }, "This page is one folder of files and asks nothing of any network. What is shown of a unit or feature was measured on texts or pictures that its dictionary was not trained on, and stands beside the same number of controls."),
        part("How it was made", B.facts(made), notes.length > 0 && make("ul", { class: "plain" }, notes.map(one => make("li", {}, one)))),
        part("Texts and pictures", materials.map(one => B.facts({ ...one.facts, kind: one.kind }))),
        part("Layers", make("div", { class: beside ? "pair" : "" }, about(site), beside && about(beside))),
      );
    },
  };
})();
