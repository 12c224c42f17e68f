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
