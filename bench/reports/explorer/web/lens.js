"use strict";
// What each layer would predict if it were the last: tokens by layer, shaded by how far that is from the end.
(() => {
  const SHADES = {
    kl: { title: "KL to the last layer", unit: "nats", value: cell => Math.sqrt(Math.max(0, cell.kl)), say: cell => cell.kl, write: root => B.number(root * root), sentence: "how far the layer's distribution is from the network's own; shades by its square root" },
    final_rank: { title: "rank of the final token", unit: "", value: cell => (cell.final_rank > 0 ? Math.log10(cell.final_rank) : null), say: cell => cell.final_rank, write: tenth => B.number(Math.round(10 ** tenth)), sentence: "where the token that the network will give stands here, 1 for the first; shades by its logarithm" },
    rank: { title: "rank of the true token", unit: "", value: cell => (cell.rank > 0 ? Math.log10(cell.rank) : null), say: cell => cell.rank, write: tenth => B.number(Math.round(10 ** tenth)), sentence: "where the token that does come next stands, 1 for the first; shades by its logarithm" },
  };
  const visible = text => B.context.token(text);
  const said = (name, cell) => { const shade = SHADES[name]; return B.number((shade.say || shade.value)(cell)); };
  const at = (state, text) => {
    const [layer, token] = String(state.cell || "").split(".").map(Number);
    return text.grid[layer] && text.grid[layer][token] ? { layer, token } : null;
  };

  const scaleOf = (texts, name) => B.colors.scale(texts.map(text => ({ ...SHADES[name], kind: "number", values: text.grid.flat().map(SHADES[name].value) })));

  function details(text, layers, cell) {
    if (!cell) return B.make("p", { class: "faint" }, "Choose a cell for its list.");
    const found = text.grid[cell.layer][cell.token];
    return [B.make("h3", {}, `${layers[cell.layer]}, after “${visible(text.tokens[cell.token])}”`),
      B.chart.table("what this layer would say next", ["token", "probability"], found.top.map(([token, p]) => [B.make("code", {}, visible(token)), p]), { class: "tops" }),
      B.make("p", {}, `KL to the last layer ${B.number(found.kl)} nats; rank of the final token ${B.number(found.final_rank)}, of the true one ${B.number(found.rank)}.`)];
  }

  // The table of cells: one is in the tab order, arrows move.
  function grid(text, material, layers, scale, name, cell, choose) {
    const cells = [];
    // pictures stand over their columns, as small as they are kept
    const head = (token, i) => (text.pictures && material ? B.context.picture(material, [text.pictures[i], [1, 1], [0]], { bare: true, size: 48 }) : visible(token));
    const button = (found, layer, token) => {
      const colour = scale.color(SHADES[name].value(found)), chosen = cell && cell.layer === layer && cell.token === token;
      const made = B.make("button", { type: "button", class: "cell", "aria-pressed": String(Boolean(chosen)), tabindex: chosen || (!cell && !layer && !token) ? 0 : -1, "data-at": `${layer}.${token}`,
        "aria-label": `${layers[layer]}, ${visible(text.tokens[token])}: ${visible(found.top[0][0])}, ${SHADES[name].title} ${said(name, found)}`, onclick: () => choose({ layer, token }) }, visible(found.top[0][0]));
      made.style.background = colour;
      made.style.color = B.colors.inkOn(colour);
      (cells[layer] = cells[layer] || [])[token] = made;
      return made;
    };
    const table = B.make("table", { class: "lens" }, B.make("caption", {}, `top ${text.pictures ? "class" : "token"} of each layer, shade: ${SHADES[name].title}`),
      B.make("thead", {}, B.make("tr", {}, B.make("th", { scope: "col" }, "layer"), text.tokens.map((token, i) => B.make("th", { scope: "col" }, head(token, i))))),
      B.make("tbody", {}, text.grid.map((row, layer) => B.make("tr", {}, B.make("th", { scope: "row" }, layers[layer]), row.map((found, token) => B.make("td", {}, button(found, layer, token)))))));
    table.addEventListener("keydown", event => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key], from = event.target.dataset && event.target.dataset.at;
      if (!step || !from) return;
      const [layer, token] = from.split(".").map(Number), next = cells[layer + step[0]] && cells[layer + step[0]][token + step[1]];
      event.preventDefault();
      event.stopPropagation();
      if (!next) return;
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
    return B.make("div", { class: "scroll" }, table);
  }

  function profiles(whole, texts, high, columns) {
    const look = B.colors.theme(), colours = B.colors.categories(look.dark), profile = whole.profile || [];
    if (!profile.length) return null;
    const control = profile.every(one => B.colors.isNumber(one.kl_shuffled));
    const made = [{ name: "KL to the last layer", mark: "dot", colour: colours[0], points: profile.map((one, i) => [i, one.kl]) },
      ...(control ? [{ name: texts.pictures ? "the same, pictures shuffled" : "the same of streams of other tokens", dash: "5 4", colour: look.faint, points: profile.map((one, i) => [i, one.kl_shuffled]) }] : [])];
    const x = { low: 0, high: Math.max(1, profile.length - 1), title: "layer", ticks: profile.map((_, i) => [i, String(i)]).filter((_, i) => profile.length < 16 || i % 4 === 0) };
    return B.make("figure", { class: "profile" }, B.make("h3", {}, texts.pictures ? "Over all pictures" : "Over all texts"), B.chart.lines(made, { width: B.chart.room(columns, 460), height: 220, x, y: { low: 0, high, title: "KL (nats)" }, label: `KL to the last layer over ${profile.length} layers` }), made.length > 1 ? B.chart.key(made) : null,
      B.chart.later("As a table", () => B.chart.table("over all", ["layer", "KL (nats)", "agreement: share where the top one is the network's own", ...(control ? ["KL, shuffled", "agreement, shuffled"] : [])],
        profile.map(one => [one.layer, one.kl, one.agreement ?? null, ...(control ? [one.kl_shuffled, one.agreement_shuffled ?? null] : [])]))));
  }

  function picker(id, label, options, current, change) {
    const select = B.make("select", { id, onchange: () => change(select.value) }, options.map(([value, text]) => B.make("option", { value, selected: String(value) === String(current) }, text)));
    return B.make("label", { class: "field" }, B.make("span", {}, `${label} `), select);
  }

  function fill(root, sites, wholes, materials, beside) {
    const state = B.state, number = Math.min(Number(state.text) || 0, wholes[0].texts.length - 1), name = SHADES[state.shade] ? state.shade : "kl";
    const texts = wholes.map(whole => (whole ? whole.texts[number] || null : null)), scale = scaleOf(texts.filter(Boolean), name), cell = texts[0] ? at(state, texts[0]) : null;
    const high = Math.max(0.001, ...wholes.filter(Boolean).flatMap(whole => (whole.profile || []).flatMap(one => [one.kl, one.kl_shuffled ?? 0])));
    const go = (changes, focus) => { B.go(changes, { replace: true }); root.replaceChildren(); fill(root, sites, wholes, materials, beside); const next = root.querySelector(focus); if (next) next.focus(); };
    const short = text => { const whole = text.pictures ? `${text.pictures.length} pictures` : text.tokens.join("").trim(); return whole.length > 60 ? `${whole.slice(0, 60)}…` : whole; };
    const side = (site, k) => {
      if (!texts[k]) return B.make("p", {}, "The lens was not made here for this text.");
      return [grid(texts[k], materials[k], wholes[k].layers, scale, name, cell && at(state, texts[k]), found => go({ cell: `${found.layer}.${found.token}` }, `.side:nth-child(${k + 1}) [data-at="${found.layer}.${found.token}"]`)),
        B.make("div", { class: sites.length > 1 ? "" : "halves" }, B.make("div", { class: "cell-list", "aria-live": "polite" }, details(texts[k], wholes[k].layers, at(state, texts[k]))), profiles(wholes[k], texts[k], high, 2))];
    };
    root.append(B.make("div", { class: "choices" },
      picker("text", wholes[0].texts.some(text => text.pictures) ? "Pictures" : "Text", wholes[0].texts.map((text, i) => [i, `${i + 1}: ${short(text)}`]), number, value => go({ text: value, cell: null }, "#text")),
      picker("shade", "Shade", Object.entries(SHADES).map(([key, one]) => [key, one.title]), name, value => go({ shade: value }, "#shade"))), scale.legend(), B.sides.columns(sites[0], beside, side));
  }

  async function draw(main, state, site, beside) {
    const sites = [site, ...(beside ? [beside] : [])];
    const wholes = await Promise.all(sites.map(one => (one.sections.whole.includes("lens") ? B.get(`${one.key}/lens`) : null)));
    const materials = await Promise.all(sites.map((one, k) => (wholes[k]?.texts.some(text => text.pictures) ? B.get(`material/${one.material}`) : null)));
    const root = B.make("div"), pictures = materials.some(Boolean);
    main.append(B.make("h1", {}, "Lens"), B.make("p", { class: "intro" }, pictures ? "What each layer would call a picture if it were the last one: through the network's own classifier, or a ridge translator before it."
      : "What each layer would predict if it were the last one: softmax(W norm(h)), through the network's own last norm and its unembedding."), root);
    fill(root, sites, wholes, materials, beside);
  }

  B.pages.lens = { title: "Lens", draw };
})();
