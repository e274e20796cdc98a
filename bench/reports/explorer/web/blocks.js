"use strict";
// The blocks of a unit's or feature's page, one a section, in the order in which they stand; each beside its controls.
(() => {
  const { make, number, percent } = B;
  const LONG = 40;
  const FEW = 2, LONG_GROUP = 12, FIRST = 6; // controls of a number; columns of a group that are all shown, or else only these
  const TITLES = {
    n: "n", median: "median r", share_above_half: "r above .5", detection: "firing told from silent", all_median: "median r of all", rare: "too rare to judge", morans_i: "Moran's I", shared: "shared",
    fires: "loss where it fires", elsewhere: "loss elsewhere", kurtosis: "kurtosis", joins: "joins", held_out_r: "held-out r", selected_r: "r where it was chosen", shuffled_r: "r, shuffled",
  };
  const SHARES = new Set(["share_above_half", "detection", "shared", "coverage", "purity"]);
  B.titled = key => TITLES[key] ?? key.replaceAll("_", " ");
  const cell = (key, value) => typeof value === "number" ? (SHARES.has(key) ? percent(value) : number(value)) : Array.isArray(value) ? value.map(number).join(" to ") : value === null || value === undefined ? "–" : String(value);

  // A table of rows {key: value}: the columns are all keys, in the order in which they first come.
  B.rows = (rows, { caption = null } = {}) => {
    const keys = [...new Set(rows.flatMap(Object.keys))];
    const isNumber = key => rows.every(row => row[key] === undefined || row[key] === null || typeof row[key] === "number");
    const side = key => isNumber(key) ? "number" : null;
    return make(
      "div", { class: "scroll", role: caption && "region", "aria-label": caption },
      make("table", { class: "rows" }, caption && make("caption", {}, caption), make("thead", {}, make("tr", {}, keys.map(key => make("th", { scope: "col", class: side(key) }, key === "kind" ? "control" : B.titled(key))))),
        make("tbody", {}, rows.map(row => make("tr", {}, keys.map((key, i) => make(i ? "td" : "th", { scope: i ? null : "row", class: side(key) }, cell(key, row[key]))))))),
    );
  };

  // The controls of a section that are of units, or of features, or of both.
  const controlsOf = (site, name, of) => (site.controls?.[name] ?? []).filter(one => !of || !one.of || one.of === of).map(({ of: whose, ...one }) => of ? one : { ...one, of: whose });
  const seen = site => site.facts.modality === "vision";
  // Rows of pictures are places, whatever a control of both kinds is called.
  const kindOf = (site, kind) => seen(site) ? String(kind).replace("shuffled tokens", "shuffled pictures") : kind;
  // What fits beside a block: its numbers, four at most; all of them stand on the page of how it was made.
  const brief = (row, of) => Object.fromEntries(Object.entries(row).filter(([key, value]) => value !== null && value !== undefined && (!of || key === "kind" || typeof value === "number"))
    .sort(([a], [b]) => (b === "kind") - (a === "kind") || (a === "n") - (b === "n")).slice(0, of ? 5 : Infinity));

  // As rows below what they belong to.
  B.controls = (site, name, of = null) => {
    const rows = controlsOf(site, name, of).map(one => brief(one, of));
    if (rows.length > 4 && rows.some(one => String(one.kind).length > LONG)) {
      const line = ({ kind, ...rest }) => make("li", {}, `${kind}: `, Object.entries(rest).map(([key, one]) => `${B.titled(key)} ${cell(key, one)}`).join(", "));
      return make("div", { class: "against small" }, make("h3", {}, "Controls"), make("ul", { class: "plain faint" }, rows.map(line)));
    }
    return rows.length ? make("div", { class: "against" }, B.rows(rows, { caption: "Controls" })) : null;
  };

  // Anything as a list of its parts.
  B.facts = value => {
    if (value === null || typeof value !== "object") return typeof value === "number" ? number(value) : value === null ? "–" : String(value);
    if (Array.isArray(value)) return value.every(one => one === null || typeof one !== "object") ? value.map(one => typeof one === "number" ? number(one) : String(one)).join(", ") : make("ul", { class: "plain" }, value.map(one => make("li", {}, B.facts(one))));
    return make("dl", { class: "facts" }, Object.entries(value).map(([key, one]) => [make("dt", {}, B.titled(key)), make("dd", {}, B.facts(one))]));
  };

  // A bar from zero between `low` and `high`, with a tick where the ceiling is.
  function meter(value, { low = 0, high = 1, tick = null, control = false } = {}) {
    const at = one => `${Math.max(0, Math.min(100, 100 * (one - low) / (high - low || 1)))}%`;
    const from = Math.min(value ?? 0, 0), to = Math.max(value ?? 0, 0);
    return make(
      "div", { class: "meter", "aria-hidden": "true" },
      make("i", { class: control ? "control" : value < 0 ? "minus" : null, style: { left: at(from), right: `calc(100% - ${at(to)})` } }),
      low < 0 && make("u", { style: { left: at(0) } }), tick !== null && make("b", { style: { left: at(tick) } }),
    );
  }
  B.meter = meter;

  function bars(rows, { low = 0, high = 1, caption = null } = {}) {
    return make("table", { class: "bars whole" }, caption && make("caption", {}, caption), make("tbody", {}, rows.map(({ name, value, tick = null, control = false, more = null }) =>
      make("tr", { class: control ? "control" : null }, make("th", { scope: "row" }, name), make("td", { class: "track" }, meter(value, { low, high, tick, control })), make("td", { class: "number" }, number(value), more)))));
  }

  const chip = ([text, value], said = number) => make("li", {}, B.context.token(text), value !== null && value !== undefined && make("small", {}, said(value)));
  const links = (site, of, pairs, said) => make("ul", { class: "plain small" }, pairs.map(([id, ...rest]) => make("li", {}, B.link_to(site, of, id), make("span", { class: "faint" }, ` ${said(rest)}`), label(site, of, id))));
  function label(site, of, id) {
    const text = B.column(site, of, "description")?.values[id];
    return text ? make("div", {}, text) : null;
  }

  // Controls of a number: a few, and the others behind them.
  function held(beside) {
    const said = beside.map(one => `${one.kind} ${number(one.value)}`);
    return [said.slice(0, FEW).join(" · "), said.length > FEW && make("details", {}, make("summary", {}, `${said.length - FEW} more controls`), said.slice(FEW).join(" · "))];
  }

  // All columns of the table for this one, with where it stands among all; of a long group those first that are furthest from 0.
  const numbers = {
    title: "In numbers",
    draw: (_, { site, of, id }) => {
      const inBars = one => one.group === "brain" && one.name.startsWith("r.") && site.sections[of].includes("brain");
      const shown = site.columns[of].filter(one => one.kind !== "text" && !inBars(one) && one.values[id] !== null && !(one.kind === "category" && one.values[id] < 0));
      if (!shown.length) return null;
      const below = column => {
        const mine = column.values[id];
        let n = 0, all = 0;
        for (const one of column.values) if (one !== null) { all += 1; if (one < mine) n += 1; }
        return n / all;
      };
      const row = column => {
        const value = column.values[id];
        const name = make("th", { scope: "row", title: column.sentence || null }, B.breaking(column.title));
        if (column.kind === "category") return make("tr", {}, name, make("td", { colspan: 2, class: "number" }, column.categories[value] ?? "–"));
        return make("tr", {}, name, make("td", { class: "number" }, number(value), column.unit && ` ${column.unit}`), make("td", { class: "number faint" }, `${Math.round(100 * below(column))} %`));
      };
      const size = one => one.kind === "number" ? Math.abs(one.values[id]) : Infinity;
      const groups = [...new Set(shown.map(one => one.group))].map(group => {
        const all = shown.filter(one => one.group === group), far = all.toSorted((a, b) => size(b) - size(a));
        return { group, n: all.length, first: all.length > LONG_GROUP ? far.slice(0, FIRST) : all, rest: all.length > LONG_GROUP ? far.slice(FIRST) : [] };
      });
      // controls that are the same for the columns before them stand once
      const control = (some, i) => some[i].beside.length > 0 && JSON.stringify(some[i + 1]?.beside) !== JSON.stringify(some[i].beside)
        && make("tr", { class: "control" }, make("td", { colspan: 3, class: "small" }, held(some[i].beside)));
      const lines = some => some.map((one, i) => [row(one), control(some, i)]);
      const body = ({ group, n, first, rest }) => make("tbody", {},
        make("tr", { class: "group" }, make("th", { scope: "rowgroup", colspan: 3 }, group, rest.length > 0 && `: the ${first.length} of ${n} furthest from 0`)), lines(first));
      const head = () => make("thead", {}, make("tr", {}, make("th", { scope: "col" }, make("span", { class: "unseen" }, "what")), make("th", { scope: "col", class: "number" }, "value"), make("th", { scope: "col", class: "number", title: `how many ${of}s have a lower value` }, `${of}s below`)));
      return make("div", {}, make("table", { class: "whole" }, head(), groups.map(body)),
        groups.filter(one => one.rest.length).map(({ group, rest }) => B.chart.later(`${rest.length} more of ${group}`, () => make("table", { class: "whole" }, head(), make("tbody", {}, lines(rest))))));
    },
  };

  const description = {
    title: "Description", controls: true,
    draw: (value, { site, of }) => {
      const [kind, control] = value.control ?? [];
      const rows = [{ name: "this description", value: value.r }, ...(value.control ? [{ name: kind, value: control, control: true }] : [])];
      const held = controlsOf(site, "description", of);
      // those that fire too rarely to be judged are not in a median: what it would be with them stands beside it
      const all = one => one.rare > 0 && one.all_median !== undefined ? make("span", { class: "faint" }, ` (${number(one.all_median)})`) : null;
      for (const one of held) if (one.kind !== kind && one.median !== undefined) rows.push({ name: `${kindOf(site, one.kind)} (median of ${one.n ?? "all"})`, value: one.median, control: true, more: all(one) });
      const there = seen(site) ? "places" : "tokens", known = one => one !== null && one !== undefined;
      const facts = [
        known(value.detection) && `It tells where the ${of} fires from where it is silent ${percent(value.detection)} of the time (50 % is chance).`,
        known(value.coverage) && `The ${there} that it names hold ${percent(value.coverage)} of the activity${known(value.purity) ? `, and the ${of} fires at ${percent(value.purity)} of them` : ""}.`,
      ].filter(Boolean);
      return make(
        "div", {},
        make("p", { class: "says" }, value.text ?? "no description"),
        make("p", { class: "score" }, make("strong", {}, `r ${number(value.r)}`), ` on ${seen(site) ? "pictures" : "texts"} that it was not made from`, value.control && make("span", { class: "faint" }, ` · ${kind}: r ${number(control)}`)),
        bars(rows, { low: Math.min(0, ...rows.map(one => one.value ?? 0)), caption: `How well a description predicts activation (r): this one, and those of controls${held.some(all) ? "; medians are of those that fire often enough, in brackets of all that ever fire" : ""}` }),
        facts.length > 0 && make("p", { class: "small faint met" }, facts.join(" ")),
        value.keys?.length > 0 && make("div", {}, make("h3", {}, "What it answers to most"), make("ul", { class: "chips" }, value.keys.map(([text, strength, share]) => chip([text, share ?? strength], share === undefined ? number : percent)))),
        value.families?.length > 0 && make("p", { class: "small faint" }, `Kinds of description that were tried (r): ${value.families.map(([name, r]) => `${name} ${number(r)}`).join(", ")}. Made from ${value.source ?? "tables"}.`),
        value.others?.length > 0 && make("div", {}, make("h3", {}, "Other descriptions"), make("ul", { class: "plain" }, value.others.map(one => make("li", {}, one.text, make("span", { class: "faint" }, ` ${one.source}, r ${number(one.r)}`))))),
        held.length > 0 && make("details", { class: "small" }, make("summary", {}, "All numbers of the controls"), B.rows(held.map(({ kind: name, ...one }) => ({ kind: kindOf(site, name), ...one })))),
      );
    },
  };

  const examples = {
    title: "What it answers to",
    draw: (value, { site, material }) => {
      if (!material) return B.say("The texts or pictures of the examples are not in this folder.");
      const max = 100 * value.step, seen = site.facts.modality === "vision";
      const some = (list, { bare = false } = {}) => seen
        ? make("ul", { class: "pictures" }, list.map(one => make("li", {}, B.context.picture(material, one, { max, bare }))))
        : make("ol", { class: "examples" }, list.map(one => make("li", {}, B.context.text(material, one, { max, aligned: true }))));
      const box = make("div", {});
      const quantile = one => [
        make("p", { class: "quantile" }, make("span", {}, `${number(one.low)} to ${number(one.high)}`), make("span", {}, `${percent(one.share)} of ${seen ? "places" : "tokens"}`)), some(one.examples, box),
      ];
      const fill = bare => {
        box.bare = bare;
        box.replaceChildren(
          make("h3", {}, `Highest activations (up to ${number(max)})`), some(value.top ?? [], { bare }),
          ...(value.quantiles?.length ? [make("h3", {}, "From every part of its range"), ...value.quantiles.filter(one => one.examples?.length).toReversed().flatMap(quantile)] : []),
        );
      };
      fill(false);
      const toggle = make("button", { type: "button", "aria-pressed": "false", onclick: () => {
        const on = toggle.getAttribute("aria-pressed") !== "true";
        toggle.setAttribute("aria-pressed", String(on));
        if (seen) fill(on); else box.classList.toggle("values", on);
      } }, seen ? "Pictures without shading" : "Show values");
      return make("div", {}, make("p", { class: "small faint" }, seen ? "Shaded: the places that drive it." : "Shaded: activation, orange above and blue below zero. The peak is underlined; contexts end where the window does.", " ", toggle), box);
    },
  };

  const histogram = {
    title: "How often, how strongly",
    draw: (value, { site }) => {
      const { edges, counts, silent, n } = value, most = Math.max(1, ...counts), rows = `${n.toLocaleString("en")} ${seen(site) ? "places" : "tokens"}`;
      if (n > 0 && silent === n) return make("p", {}, `Never active in these ${rows}.`);
      const height = one => `${100 * Math.log1p(one) / Math.log1p(most)}%`;
      const said = `Histogram of ${n} rows, from ${number(edges[0])} to ${number(edges.at(-1))}; the most in one bar: ${most}`;
      return make(
        "div", {},
        make("div", { class: "histogram", role: "img", "aria-label": said }, counts.map((one, i) => make("i", { class: edges[i + 1] <= 0 ? "minus" : null, title: `${number(edges[i])} to ${number(edges[i + 1])}: ${one}`, style: { height: height(one) } }))),
        make("div", { class: "axis", "aria-hidden": "true" }, make("span", {}, number(edges[0])), make("span", {}, "activation (heights by log of counts)"), make("span", {}, number(edges.at(-1)))),
        silent > 0 && make("p", { class: "small" }, `Active in ${(n - silent).toLocaleString("en")} of ${rows} (${percent((n - silent) / n)}).`),
        make("details", { class: "small" }, make("summary", {}, "The counts as a table"), B.rows(counts.map((one, i) => ({ from: edges[i], to: edges[i + 1], rows: one })))),
      );
    },
  };

  const tokens = {
    title: "What it writes into the output",
    draw: value => make(
      "div", {},
      make("div", { class: "columns" },
        make("div", {}, make("h3", {}, "Promoted"), make("ul", { class: "chips" }, (value.promoted ?? []).map(one => chip(one)))),
        make("div", {}, make("h3", {}, "Suppressed"), make("ul", { class: "chips" }, (value.suppressed ?? []).map(one => chip(one))))),
      typeof value.kurtosis === "number" && make("p", { class: "small faint" }, `Kurtosis over the vocabulary ${number(value.kurtosis)}: how much it singles tokens out.`, typeof value.pushed_r === "number" && ` Rank correlation with what pushing it does: ${number(value.pushed_r)}.`),
    ),
  };

  const place = {
    title: "Where on the sheet",
    draw: (value, { site, of, id }) => {
      const parts = [];
      if (value.mass) {
        if (B.sheet?.map && site.sheet) {
          const values = new Array(site.n.unit).fill(0);
          for (const [unit, share] of value.mass) values[unit] = share;
          parts.push(B.sheet.map(site, { of: "unit", values, mark: [value.x, value.y] }));
        }
        const facts = [["spread", value.spread, value.units ?? ""], ["effective units", value.effective_units, ""], ["Moran's I", value.morans_i, value.p === null || value.p === undefined ? "" : `p ${number(value.p)}`]];
        parts.push(make("p", { class: "small" }, facts.filter(([, one]) => one !== undefined && one !== null).map(([name, one, more]) => `${name} ${number(one)} ${more}`.trim()).join(" · ")));
        parts.push(make("details", { class: "small", open: !B.sheet?.map }, make("summary", {}, "Units that it writes into most"), links(site, "unit", value.mass.slice(0, 12), ([share]) => percent(share))));
      }
      if (value.used_by) parts.push(make("h3", {}, "Features that use it"), links(site, "feature", value.used_by, ([weight]) => number(weight)));
      if (of === "unit" && site.sheet && !value.mass) {
        parts.unshift(make("p", { class: "small" }, `At ${number(site.sheet.x[id])}, ${number(site.sheet.y[id])}${site.sheet.unit ? ` (${site.sheet.unit})` : ""}`));
        if (B.sheet?.map) parts.unshift(B.sheet.map(site, { of: "unit", values: site.sheet.x.map((_, i) => i === id ? 1 : 0), mark: [site.sheet.x[id], site.sheet.y[id]] }));
      }
      return parts.length ? make("div", {}, parts) : null;
    },
  };

  const neighbours = {
    title: "Neighbours",
    draw: (value, { site, of, id }) => {
      const alike = new Set((value.functional ?? []).map(([one]) => one)), topics = B.column(site, of, "topic"), mine = topics?.values[id];
      const both = (value.sheet ?? []).map(([one]) => one).filter(one => alike.has(one));
      const same = B.colors.isNumber(mine) && mine >= 0 ? (value.sheet ?? []).map(([one]) => one).filter(one => topics.values[one] === mine) : null;
      const list = ids => ids.map((one, i) => [i ? ", " : "", B.link_to(site, of, one)]);
      const control = controlsOf(site, "neighbours", of).find(one => one.shared !== undefined);
      return make(
        "div", {},
        value.shared !== undefined && value.shared !== null && make("p", {}, `${percent(value.shared)} of its neighbours on the sheet are among those that answer alike`, control && make("span", { class: "faint" }, `; ${percent(control.shared)} on a ${control.kind}`), "."),
        value.sheet?.length > 0 && value.functional?.length > 0 && make("p", { class: "small both" }, both.length ? ["Near and alike: ", list(both), ". "] : "None of the nearest is among those that answer most alike. ",
          same && [`Of the same topic cluster (${topics.categories[mine]}): `, same.length ? list(same) : "none of the nearest", ". "],
          site.sheet && make("a", { href: B.open({ site: site.key, page: "sheet", of, beside: null, colour: same ? "topic" : null, selected: [id, ...value.sheet.map(([one]) => one)].toSorted((a, b) => a - b).join(",") }) }, "These on the sheet")),
        make("div", { class: "columns" },
          value.sheet && make("div", {}, make("h3", {}, "On the sheet"), links(site, of, value.sheet, ([distance, r]) => `${number(distance)} away${r === undefined || r === null ? "" : `, r ${number(r)}`}`)),
          value.functional && make("div", {}, make("h3", {}, "By what they answer to"), links(site, of, value.functional, ([r, distance]) => `r ${number(r)}${distance === undefined || distance === null ? "" : `, ${number(distance)} away`}`)),
          value.units?.length > 0 && make("div", {}, make("h3", {}, of === "feature" ? "Units that answer alike" : "Correlated units"), links(site, "unit", value.units, ([r]) => `r ${number(r)}`))),
      );
    },
  };

  const twins = {
    title: "The same in other networks and seeds", controls: true,
    draw: (value, { site, of, id }) => {
      if (!value.matches?.length) return null;
      const shows = ["cosine", "r", "held_out_r"].filter(key => value.matches.some(one => one[key] !== undefined && one[key] !== null));
      const row = match => {
        const other = match.site ? B.site(match.site) : null, kind = match.of ?? of;
        const text = match.text ?? (other && B.column(other, kind, "description")?.values[match.id]);
        return make(
          "tr", {},
          make("th", { scope: "row" }, other ? B.link_to(other, kind, match.id, { text: `${kind} ${match.id}`, more: { beside: null } }) : `${kind} ${match.id}`, make("div", { class: "faint small" }, match.where, other && other.title !== match.where && ` · ${other.title}`), text && make("div", { class: "small" }, text),
            other && make("div", { class: "small" }, make("a", { href: B.open({ site: site.key, page: of, id, beside: other.key, with: kind === of ? match.id : null }) }, "put beside")),
            match.splits?.length > 1 && make("div", { class: "faint small" }, `splits into ${match.splits.map(([number_, cosine]) => `${number_} (${number(cosine)})`).join(", ")}`)),
          shows.map(key => make("td", { class: "number" }, number(match[key]))),
        );
      };
      const held = controlsOf(site, "twins", of), whose = key => key ? B.site(key)?.title ?? key : "the other seed";
      const called = one => one.site === undefined || String(one.kind).includes(whose(one.site)) ? one.kind : `${one.kind}, beside ${whose(one.site)}`;
      // the best match, and the most that something reaches which cannot have what this one has
      const verdict = value.matches.filter((one, i) => value.matches.findIndex(other => (other.site ?? null) === (one.site ?? null) && other.of === one.of) === i).map(match => {
        const floors = held.filter(one => (one.site === undefined || one.site === (match.site ?? null)) && !/median of all|directions/.test(one.kind) && typeof one.r === "number"), r = match.held_out_r ?? match.r;
        if (!floors.length || typeof r !== "number") return null;
        const median = held.find(one => one.site === (match.site ?? null) && /median of all/.test(one.kind));
        const floor = floors.reduce((most, one) => one.r > most.r ? one : most), found = match.site ? whose(match.site) : match.where;
        return make("p", { class: "small verdict" }, `${found[0].toUpperCase()}${found.slice(1)}: ${match.of ?? of} ${match.id} is the most alike, ${match.held_out_r === null || match.held_out_r === undefined ? "r" : "held-out r"} ${number(r)}, ${r > floor.r ? `more than the highest control (${floor.kind}: ${number(floor.r)})${median ? `; the median of all is ${number(median.r)}` : ""}.` : `no more than a control (${floor.kind}: ${number(floor.r)}): the same one was not found there.`}`);
      });
      const floor = one => make("tr", { class: "control" }, make("th", { scope: "row" }, called(one)), shows.map(key => make("td", { class: "number" }, one[key] === undefined ? "" : number(one[key]))));
      return make("div", {}, verdict, make("div", { class: "scroll", role: "region", "aria-label": "The most alike" }, make("table", { class: "whole" },
        make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "best match"), shows.map(key => make("th", { scope: "col", class: "number" }, B.titled(key))))),
        make("tbody", {}, value.matches.map(row), held.map(floor)))));
    },
  };

  // In a sentence: the region of largest r, and whether that is beyond chance for one that was picked beforehand, and for the best of all.
  const byNoise = one => /random columns/.test(one.kind);
  function most(site, of, benchmark, regions) {
    const [name, r, , p] = regions.reduce((best, one) => Math.abs(one[1] ?? 0) > Math.abs(best[1] ?? 0) ? one : best), k = regions.length;
    const noise = controlsOf(site, "brain", of).find(one => byNoise(one) && (!one.region || one.region === name) && (!one.benchmark || one.benchmark === benchmark));
    const corrected = typeof p === "number" ? Math.min(1, k * p) : null;
    return make("p", { class: "verdict" }, `Most: ${name}, r ${number(r)}. `,
      corrected !== null && `${corrected <= 0.05 ? "More" : "No more"} than chance for a ${of} that was picked beforehand (p ${number(corrected)}, for ${k} regions). `,
      noise && `The best of as many columns of noise as there are ${of}s reaches ${number(noise.r)} there${Math.abs(r) > noise.r ? "." : `: found by looking through all ${of}s, it would be chance.`}`);
  }

  // The controls by region: the best of all on stimuli that it was not chosen on, of a dictionary that never learnt, and of noise.
  function beside(site, of) {
    const rows = controlsOf(site, "brain", of);
    if (!rows.some(one => one.region)) return rows.length ? make("div", { class: "against" }, B.rows(rows, { caption: "Controls" })) : null;
    const kinds = [[one => !byNoise(one) && !/untrained/.test(one.kind), `best ${of}`], [one => /untrained/.test(one.kind), "untrained"], [byNoise, "noise"]].filter(([is]) => rows.some(is));
    const at = [...new Set(rows.map(one => JSON.stringify([one.benchmark ?? null, one.region])))].map(one => JSON.parse(one)), many = new Set(at.map(([benchmark]) => benchmark)).size > 1;
    const table = at.map(([benchmark, region]) => {
      const mine = rows.filter(one => one.region === region && (one.benchmark ?? null) === benchmark), best = mine.find(kinds[0][0]);
      return { region: many ? `${region}, ${benchmark}` : region, ...Object.fromEntries(kinds.map(([is, name]) => [name, mine.find(is)?.r])), ...(rows.some(one => typeof one.p === "number") ? { p: best?.p } : {}) };
    });
    return make("div", { class: "against" }, B.rows(table, { caption: "Controls: r of the best of all" }),
      make("p", { class: "small faint" }, `The best ${of}, and that of an untrained dictionary, are chosen on one half of the stimuli and measured on the other (p by shuffled stimuli); noise: the best of as many random columns.`));
  }

  const brain = {
    title: "What it predicts of the brain", controls: true,
    draw: (value, { site, of }) => {
      const found = (Array.isArray(value) ? value : [value]).filter(one => one?.regions?.length);
      if (!found.length) return null;
      const one = ({ benchmark, n, regions }) => {
        if (regions.every(([, r]) => !r)) return make("p", {}, `${benchmark}: it is the same for all ${n} stimuli, as one that is never active there, and so predicts nothing of ${regions.length > 1 ? `these ${regions.length} regions` : regions[0][0]}.`);
        const every = regions.flatMap(([, r, ceiling]) => [r ?? 0, ceiling ?? 0]);
        const rows = regions.map(([name, r, ceiling, p]) => ({ name, value: r, tick: ceiling ?? null, more: make("span", { class: "faint" }, `${ceiling === null || ceiling === undefined ? "" : ` of ${number(ceiling)}`}${p === null || p === undefined ? "" : `, p ${number(p)}`}`) }));
        const drawn = bars(rows, { low: Math.min(0, ...every), high: Math.max(0.1, ...every), caption: `${benchmark}, ${n} stimuli: r with each region; the mark is the ceiling` });
        return [drawn, most(site, of, benchmark, regions)];
      };
      return make("div", {}, found.map(one), beside(site, of));
    },
  };

  const probes = {
    title: "What can be read from it",
    draw: (value, { site, of }) => {
      if (!value.length) return make("p", { class: "faint" }, `It is not among the ${of}s that tell a property best.`);
      const rows = value.map(([property, f1, precision, recall, rank, t]) => ({ property, F1: f1, precision, recall, rank, t }));
      return B.rows(rows, {  caption: `As a probe of one ${of}, on ${seen(site) ? "pictures" : "documents"} that it was not fitted on; rank among all ${of}s` });
    },
  };

  const lesionRows = lesion => ["lesion", "edit"].filter(key => lesion[key]).map(key => {
    const { elsewhere, interval, specific, ...rest } = lesion[key];
    return { what: key === "lesion" ? "its units silenced" : "it alone taken out", ...rest, "at other tokens": elsewhere, specific, "95 % of specific": interval };
  });
  // What silence costs where it fires, and how much of that is its own.
  function costs({ fires, elsewhere, other_fires: other, n_fires: n }, of) {
    if (typeof fires !== "number") return null;
    if (!n && !fires && !elsewhere) return make("p", { class: "verdict" }, "It fires at none of the tokens that were read for this: its silence changes nothing.");
    const own = typeof other === "number" ? fires - other : null;
    return make("p", { class: "verdict" }, `Where it fires${n ? ` (${n} token${n === 1 ? "" : "s"})` : ""} the loss ${fires > 0 ? "rises" : "falls"} by ${number(Math.abs(fires))} nats`,
      own !== null && `, ${number(Math.abs(own))} ${own > 0 ? "more" : "less"} than where another ${of} is silenced at the same tokens`, typeof elsewhere === "number" && `; elsewhere it changes by ${number(elsewhere)}`, ".", n > 0 && n < 20 && " That is few tokens to judge by.");
  }
  const effects = {
    title: "What its silence changes",
    draw: async (value, { site, id, of }) => {
      const whole = site.sections.whole.includes("effects") ? await B.get(`${site.key}/effects`).catch(() => null) : null;
      const lesion = of === "feature" ? whole?.lesions?.find(one => one.feature === id) : null;
      const most = Math.max(value.fires ?? 0, value.elsewhere ?? 0, value.other_fires ?? 0, 1e-9), least = Math.min(0, value.fires ?? 0, value.elsewhere ?? 0, value.other_fires ?? 0);
      const rows = [
        { name: "where it fires", value: value.fires, more: value.n_fires ? make("span", { class: "faint" }, ` n ${value.n_fires}`) : null },
        { name: "elsewhere", value: value.elsewhere, more: value.n_elsewhere ? make("span", { class: "faint" }, ` n ${value.n_elsewhere}`) : null },
        { name: "another silenced where it fires", value: value.other_fires, control: true },
      ].filter(one => one.value !== undefined);
      const against = lesion?.controls ? Object.entries(lesion.controls).map(([kind, found]) => {
        const one = found.specific ?? Object.values(found)[0] ?? {};
        return { kind, draws: one.n, "mean specific": one.mean, excess: one.excess, "95 %": one.interval?.map(number).join(" to "), p: one.p };
      }) : [];
      return make(
        "div", {}, costs(value, of), bars(rows, { low: least, high: most, caption: "Change of the loss (nats) when it is silenced" }),
        value.most?.length > 0 && make("div", {}, make("h3", {}, "Tokens that suffer most"), make("ul", { class: "chips" }, value.most.map(one => chip(one)))),
        lesion && make("div", {}, make("h3", {}, `Its lesion: ${lesion.units?.length ?? 0} units`), B.rows(lesionRows(lesion)), against.length > 0 && B.rows(against, { caption: "Beside lesions of other units (specific: the change where it fires minus that at other tokens)" })),
      );
    },
  };

  // The order of this list is that of the page.
  Object.assign(B.blocks, { description, examples, tokens, neighbours, histogram, brain, twins, effects, place, probes, numbers });
})();
