// The report's page: a table that sorts and filters, contact sheets, and a dialog that shows a picture large.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// ---- the table ----

const table = document.getElementById("runs");

function cellValue(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value ?? cell.textContent;
}

// Numbers by size, texts by their words; what is missing stays at the end either way.
function sortBy(column, heading, down) {
  const isNumber = heading.dataset.kind === "number";
  const order = (a, b) => {
    const [one, other] = [cellValue(a, column), cellValue(b, column)];
    if (one === "" || other === "") return (one === "") - (other === "");
    const difference = isNumber ? Number(one) - Number(other) : one.localeCompare(other, "en", { numeric: true });
    return down ? -difference : difference;
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  for (const each of table.tHead.rows[0].cells) each.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
}

// A test of one cell; null for what is no filter. A number may be compared, anything else is searched for.
function filterOf(text, isNumber) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return () => true;
  if (!isNumber) return (value) => value.toLowerCase().includes(wanted);
  const range = wanted.match(/^(-?[\d.]+)\s*\.\.\s*(-?[\d.]+)$/);
  if (range) return (value) => value !== "" && Number(value) >= Number(range[1]) && Number(value) <= Number(range[2]);
  const compared = wanted.match(/^(<=|>=|<|>|=)?\s*(-?\d*\.?\d+)$/);
  if (!compared) return null;
  const limit = Number(compared[2]);
  const tests = {
    "<": (value) => value < limit, ">": (value) => value > limit, "<=": (value) => value <= limit,
    ">=": (value) => value >= limit, "=": (value) => value === limit,
  };
  // A number alone is one that begins so: 0.4 finds 0.41.
  if (!compared[1]) return (value) => value.startsWith(compared[2]) || Number(value) === limit;
  return (value) => value !== "" && tests[compared[1]](Number(value));
}

function applyFilters() {
  const headings = [...table.tHead.rows[0].cells];
  const inputs = [...table.querySelectorAll(".filters input")];
  const tests = inputs.map((input, column) => {
    const test = filterOf(input.value, headings[column].dataset.kind === "number");
    input.setAttribute("aria-invalid", test === null);
    return test ?? (() => true);
  });
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    row.hidden = !tests.every((test, column) => test(cellValue(row, column)));
    shown += !row.hidden;
  }
  document.getElementById("runs-count").textContent = `${shown} of ${table.tBodies[0].rows.length} runs`;
  document.getElementById("runs-clear").hidden = inputs.every((input) => !input.value);
}

if (table) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      sortBy(column, heading, heading.getAttribute("aria-sort") === "ascending");
    });
  });
  table.querySelector(".filters").addEventListener("input", applyFilters);
  document.getElementById("runs-clear").addEventListener("click", () => {
    for (const input of table.querySelectorAll(".filters input")) input.value = "";
    applyFilters();
  });
}

// ---- contact sheets ----

const sheet = document.getElementById("sheet");
const choosers = document.getElementById("choosers");
const chosen = {};

const ALL = "every one";

function chooser(name, values, label = name) {
  if (!values.includes(chosen[name])) chosen[name] = values[0];
  if (values.length < 2) return;
  const select = element("select", { name });
  for (const value of values) select.append(element("option", { value }, value));
  select.value = chosen[name];
  select.addEventListener("change", () => {
    chosen[name] = select.value;
    showSheet();
    choosers.elements[name]?.focus();
  });
  choosers.append(element("label", {}, label, select));
}

function picture(address, caption, row, column, seen = true) {
  const button = element("button", { type: "button", "data-row": row, "data-column": column, "data-caption": caption });
  if (!seen) button.className = "unseen";
  button.append(element("img", { src: address, alt: caption, loading: "lazy" }));
  return button;
}

function addRow(name, small, cells, row) {
  const label = element("div", { class: "name" }, name);
  if (small) label.append(element("small", {}, small));
  sheet.append(label);
  data.sheet.scales.forEach((scale, column) => {
    const [address, told] = cells[scale] ?? [];
    const caption = `${name}: ${told}`;
    sheet.append(address ? picture(address, caption, row, column, !told.includes("outside")) : element("div"));
  });
}

