"use strict";
// Parts of the page by name: each is a script that calls __put with gzip in base64, loaded when it is first asked for.
const B = { blocks: {}, pages: {} };
(() => {
  const raw = new Map(), ready = new Map(), waiting = new Map();

  self.__put = (name, text) => {
    raw.set(name, text);
    const resolve = waiting.get(name);
    if (resolve) { waiting.delete(name); resolve(); }
  };

  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), one => one.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  function loaded(name) {
    if (raw.has(name)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const load = () => {
        if (!waiting.has(name)) return;  // of a page in one file, which held it further down
        const script = document.createElement("script");
        script.src = `data/${name.replaceAll("/", "-")}.js`;
        script.onerror = () => reject(new Error(`the part ${name} is missing from this folder`));
        script.onload = () => { if (!raw.has(name)) reject(new Error(`the part ${name} of this folder is damaged`)); };
        document.head.append(script);
      };
      if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", load, { once: true });
      else load();
    });
  }

  // A part, as a promise; asked for twice, it is read once.
  B.get = name => {
    if (!ready.has(name)) {
      ready.set(name, loaded(name).then(() => unpacked(raw.get(name))).then(found => { raw.delete(name); return found; }));
    }
    return ready.get(name);
  };
})();
