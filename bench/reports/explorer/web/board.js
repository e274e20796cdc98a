"use strict";
// A canvas on which units are cells or discs, and features are points: painted, pointed at, searched by keys, selected from.
(() => {
  const CLICK = 5; // pixels that a click may move
  const patterns = new Map();

  // Stripes or dots that are laid over a colour; drawn once for each size of pixels.
  function pattern(context, kind, colour, ratio) {
    const key = `${kind} ${colour} ${ratio}`;
    if (!patterns.has(key)) {
      const tile = document.createElement("canvas"), side = Math.round(6 * ratio);
      tile.width = tile.height = side;
      const on = tile.getContext("2d");
      on.strokeStyle = on.fillStyle = colour;
      on.lineWidth = 1.2 * ratio;
      on.beginPath();
      if (kind === "dots") on.arc(side / 2, side / 2, 1.2 * ratio, 0, 7);
      else for (const shift of [-side, 0, side]) { on.moveTo(shift, side); on.lineTo(shift + side, 0); }
      if (kind === "dots") on.fill(); else on.stroke();
      patterns.set(key, context.createPattern(tile, "repeat"));
    }
    return patterns.get(key);
  }

  function sized(canvas, width, height) {
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    return ratio;
  }

  // From places of the sheet to pixels, for a size and a window { zoom, u, v } of which u and v are the middle.
  function projection(box, width, height, { zoom = 1, u = 0.5, v = 0.5 } = {}) {
    const wide = box.x1 - box.x0, high = box.y1 - box.y0;
    const scale = Math.min(width / wide, height / high) * zoom;
    const cx = box.x0 + u * wide, cy = box.y0 + v * high;
    return { scale, x: x => (x - cx) * scale + width / 2, y: y => (y - cy) * scale + height / 2,
      back: (px, py) => [(px - width / 2) / scale + cx, (py - height / 2) / scale + cy] };
  }

  const radiusOf = (place, scale) => (place.grid ? 0.5 * scale : Math.max(1.7, Math.min(place.of === "feature" ? 7 : 14, 0.42 * place.spacing * scale)));

  function shape(context, kind, x, y, r) {
    context.beginPath();
    if (kind === 1) context.rect(x - r, y - r, 2 * r, 2 * r);
    else if (kind === 2) { context.moveTo(x, y - 1.2 * r); context.lineTo(x + 1.2 * r, y + r); context.lineTo(x - 1.2 * r, y + r); context.closePath(); }
    else context.arc(x, y, r, 0, 7);
  }

  function outline(context, place, to, i, r, grow = 0) {
    const x = to.x(place.x[i]), y = to.y(place.y[i]);
    context.beginPath();
    if (place.grid) context.rect(x - r - grow, y - r - grow, 2 * (r + grow), 2 * (r + grow));
    else context.arc(x, y, r + 1.5 + grow, 0, 7);
  }

  // One kind in its colours.
  function paint(context, place, to, { values, scale, ratio, look, size }) {
    const r = radiusOf(place, to.scale), gap = place.grid && to.scale > 5 ? 0.5 : 0, half = r - gap;
    for (let i = 0; i < place.n; i++) { // in the order of their numbers, so that no value hides another
      if (!place.placed(i)) continue;
      const x = to.x(place.x[i]), y = to.y(place.y[i]);
      if (x < -r || y < -r || x > size[0] + r || y > size[1] + r) continue;
      const value = values[i], there = scale.has(value), kind = there ? scale.pattern(value) : 0;
      if (place.grid) {
        context.fillStyle = there ? scale.color(value) : pattern(context, "stripes", look.none, ratio);
        context.fillRect(x - half, y - half, 2 * half, 2 * half);
        if (kind) {
          context.fillStyle = pattern(context, kind === 1 ? "stripes" : "dots", look.paper, ratio);
          context.fillRect(x - half, y - half, 2 * half, 2 * half);
        }
      } else {
        shape(context, kind, x, y, r);
        context.lineWidth = there ? 0.7 : 1;
        context.strokeStyle = there ? look.paper : look.none;
        if (there) { context.fillStyle = scale.color(value); context.fill(); }
        if (!there || r > 2.5) context.stroke();
      }
    }
  }

  // The other kind, without colours: cells under points, or points over cells.
  function paintPlain(context, place, to, look, over) {
    const r = over ? 1.4 : radiusOf(place, to.scale) - (place.grid ? 0.5 : 0);
    context.globalAlpha = over ? 0.75 : 0.3;
    context.fillStyle = over ? look.ink : look.none;
    for (let i = 0; i < place.n; i++) {
      if (!place.placed(i)) continue;
      const x = to.x(place.x[i]), y = to.y(place.y[i]);
      if (place.grid && !over) context.fillRect(x - r, y - r, 2 * r, 2 * r);
      else { context.beginPath(); context.arc(x, y, r, 0, 7); context.fill(); }
    }
    context.globalAlpha = 1;
  }

  function stroke(context, look, wide) {
    context.lineWidth = wide + 2;
    context.strokeStyle = look.dark ? "#000000" : "#ffffff";
    context.stroke();
    context.lineWidth = wide;
    context.strokeStyle = look.ink;
    context.stroke();
  }

  // Around all chosen ones: edges between a chosen cell and one that is not, or a ring for each point.
  function paintChosen(context, place, to, ids, look) {
    const r = radiusOf(place, to.scale);
    context.beginPath();
    if (place.grid) {
      const taken = new Set(ids.map(i => `${place.x[i]} ${place.y[i]}`));
      for (const i of ids) {
        const x = to.x(place.x[i]), y = to.y(place.y[i]);
        for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
          if (taken.has(`${place.x[i] + dx} ${place.y[i] + dy}`)) continue;
          context.moveTo(x + r * (dx || -1), y + r * (dy || -1));
          context.lineTo(x + r * (dx || 1), y + r * (dy || 1));
        }
      }
    } else for (const i of ids) if (place.placed(i)) { const x = to.x(place.x[i]), y = to.y(place.y[i]); context.moveTo(x + r + 1.5, y); context.arc(x, y, r + 1.5, 0, 7); }
    if (ids.length) stroke(context, look, place.grid ? 2 : 1.5);
  }

  // A small map that only shows; `values` one a unit or feature, or a column by name; `mark` a number or a place [x, y].
  function map(site, { of = "unit", values = null, column = null, selected = [], mark = null, size = 180, label = null } = {}) {
    const place = B.places(site, of), named = typeof column === "string" ? B.column(site, of, column) : column;
    const shown = named || { title: "", values: values || new Array(place.n).fill(null), diverging: (values || []).some(one => one < 0) };
    const wide = place.box.x1 - place.box.x0, high = place.box.y1 - place.box.y0;
    const width = wide >= high ? size : Math.max(40, Math.round(size * wide / high)), height = Math.max(40, Math.round(width * high / wide));
    const what = label || [shown.title || "values", `on the ${place.onSheet ? "sheet" : "units by number (no sheet)"} of ${site.title}`,
      selected.length ? `${selected.length} outlined` : "", mark === null ? "" : Array.isArray(mark) ? `${mark.map(B.number).join(", ")} ringed` : `${of} ${mark} ringed`].filter(Boolean).join(", ");
    const canvas = B.make("canvas", { class: "map", role: "img", "aria-label": what, title: what });
    const draw = () => {
      const ratio = sized(canvas, width, height), context = canvas.getContext("2d"), look = B.colors.theme(), scale = B.colors.scale([{ kind: "number", unit: "", ...shown }]);
      context.scale(ratio, ratio);
      const to = projection(place.box, width, height);
      if (values || named) paint(context, place, to, { values: scale.columns[0].values, scale, ratio, look, size: [width, height] });
      else paintPlain(context, place, to, look, false);
      paintChosen(context, place, to, selected, look);
      if (Array.isArray(mark) && B.colors.isNumber(mark[0]) && B.colors.isNumber(mark[1])) { context.beginPath(); context.arc(to.x(mark[0]), to.y(mark[1]), 6, 0, 7); stroke(context, look, 2); }
      if (B.colors.isNumber(mark) && place.placed(mark)) { outline(context, place, to, mark, radiusOf(place, to.scale), 2); stroke(context, look, 2); }
    };
    draw();
    B.colors.onTheme(canvas, draw);
    return canvas;
  }

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  // The window in which nearly all points lie, where they fill little of the sheet; else all of it.
  function fitted(place) {
    const whole = { zoom: 1, u: 0.5, v: 0.5 }, ends = place.bulk;
    if (place.grid || !place.onSheet) return whole;
    const { x0, x1, y0, y1 } = place.box, share = [(ends[0][1] - ends[0][0]) / (x1 - x0), (ends[1][1] - ends[1][0]) / (y1 - y0)];
    const most = Math.max(...share), half = Math.max(0.025, 0.6 * most);
    if (!(most < 0.6)) return whole;
    const middle = (pair, low, high) => Math.max(half, Math.min(1 - half, ((pair[0] + pair[1]) / 2 - low) / (high - low)));
    return { zoom: 1 / (2 * half), u: middle(ends[0], x0, x1), v: middle(ends[1], y0, y1) };
  }

  // The board of site k of what is shared: {element, use(scale), at(id), draw()}.
  function board(shared, k, { say, card, tool, open }) {
    const place = shared.places[k], site = shared.sites[k];
    const other = shared.of === "unit" ? "feature" : "unit", second = () => (B.state.show === "both" && site.n[other] ? B.places(site, other) : null);
    const base = B.make("canvas", { class: "base", "aria-hidden": "true" });
    const top = B.make("canvas", { class: "top", tabindex: 0, role: "application", "aria-label": `${place.onSheet ? "Sheet" : "Grid by number"} of ${site.title}: ${place.n} ${shared.of}s. Arrows move, Enter opens, Shift and arrows select.` });
    const note = B.make("div", { class: "card", hidden: true });
    const element = B.make("div", { class: "board" }, base, top, note);
    let scale = null, width = 0, height = 0, ratio = 1, to = null, drag = null, anchor = null, last = 0;

    function measure() {
      const whole = element.clientWidth;
      if (!whole) return false;
      last = whole;
      const wide = place.box.x1 - place.box.x0, high = place.box.y1 - place.box.y0;
      // as much as is left of the window below where it begins
      const most = Math.max(Math.min(480, whole * high / wide), Math.min(720, innerHeight - element.getBoundingClientRect().top - scrollY - 16));
      width = Math.round(Math.min(whole, Math.max(most, 200) * Math.min(3, wide / high), 760));
      height = Math.round(Math.min(most, Math.max(80, width * high / wide)));
      sized(base, width, height);
      ratio = sized(top, width, height);
      return true;
    }
    function draw() {
      if (!scale || !(width || measure())) return;
      const begun = performance.now(), look = B.colors.theme(), context = base.getContext("2d");
      to = projection(place.box, width, height, shared.window);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      // where the sheet ends
      context.strokeStyle = look.line;
      if (place.onSheet && !place.grid) context.strokeRect(to.x(place.box.x0) + 0.5, to.y(place.box.y0) + 0.5, to.scale * (place.box.x1 - place.box.x0) - 1, to.scale * (place.box.y1 - place.box.y0) - 1);
      const plain = second();
      if (plain && other === "unit") paintPlain(context, plain, to, look, false);
      paint(context, place, to, { values: scale.column.values, scale, ratio, look, size: [width, height] });
      if (plain && other === "feature") paintPlain(context, plain, to, look, true);
      element.dataset.ms = (performance.now() - begun).toFixed(1);
      drawTop();
    }
    function drawTop() {
      if (!to) return;
      const look = B.colors.theme(), context = top.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      paintChosen(context, place, to, shared.selected[k], look);
      const id = shared.pointed(k);
      if (id !== null && place.placed(id)) { outline(context, place, to, id, radiusOf(place, to.scale), 2); stroke(context, look, 2); }
      if (drag && drag.path.length > 1 && drag.kind === "lasso") {
        context.beginPath();
        drag.path.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
        context.closePath();
        context.setLineDash([5, 4]);
        stroke(context, look, 1.5);
        context.setLineDash([]);
      }
      showCard(id);
    }
    function showCard(id) {
      note.hidden = id === null || !place.placed(id) || Boolean(drag);
      if (note.hidden) return;
      note.replaceChildren(card(k, id));
      const x = to.x(place.x[id]), y = to.y(place.y[id]);
      const left = Math.max(0, Math.min(x + 14, element.clientWidth - note.offsetWidth - 2));
      note.style.left = `${left}px`;
      note.style.top = `${y + 14 + note.offsetHeight > height && y > note.offsetHeight ? y - note.offsetHeight - 12 : y + 14}px`;
    }

    const within = event => { const box = top.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    function found(px, py) {
      const [x, y] = to.back(px, py);
      return place.nearest(x, y, place.grid ? 0.71 : Math.max(radiusOf(place, to.scale) + 6, 8) / to.scale);
    }
    function zoom(factor, px = width / 2, py = height / 2) {
      const next = Math.max(1, Math.min(20, shared.window.zoom * factor)), [x, y] = to.back(px, py);
      const after = projection(place.box, width, height, { ...shared.window, zoom: next }), [ax, ay] = after.back(px, py);
      pan(x - ax, y - ay, next);
    }
    // the middle stays where something of the sheet is seen
    function pan(dx, dy, zoomed = shared.window.zoom) {
      const wide = place.box.x1 - place.box.x0, high = place.box.y1 - place.box.y0, edge = 0.5 / zoomed;
      const kept = value => Math.max(edge, Math.min(1 - edge, value));
      shared.look({ zoom: zoomed, u: kept(shared.window.u + dx / wide), v: kept(shared.window.v + dy / high) });
    }
    function keep(id) {
      const x = to.x(place.x[id]), y = to.y(place.y[id]);
      if (x < 0 || y < 0 || x > width || y > height) pan((x - width / 2) / to.scale, (y - height / 2) / to.scale);
    }
    const choose = (ids, add, held = false) => {
      shared.choose(k, add ? [...new Set([...shared.selected[k], ...ids])].sort((a, b) => a - b) : ids, { held });
      say(`${shared.selected[k].length} ${shared.of}s selected`);
    };
    function rectangle(a, b, held) {
      const [x0, x1] = [place.x[a], place.x[b]].sort((p, q) => p - q), [y0, y1] = [place.y[a], place.y[b]].sort((p, q) => p - q);
      const ids = [];
      for (let i = 0; i < place.n; i++) if (place.x[i] >= x0 && place.x[i] <= x1 && place.y[i] >= y0 && place.y[i] <= y1) ids.push(i);
      choose(ids, false, held);
    }
    const first = () => { for (let i = 0; i < place.n; i++) if (place.placed(i)) return i; return null; };
    function goTo(id, words = "") {
      if (id === null) return;
      shared.point(k, id);
      keep(id);
      say(card(k, id).textContent + words);
    }

    const KEYS = {
      Enter: id => open(k, id),
      " ": id => choose(shared.selected[k].includes(id) ? shared.selected[k].filter(one => one !== id) : [...shared.selected[k], id].sort((a, b) => a - b), false),
      Escape: () => { anchor = null; choose([], false); },
      Home: () => goTo(first()),
      End: () => { for (let i = place.n - 1; i >= 0; i--) if (place.placed(i)) { goTo(i); return; } },
      "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: () => shared.look({ zoom: 1, u: 0.5, v: 0.5 }),
    };
    function pressed(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || !to) return;
      const current = shared.pointed(k) ?? first(), arrow = ARROWS[event.key];
      if (current === null || !(arrow || KEYS[event.key])) return;
      event.preventDefault();
      event.stopPropagation();
      if (!arrow) { KEYS[event.key](current); return; }
      const next = B.places.next(place, current, ...arrow);
      if (event.shiftKey) {
        anchor = anchor ?? current;
        shared.point(k, next);
        keep(next);
        rectangle(anchor, next, event.repeat);
      } else { anchor = null; goTo(next); }
    }

    top.addEventListener("keydown", pressed);
    top.addEventListener("keyup", event => { if (ARROWS[event.key] && anchor !== null) choose(shared.selected[k], false); });
    top.addEventListener("focus", () => { if (!drag && to && top.matches(":focus-visible")) goTo(shared.pointed(k) ?? first()); });
    top.addEventListener("blur", () => shared.point(k, null));
    top.addEventListener("pointerdown", event => {
      if (event.button !== 0 || !to) return;
      drag = { kind: tool() === "move" || event.altKey ? "move" : "lasso", path: [within(event)], add: event.shiftKey, before: shared.pointed(k) };
      try { top.setPointerCapture(event.pointerId); } catch { /* the pointer is gone already */ }
    });
    top.addEventListener("pointermove", event => {
      if (!to) return;
      const at = within(event);
      if (!drag) { const id = found(...at); if (id !== shared.pointed(k)) shared.point(k, id); return; }
      const last = drag.path[drag.path.length - 1];
      drag.path.push(at);
      if (drag.kind === "move") pan((last[0] - at[0]) / to.scale, (last[1] - at[1]) / to.scale);
      else drawTop();
    });
    top.addEventListener("pointerup", event => {
      if (!drag) return;
      const { path, kind, add, before } = drag, [x0, y0] = path[0];
      drag = null;
      if (path.every(([x, y]) => Math.hypot(x - x0, y - y0) < CLICK)) {
        const id = found(x0, y0);
        // a finger has nothing to hover with: its first touch shows, its second opens
        if (id !== null && (event.pointerType === "mouse" || before === id)) open(k, id); else { shared.point(k, id); if (id !== null) say(card(k, id).textContent); }
      } else if (kind === "lasso") choose(B.places.enclosed(place, path.map(([x, y]) => to.back(x, y))), add);
      drawTop();
    });
    top.addEventListener("pointercancel", () => { drag = null; drawTop(); });
    top.addEventListener("pointerleave", () => { if (!drag && document.activeElement !== top) shared.point(k, null); });
    top.addEventListener("wheel", event => {
      // the page scrolls, unless the sheet was chosen first, by key or by pointer, or Ctrl is held (two fingers hold it, too)
      const meant = event.ctrlKey || event.metaKey || document.activeElement === top;
      if (!to || !meant || (event.deltaY > 0 && shared.window.zoom === 1)) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.25 : 0.8, ...within(event));
    }, { passive: false });

    shared.listen(what => (what === "window" ? draw() : drawTop()));
    const resized = new ResizeObserver(() => {
      if (!element.isConnected) { resized.disconnect(); return; }
      if (element.clientWidth !== last) requestAnimationFrame(() => { if (measure()) draw(); });
    });
    resized.observe(element);
    const made = { element, place, draw, zoom, use: given => { scale = given; draw(); }, at: id => [to.x(place.x[id]), to.y(place.y[id])] };
    element.board = made;
    return made;
  }

  B.board = Object.assign(board, { map, fitted });
})();