function showSheet() {
  const all = data.sheet.runs;
  const different = (runs, key) => [...new Set(runs.map((run) => run[key]))];
  choosers.replaceChildren();
  chooser("painting", different(all, "painting"));
  const ofPainting = all.filter((run) => run.painting === chosen.painting);
  chooser("photo", [...new Set(ofPainting.flatMap((run) => Object.keys(run.cells)))]);
  chooser("seed", different(ofPainting, "seed"));
  let runs = ofPainting.filter((run) => run.seed === chosen.seed && run.cells[chosen.photo]);
  for (const [axis, values] of Object.entries(data.sheet.axes)) {
    chooser(`axis ${axis}`, [ALL, ...values], axis.split(".").pop().replaceAll("_", " "));
    const wanted = chosen[`axis ${axis}`];
    runs = runs.filter((run) => wanted === ALL || run.values[axis] === wanted);
  }
  const { crops, photos } = data.sheet.paintings[chosen.painting];
  const columns = data.sheet.scales.length;
  sheet.replaceChildren();
  sheet.style.gridTemplateColumns = `minmax(6rem, 11rem) repeat(${columns}, minmax(5.5rem, 1fr))`;
  sheet.append(element("div", { class: "name" }));
  for (const scale of data.sheet.scales) sheet.append(element("div", { class: "head" }, `s = ${Number(scale)}`));
  const strokes = Object.entries(crops).map(([scale, at]) => [scale, [at, `its strokes at s = ${Number(scale)}`]]);
  addRow(chosen.painting, "the painting", Object.fromEntries(strokes), 0);
  if (photos[chosen.photo]) {
    const middle = data.sheet.scales[Math.floor((columns - 1) / 2)];
    addRow(chosen.photo, "the photo", { [middle]: [photos[chosen.photo], "the photo"] }, 1);
  }
  sheet.append(element("div", { class: "line" }));
  runs.forEach((run, place) => addRow(run.label, run.own, run.cells[chosen.photo], place + 2));
}

if (sheet && data.sheet.runs.length) showSheet();

// ---- a picture, large ----

const dialog = document.getElementById("zoom");
let current = null;

function enlarge(button) {
  current = button;
  const shown = dialog.querySelector("img");
  shown.src = button.querySelector("img").src;
  shown.alt = button.dataset.caption;
  document.getElementById("zoom-caption").textContent = button.dataset.caption;
  if (!dialog.open) dialog.showModal();
}

// The next picture in that direction; gaps are passed over.
function neighbour(button, direction) {
  const at = (each) => [Number(each.dataset.row), Number(each.dataset.column)];
  const [row, column] = at(button);
  const across = direction === "left" || direction === "right";
  const sign = direction === "left" || direction === "up" ? -1 : 1;
  const distance = (each) => {
    const [otherRow, otherColumn] = at(each);
    if (across ? otherRow !== row : otherColumn !== column) return NaN;
    return sign * (across ? otherColumn - column : otherRow - row);
  };
  const all = [...button.closest(".sheet").querySelectorAll("button[data-row]")].filter((each) => distance(each) > 0);
  return all.sort((a, b) => distance(a) - distance(b))[0];
}

function move(direction) {
  const next = current && neighbour(current, direction);
  if (next) enlarge(next);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".sheet button[data-row]");
  if (button) enlarge(button);
});
dialog.addEventListener("click", (event) => {
  const asked = event.target.dataset.move;
  if (asked === "close" || event.target === dialog) dialog.close();
  else if (asked) move(asked);
});
dialog.addEventListener("keydown", (event) => {
  const direction = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" }[event.key];
  if (!direction) return;
  event.preventDefault();
  move(direction);
});
dialog.addEventListener("close", () => current?.focus());
