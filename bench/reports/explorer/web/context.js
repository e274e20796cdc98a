"use strict";
// Texts with shaded tokens, and pictures with the places that drive: [peak, first, values in hundredths of the largest].
(() => {
  const STEPS = 100;
  const MARKS = new Map([["\n", "↵"], ["\r", "\\r"], ["\t", "⇥"]]);
  // Single bytes of a vocabulary that no font draws, as descriptions write them.
  const hex = one => `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`;
  const inLine = text => String(text).replace(/[\x00-\x1f\x7f-\xa0\xad]/g, one => MARKS.get(one) ?? hex(one));

  // A token as it can be seen on its own: a leading space is a dot, an end of line an arrow.
  function token(text) {
    const seen = inLine(text).replace(/^ +/, one => "·".repeat(one.length));
    return seen === "" ? "∅" : seen;
  }

  const activation = (value, max) => value === null ? "not read" : max === null ? `${value} %` : B.number(value * max / STEPS);

  // The last of `starts` (ascending) that is not after `place`.
  function within(starts, place) {
    let low = 0, high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= place) low = middle; else high = middle - 1;
    }
    return low;
  }

  function shaded(word, value, peak, max) {
    if (value === 0 && !peak) return inLine(word);
    const said = activation(value, max);
    const kind = ["t", value < 0 && "minus", peak && "peak", value === null && "unread"].filter(Boolean).join(" ");
    const strength = `${Math.round(Math.min(1, Math.abs(value) / STEPS) * 60)}%`;
    return B.make("span", { class: kind, title: said, "data-v": value ? said : null, style: { "--a": strength } }, inLine(word));
  }

  // A text around its peak. `max`: the activation that is shaded most; `aligned`: the peak stands in one column
  // with others; `before`: at most so many tokens ahead of it.
  function text(material, [peak, first, values], { max = null, aligned = false, before: most = Infinity } = {}) {
    const word = place => material.vocabulary[material.tokens[place]] ?? "";
    const made = values.map((value, i) => shaded(word(first + i), value, first + i === peak, max));
    const begin = Math.max(0, peak - first - most), before = made.slice(begin, peak - first), after = made.slice(peak - first);
    const document = within(material.documents ?? [0], peak);
    return B.make(
      "div", { class: aligned ? "context aligned" : "context", title: `text ${document}, token ${peak}` },
      B.make("span", { class: "before" }, B.make("span", {}, begin > 0 && "… ", before)),
      B.make("span", {}, after, B.make("span", { class: "unseen" }, ` (${activation(values[peak - first] ?? null, max)} at the underlined word)`)),
    );
  }

  // Atlases of small pictures as images, with the number of the first picture of each.
  const atlases = new WeakMap();
  function atlas(material) {
    if (!atlases.has(material)) {
      atlases.set(material, Promise.all(material.atlas.map(async uri => {
        const image = new Image();
        image.src = uri;
        await image.decode();
        return image;
      })).then(images => {
        let next = 0;
        return images.map(image => {
          const first = next;
          next += Math.round(image.naturalHeight / material.size) * material.columns;
          return { image, first };
        });
      }));
    }
    return atlases.get(material);
  }

  function heat(paint, [rows, columns], values, size) {
    const style = getComputedStyle(document.documentElement);
    for (const [place, value] of values.entries()) {
      if (!value) continue;
      paint.globalAlpha = 0.62 * Math.min(1, Math.abs(value) / STEPS);
      paint.fillStyle = style.getPropertyValue(value < 0 ? "--cool" : "--heat").trim() || "orange";
      const row = Math.floor(place / columns), column = place % columns;
      paint.fillRect(column * size / columns, row * size / rows, size / columns, size / rows);
    }
    paint.globalAlpha = 1;
  }

  // A picture with the places that drive; `bare` leaves the shading away.
  function picture(material, [number, shape, values], { max = null, bare = false, size = 96 } = {}) {
    const label = material.labels?.[number] ?? `picture ${number}`;
    const peak = values.reduce((most, one) => Math.abs(one ?? 0) > Math.abs(most) ? one : most, 0);
    const said = `${label}: ${activation(peak, max)}`;
    const canvas = B.make("canvas", { width: 2 * size, height: 2 * size, role: "img", "aria-label": said, title: said });
    atlas(material).then(found => {
      const { image, first } = found.findLast(one => one.first <= number);
      const paint = canvas.getContext("2d"), at = number - first, from = material.size;
      paint.drawImage(image, at % material.columns * from, Math.floor(at / material.columns) * from, from, from, 0, 0, 2 * size, 2 * size);
      if (!bare) heat(paint, shape, values, 2 * size);
    }).catch(() => { canvas.title = `${said} (the picture cannot be read)`; });
    return B.make("figure", {}, canvas, B.make("figcaption", {}, label));
  }

  B.context = { text, picture, token, within, inLine };
})();
