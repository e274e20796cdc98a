"use strict";
// Pages work without this: it filters while one types, sorts without asking the server, and compares on static pages.

function number(text) {
  const found = text.trim();
  return found === "" || isNaN(found) ? null : Number(found);
}

function order(a, b, up) {
  const x = number(a), y = number(b);
  if (a === "" || b === "") return (a === "") - (b === "");
  const by = x === null || y === null ? a.localeCompare(b) : x - y;
  return up ? by : -by;
}

function sortable(table) {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
  heads.forEach((head, column) => {
    let control = head.querySelector("a:not(.about), button.sort");
    if (!control) {
      control = document.createElement("button");
      control.className = "sort";
      control.type = "button";
      control.append(...head.childNodes);
      head.append(control);
    }
    control.addEventListener("click", (event) => {
      event.preventDefault();
      const now = head.getAttribute("aria-sort");
      const first = head.classList.contains("name") || head.dataset.lower === "" ? "ascending" : "descending";
      const next = now === null ? first : now === "ascending" ? "descending" : "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", next);
      const rows = Array.from(body.rows);
      const value = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
      rows.sort((a, b) => order(value(a), value(b), next === "ascending"));
      body.append(...rows);
    });
  });
}

function filtering(table, search) {
  const rows = Array.from(table.tBodies[0].rows);
  const count = document.getElementById("count");
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const row of rows) {
      const text = row.dataset.words ?? row.cells[1].textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      n += !row.hidden;
    }
    count.textContent = n + " of " + rows.length + " models";
  });
}

function cell(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (kind === "td") made.className = "number";
  return made;
}

async function comparing(place) {
  const form = document.getElementById("compare");
  const boards = await Promise.all(place.dataset.boards.trim().split(" ").map(async (file) => (await fetch(file)).json()));
  const board = { models: boards.flatMap((one) => one.models), scores: boards.flatMap((one) => one.scores) };
  const asked = new URLSearchParams(location.search);
  for (const name of ["a", "b"]) if (asked.get(name)) form.elements[name].value = asked.get(name);
  const names = {};
  for (const model of board.models) names[model.slug] = model.name;
  function show() {
    const [a, b] = ["a", "b"].map((name) => names[form.elements[name].value]);
    const of = (model) => new Map(board.scores.filter((one) => one.model === model).map((one) => [one.benchmark + " " + one.version, one]));
    const first = of(a), second = of(b);
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const said of ["benchmark", a, b, "difference"]) head.append(cell("th", said));
    const body = table.createTBody();
    for (const [key, one] of first) {
      const other = second.get(key);
      if (!other || one.score === null || other.score === null) continue;
      const row = body.insertRow();
      row.append(cell("th", one.benchmark), cell("td", one.score.toFixed(3)), cell("td", other.score.toFixed(3)), cell("td", (one.score - other.score).toFixed(3)));
    }
    const said = cell("p", body.rows.length + " benchmarks that both were scored on.");
    place.replaceChildren(said, ...(body.rows.length ? [table] : []));
    if (body.rows.length) sortable(table);
  }
  form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
  form.addEventListener("change", show);
  show();
}

for (const hidden of document.querySelectorAll("[data-needs-script]")) hidden.hidden = false;
for (const table of document.querySelectorAll("table[data-sorts]")) sortable(table);
const board = document.getElementById("board"), search = document.getElementById("search");
if (board && search && "sorts" in board.dataset) filtering(board, search);
const place = document.getElementById("comparison");
if (place) comparing(place);
