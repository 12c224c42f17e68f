"use strict";
// Tables sort by any column: numbers by value, words by alphabet, what has no value last.
const sortTable = (header, ascending) => {
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  for (const one of header.parentElement.cells) one.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const body = header.closest("table").tBodies[0];
  const value = (row) => row.cells[header.cellIndex].dataset.value;
  const rows = [...body.rows].sort((a, b) => {
    if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === "");
    return (ascending ? 1 : -1) * compare(value(a), value(b));
  });
  body.append(...rows);
};
document.addEventListener("click", (event) => {
  const header = event.target.closest("th button")?.closest("th");
  if (!header) return;
  const before = header.getAttribute("aria-sort");
  sortTable(header, before ? before === "descending" : header.classList.contains("start"));
});

// A filter shows the rows that match all its words. `heading=value` matches a cell, a number a whole cell, and other
// words a part of one.
const matches = (row, word) => {
  const texts = [...row.cells].map((cell) => cell.textContent.trim().toLowerCase());
  const [name, value] = word.split("=");
  if (value !== undefined) {
    const headings = [...row.closest("table").tHead.rows[0].cells].map((cell) => cell.textContent.trim().toLowerCase());
    return texts.some((text, place) => headings[place].startsWith(name) && text === value);
  }
  return texts.some((text) => (Number.isNaN(Number(word)) ? text.includes(word) : text === word));
};
const filterTable = (input) => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...document.getElementById(input.dataset.filter).querySelector("table").tBodies[0].rows];
  rows.forEach((row) => { row.hidden = !words.every((word) => matches(row, word)); });
  const shown = rows.filter((row) => !row.hidden).length;
  input.closest(".controls").querySelector("output").textContent = words.length ? `${shown} of ${rows.length}` : "";
};
document.addEventListener("input", ({ target }) => target.matches("[data-filter]") && filterTable(target));

// A table that is wider than its place says so, and fades where it goes on.
const hint = (box) => {
  const hidden = box.scrollWidth - box.clientWidth;
  box.classList.toggle("scrollable", hidden > 1);
  box.classList.toggle("more", hidden - box.scrollLeft > 1);
};
const resized = new ResizeObserver((entries) => {
  const boxes = new Set(entries.map(({ target }) => target.closest(".scroll")));
  boxes.delete(null); // of a table that was replaced
  boxes.forEach(hint);
});
const watchTables = (root) => root.querySelectorAll(".scroll, .scroll > table").forEach((one) => resized.observe(one));
document.addEventListener("scroll", ({ target }) => target.matches?.(".scroll") && hint(target), { capture: true, passive: true });
watchTables(document);
