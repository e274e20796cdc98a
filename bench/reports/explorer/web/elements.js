"use strict";
// Elements from plain values. Texts become text nodes, never markup, whatever they hold.
B.make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") for (const [key, one] of Object.entries(value)) key.startsWith("--") ? element.style.setProperty(key, one) : element.style[key] = one;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter(one => one !== null && one !== undefined && one !== false));
  return element;
};

// A number as a reader wants it: four digits at most, a dash where there is none.
B.number = value => value === null || value === undefined ? "–"
  : Number.isInteger(value) ? String(value)
  : Math.abs(value) >= 1000 ? value.toFixed(0)
  : Math.abs(value) >= 0.001 ? String(Number(value.toPrecision(3)))
  : value.toExponential(1);

// A name that may break after its underscores.
B.breaking = text => String(text).split("_").flatMap((one, i) => (i ? ["_", B.make("wbr"), one] : [one]));

// A share in percent; a line in the place of what is not there.
B.percent = value => value === null || value === undefined ? "–" : `${Number((100 * value).toPrecision(2))} %`;
B.say = (...what) => B.make("p", { class: "say" }, ...what);
