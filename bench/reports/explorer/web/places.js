"use strict";
// Where units and features lie on a sheet, who is next to whom, and the same shape put at other places.
(() => {
  const known = new Map();
  const PLACES = 999;

  function byNumber(n) {
    const across = Math.max(1, Math.ceil(Math.sqrt(1.3 * n)));
    return { x: Array.from({ length: n }, (_, i) => i % across), y: Array.from({ length: n }, (_, i) => Math.floor(i / across)) };
  }

  function given(site, of) {
    if (of === "unit") return site.sheet ? { x: site.sheet.x, y: site.sheet.y } : null;
    const x = B.column(site, of, "x"), y = B.column(site, of, "y");
    return site.sheet && x && y && x.values.some(B.colors.isNumber) ? { x: x.values, y: y.values } : null;
  }

  function ends(values) {
    let low = Infinity, high = -Infinity;
    for (const one of values) if (B.colors.isNumber(one)) { low = Math.min(low, one); high = Math.max(high, one); }
    return low <= high ? [low, high] : [0, 1];
  }

  // Points in squares of a side, so that those around a place are found without looking at all.
  function shelved(x, y, side) {
    const shelf = new Map(), name = (a, b) => a * 100003 + b;
    for (let i = 0; i < x.length; i++) {
      if (!B.colors.isNumber(x[i]) || !B.colors.isNumber(y[i])) continue;
      const key = name(Math.floor(x[i] / side), Math.floor(y[i] / side));
      if (shelf.has(key)) shelf.get(key).push(i); else shelf.set(key, [i]);
    }
    return (px, py, most) => {
      let best = null, least = most * most;
      const a = Math.floor(px / side), b = Math.floor(py / side), last = Math.ceil(most / side);
      for (let ring = 0; ring <= last; ring++) {
        for (let i = a - ring; i <= a + ring; i++) for (let j = b - ring; j <= b + ring; j++) {
          if (Math.max(Math.abs(i - a), Math.abs(j - b)) !== ring) continue;
          for (const one of shelf.get(name(i, j)) || []) {
            const away = (x[one] - px) ** 2 + (y[one] - py) ** 2;
            if (away < least || (away === least && best === null)) { least = away; best = one; }
          }
        }
        if (best !== null && least <= (ring * side) ** 2) break;
      }
      return best;
    };
  }

  // Between which two values nearly all lie.
  function bulk(values) {
    const sorted = Float64Array.from(values.filter(B.colors.isNumber)).sort();
    return [0.01, 0.99].map(q => sorted[Math.round(q * (sorted.length - 1))] ?? 0);
  }

  // As if they were spread evenly; on a line, along it.
  function spacingOf(n, wide, high) {
    if (!wide || !high) return Math.max(wide, high) / Math.max(1, n - 1) || 1;
    return Math.sqrt(wide * high / Math.max(1, n));
  }

  // All of a kind in a site: x, y, whether they are cells of a grid, whether the sheet is known, its box and spacing.
  function places(site, of) {
    const key = `${site.key} ${of}`;
    if (known.has(key)) return known.get(key);
    const found = given(site, of), n = site.n[of], { x, y } = found || byNumber(n);
    const base = found && of === "feature" ? given(site, "unit") : { x, y };
    const [x0, x1] = ends(base.x), [y0, y1] = ends(base.y);
    const whole = values => values.every(one => Number.isInteger(one));
    const grid = (!found || (of === "unit" && site.sheet.unit === "cell")) && whole(x) && whole(y);
    const bare = { x0, x1, y0, y1 };
    const most = [bulk(x), bulk(y)], spacing = grid ? 1 : spacingOf(n, most[0][1] - most[0][0], most[1][1] - most[1][0]);
    const margin = grid ? 0.5 : of === "feature" && found && places(site, "unit").grid ? 0.5 : 0.6 * spacing;
    const box = { x0: x0 - margin, x1: x1 + margin, y0: y0 - margin, y1: y1 + margin };
    const at = shelved(x, y, spacing);
    const made = { site, of, n, x, y, grid, onSheet: Boolean(found), bulk: most, bare, box, spacing, unit: found ? site.sheet.unit : "",
      periodic: Boolean(found && grid && site.sheet.periodic), placed: i => B.colors.isNumber(x[i]) && B.colors.isNumber(y[i]),
      nearest: (px, py, most = Infinity) => at(px, py, Math.min(most, Math.hypot(box.x1 - box.x0, box.y1 - box.y0))) };
    known.set(key, made);
    return made;
  }

  // Where the other site has what lies at the place of one: both sheets stretched to the same size.
  function across(from, to, id) {
    if (!from.placed(id)) return null;
    const part = (value, low, high) => (high > low ? (value - low) / (high - low) : 0.5);
    const u = part(from.x[id], from.bare.x0, from.bare.x1), v = part(from.y[id], from.bare.y0, from.bare.y1);
    return to.nearest(to.bare.x0 + u * (to.bare.x1 - to.bare.x0), to.bare.y0 + v * (to.bare.y1 - to.bare.y0));
  }

  // Whether a place is inside a polygon [[x, y], ...].
  function inside(polygon, px, py) {
    let within = false;
    for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
      const [ax, ay] = polygon[i], [bx, by] = polygon[j];
      if (ay > py !== by > py && px < (bx - ax) * (py - ay) / (by - ay) + ax) within = !within;
    }
    return within;
  }
  function enclosed(place, polygon) {
    const found = [];
    for (let i = 0; i < place.n; i++) if (place.placed(i) && inside(polygon, place.x[i], place.y[i])) found.push(i);
    return found;
  }

  // The next one in a direction: (1, 0) is right, (0, 1) is down.
  function next(place, id, dx, dy) {
    let best = null, least = Infinity;
    for (let i = 0; i < place.n; i++) {
      if (i === id || !place.placed(i)) continue;
      const along = dx * (place.x[i] - place.x[id]) + dy * (place.y[i] - place.y[id]);
      const aside = Math.abs(dy * (place.x[i] - place.x[id]) + dx * (place.y[i] - place.y[id]));
      if (along <= 1e-9 || aside > along) continue;
      const cost = along + 2 * aside;
      if (cost < least) { least = cost; best = i; }
    }
    return best === null ? id : best;
  }

  // Numbers that look drawn at random and are the same each time (mulberry32).
  function random(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  // The same shape with its middle put on another one; null where too little of it stays on the sheet.
  function shifted(place, ids, dx, dy) {
    const wide = place.bare.x1 - place.bare.x0 + 1, high = place.bare.y1 - place.bare.y0 + 1;
    const wrap = (value, low, size) => (place.periodic ? low + ((value - low) % size + size) % size : value);
    const found = new Set();
    let kept = 0;
    for (const id of ids) {
      const x = wrap(place.x[id] + dx, place.bare.x0, wide), y = wrap(place.y[id] + dy, place.bare.y0, high);
      const one = place.nearest(x, y, place.grid ? 0.25 : 1.5 * place.spacing);
      if (one === null) continue;
      kept++;
      found.add(one);
    }
    return kept >= 0.9 * ids.length ? [...found] : null;
  }

  function middle(place, ids) {
    const mean = values => ids.reduce((sum, i) => sum + values[i], 0) / ids.length;
    const x = mean(place.x), y = mean(place.y);
    return ids.reduce((best, i) => (Math.hypot(place.x[i] - x, place.y[i] - y) < Math.hypot(place.x[best] - x, place.y[best] - y) ? i : best));
  }

  const meanOf = (ids, values) => {
    let sum = 0, n = 0;
    for (const i of ids) if (B.colors.isNumber(values[i])) { sum += values[i]; n++; }
    return n ? sum / n : null;
  };

  // The share that the commonest of some categories has, whichever it is.
  function purity(ids, values) {
    const counts = new Map();
    let n = 0, most = 0;
    for (const i of ids) {
      if (!B.colors.isNumber(values[i])) continue;
      const count = (counts.get(values[i]) || 0) + 1;
      counts.set(values[i], count);
      most = Math.max(most, count);
      n++;
    }
    return n ? most / n : null;
  }

  function judged(means, seen) {
    const n = means.length;
    if (!n || seen === null) return { n, mean: null, larger: null };
    return { n, mean: means.reduce((a, b) => a + b, 0) / n, larger: means.filter(one => one >= seen - 1e-12 * Math.abs(seen)).length / n };
  }

  // A statistic of chosen ones beside all, beside the same shape at other places, and beside as many drawn at random.
  function control(place, ids, values, statistic = meanOf) {
    const chosen = ids.filter(place.placed), seen = statistic(ids, values), draw = random(1);
    const everywhere = Array.from({ length: place.n }, (_, i) => i), valued = everywhere.filter(i => B.colors.isNumber(values[i]));
    const moved = [];
    if (chosen.length && place.onSheet) {
      const home = middle(place, chosen), targets = everywhere.filter(i => i !== home && place.placed(i));
      for (let i = targets.length - 1; i > 0; i--) { const j = Math.floor(draw() * (i + 1)); [targets[i], targets[j]] = [targets[j], targets[i]]; }
      for (const one of targets.slice(0, Math.max(99, Math.min(PLACES, Math.floor(3e5 / chosen.length))))) {
        const there = shifted(place, chosen, place.x[one] - place.x[home], place.y[one] - place.y[home]);
        const mean = there && statistic(there, values);
        if (B.colors.isNumber(mean)) moved.push(mean);
      }
    }
    const n = ids.filter(i => B.colors.isNumber(values[i])).length, drawn = [];
    for (let k = 0; n && k < PLACES; k++) {
      for (let i = 0; i < n; i++) { const j = i + Math.floor(draw() * (valued.length - i)); [valued[i], valued[j]] = [valued[j], valued[i]]; }
      drawn.push(statistic(valued.slice(0, n), values));
    }
    return { n: ids.length, mean: seen, all: statistic(everywhere, values), places: judged(moved, seen), draws: judged(drawn, seen) };
  }

  B.places = Object.assign(places, { across, enclosed, next, control, purity });
})();
