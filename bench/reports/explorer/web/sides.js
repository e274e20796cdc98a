"use strict";
// What two sites beside each other share: one cursor, one selection, one colour scale, one window on the sheet.
(() => {
  const idsOf = text => (text ? String(text).split(",").filter(one => /^\d+$/.test(one)).map(Number) : []);

  function sides(site, beside, of) {
    const sites = [site, ...(beside && beside !== site ? [beside] : [])];
    const all = sites.map(one => B.places(one, of));
    const listeners = new Set();
    // numbers mean the same only for units, and only where both sites have as many
    const byNumber = of === "unit" && sites.length > 1 && sites[0].n.unit === sites[1].n.unit;
    const moves = new Map();

    function move(from, to, id) {
      if (from === to || byNumber) return id;
      const key = `${from} ${id}`;
      if (!moves.has(key)) moves.set(key, B.places.across(all[from], all[to], id));
      return moves.get(key);
    }
    // chosen in `to` are those whose counterpart in `from` is chosen
    function carry(from, to, ids) {
      if (from === to || byNumber) return ids.filter(id => id < all[to].n);
      const chosen = new Set(ids), found = [];
      if (chosen.size) for (let id = 0; id < all[to].n; id++) if (all[to].placed(id) && chosen.has(move(to, from, id))) found.push(id);
      return found;
    }

    const made = {
      sites, of, byNumber, places: all, cursor: null, window: { zoom: 1, u: 0.5, v: 0.5 },
      selected: [], ownLimits: false,
      listen: tell => listeners.add(tell),
      tell: what => { for (const one of listeners) one(what); },
      // the cursor: which one of which site, and what of the others is meant by it
      point: (k, id) => { made.cursor = id === null ? null : { k, id }; made.tell("cursor"); },
      pointed: k => (made.cursor ? move(made.cursor.k, k, made.cursor.id) : null),
      // while a key is held the address waits, since browsers let it change only so often
      choose: (k, ids, { held = false } = {}) => {
        made.selected = sites.map((_, to) => (to === k ? ids : carry(k, to, ids)));
        const changes = { selected: made.selected[0].join(","), of };
        if (held) B.state = { ...B.state, ...changes }; else B.go(changes, { replace: true });
        made.tell("selected");
      },
      look: view => { Object.assign(made.window, view); made.tell("window"); },
    };
    const first = idsOf(B.state.selected).filter(id => id < all[0].n);
    made.selected = sites.map((_, to) => carry(0, to, first));
    return made;
  }

  // In words, what the second site shows for the first one's cursor and selection.
  sides.sentence = made => (made.sites.length < 2 ? null
    : made.byNumber ? `One cursor and one selection: the same ${made.of} numbers in both.`
    : `One cursor and one selection: what lies at the same place of both sheets; numbers of one say nothing of the other.`);

  // Scales of a column in each site: one for both, or each its own where the reader asks for that.
  sides.scales = (made, name) => {
    const columns = made.sites.map(one => B.column(one, made.of, name));
    const present = columns.filter(Boolean), shared = present.length && !made.ownLimits ? B.colors.scale(present) : null;
    return columns.map(column => {
      if (!column) return null;
      const scale = shared || B.colors.scale([column]);
      return { ...scale, column: scale.columns[shared ? present.indexOf(column) : 0] };
    });
  };

  // Columns of a page with one or two sites; each is headed by its site's title where there are two.
  sides.columns = (site, beside, draw) => {
    const sites = [site, ...(beside && beside !== site ? [beside] : [])];
    return B.make("div", { class: `sides sides${sites.length}` }, sites.map((one, k) => B.make("section", { class: "side", "aria-label": one.title },
      sites.length > 1 ? B.make("h2", {}, one.title) : null, draw(one, k))));
  };

  sides.ids = idsOf;
  B.sides = sides;
})();
