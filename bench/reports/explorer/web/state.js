"use strict";
// Where the page is: the whole state stands in the address, #/SITE/PAGE/NUMBER?beside=SITE&colour=NAME..., so that every
// view can be linked to, and the back button works.
(() => {
  function decoded(text) {
    try { return decodeURIComponent(text); } catch { return text; }
  }

  function read(hash) {
    const [path, query] = hash.replace(/^#\/?/, "").split("?");
    const [site, page, id] = path.split("/").map(decoded);
    const state = Object.fromEntries(new URLSearchParams(query || ""));
    return { ...state, site: site || "", page: page || "sheet", id: id === undefined || id === "" ? null : Number(id) };
  }

  // The address of a state that differs from the present one by `changes`; null takes something out.
  B.link = (changes = {}) => {
    const { site, page, id, ...query } = { ...B.state, ...changes };
    const kept = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
    const path = [site, page, ...(id === null || id === undefined ? [] : [id])].map(encodeURIComponent).join("/");
    return `#/${path}${kept.length ? `?${new URLSearchParams(kept)}` : ""}`;
  };

  // The address of another page: what was asked of the present one alone is left behind.
  const KEPT = ["site", "page", "id", "beside", "theme", "colour", "of", "selected"];
  B.open = changes => B.link({ id: null, ...Object.fromEntries(Object.keys(B.state).filter(key => !KEPT.includes(key)).map(key => [key, null])), ...changes });

  // Go there; `replace` leaves no step behind for the back button (hovering, typing, dragging).
  B.go = (changes, { replace = false } = {}) => {
    const address = B.link(changes);
    if (replace) { history.replaceState(null, "", address); B.state = read(address); } else location.hash = address;
  };

  B.read = () => { B.state = read(location.hash); return B.state; };
  B.state = read("");
  B.index = null;
  B.site = key => B.index.sites.find(one => one.key === key);
  B.column = (site, of, name) => site.columns[of].find(one => one.name === name);
  // What is said of one unit or feature, as a promise.
  B.entry = async (site, of, id) =>
    (await B.get(`${site.key}/${of}/${Math.floor(id / B.index.per_shard)}`))[id % B.index.per_shard];
})();
