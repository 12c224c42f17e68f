"use strict";
// The table and the facts are fetched anew every few seconds; the order a reader has chosen stays.
const SECONDS = 5;
const live = document.querySelector("#live");
const updated = document.querySelector("#updated");
const refresh = async () => {
  try {
    const answer = await fetch("/live");
    if (!answer.ok) throw new Error(answer.statusText);
    const sorted = live.querySelector("th[aria-sort]");
    const [column, ascending] = [sorted?.cellIndex, sorted?.getAttribute("aria-sort") === "ascending"];
    const focused = live.contains(document.activeElement) ? document.activeElement.closest("th")?.cellIndex : undefined;
    const scrolled = live.querySelector(".scroll").scrollLeft;
    live.innerHTML = await answer.text();
    watchTables(live);
    filterTable(document.querySelector("[data-filter]"));
    live.querySelector(".scroll").scrollLeft = scrolled;
    const headers = live.querySelectorAll("thead th");
    if (column !== undefined) sortTable(headers[column], ascending);
    if (focused !== undefined) headers[focused].querySelector("button").focus();
    updated.textContent = `as of ${new Date().toLocaleTimeString()}`;
  } catch {
    updated.textContent = "the dashboard does not answer: is it still running?";
  }
};
setInterval(refresh, 1000 * SECONDS);
refresh();
