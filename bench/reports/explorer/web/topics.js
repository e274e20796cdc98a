"use strict";
// Units grouped by the texts that they matter for: words, topics, and whether a group lies together on the sheet.
(() => {
  const toSheet = (site, of, cluster) => B.open({ site: site.key, page: "sheet", of, colour: B.column(site, of, "topic") ? "topic" : null, selected: Array.from(cluster.units).join(",") });

  function joins(cluster, controls, site) {
    if (!site.sheet || !B.colors.isNumber(cluster.joins)) return null;
    const beside = (controls || []).find(one => B.colors.isNumber(one.joins));
    const together = cluster.p <= 0.05 && cluster.joins > (beside ? beside.joins : 1);
    return B.make("p", { class: "joins" }, `${together ? "Lies together" : "Does not lie together beyond chance"}: joins ${B.number(cluster.joins)}${beside ? `, ${beside.kind} ${B.number(beside.joins)}` : ""}, p ${B.number(cluster.p)}.`);
  }

  function card(site, of, cluster, controls) {
    const topics = cluster.topics || [];
    return B.make("li", { class: "cluster", "data-number": cluster.number }, B.make("h3", {}, B.make("a", { href: toSheet(site, of, cluster) }, `Cluster ${cluster.number}`), B.make("span", { class: "faint" }, ` ${cluster.units.length} ${of}s`)),
      site.sheet ? B.make("a", { href: toSheet(site, of, cluster), tabindex: -1, "aria-hidden": "true" }, B.sheet.map(site, { of, selected: cluster.units, size: 150, label: `cluster ${cluster.number} on the sheet` })) : null,
      B.make("p", {}, cluster.words.length ? cluster.words.map(([word, odds], i) => [i ? ", " : "", B.make("strong", {}, String(word).trim() || JSON.stringify(word)), B.make("span", { class: "faint" }, ` ${B.number(odds)}`)]) : "No word stands out."),
      topics.length ? B.chart.table("topics", ["topic", "log odds", "q"], topics.map(([name, odds, q]) => [name, odds, q ?? null])) : B.make("p", { class: "faint" }, "No topic at the false discovery rate."),
      joins(cluster, controls, site));
  }

  async function draw(main, state, site, beside) {
    const sites = [site, ...(beside ? [beside] : [])];
    const wholes = await Promise.all(sites.map(one => (one.sections.whole.includes("topics") ? B.get(`${one.key}/topics`) : null)));
    const side = (one, k) => {
      const whole = wholes[k], controls = one.controls.topics || [];
      if (!whole) return B.make("p", {}, "No clusters were made here.");
      const of = whole.of || "unit";
      return [B.make("ul", { class: "cards clusters" }, whole.clusters.map(cluster => card(one, of, cluster, controls))),
        controls.length ? B.make("p", { class: "faint" }, `Beside them: ${controls.map(row => `${row.kind}: ${B.colors.controlText(row)}`).join("; ")}.`) : null];
    };
    main.append(B.make("h1", {}, "Topics"), B.make("p", { class: "intro" }, "Units in clusters by the texts that they matter for. Joins count neighbours of one cluster on the sheet, beside permuted layouts; numbers of clusters of two layers are not the same clusters."),
      B.sides.columns(site, beside, side));
  }

  B.pages.topics = { title: "Topics", draw };
})();
