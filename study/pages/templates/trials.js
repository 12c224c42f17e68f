"use strict";
// Trials: links to their details, and the chosen ones side by side. All values come from the details on the page.
(() => {
  const LOWER = "↓";
  const chosen = new Set();
  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const detail = (number) => document.getElementById(`trial-${number}`);

  const reveal = (hash) => {
    const target = document.getElementById(decodeURIComponent(hash.slice(1)));
    if (target?.matches("details.trial")) target.open = true;
  };
  document.addEventListener("click", ({ target }) => {
    const link = target.closest("a[href^='#trial-']");
    if (link) reveal(link.hash);
  });
  addEventListener("hashchange", () => reveal(location.hash));
  reveal(location.hash);

  // Rows of the table side by side: a name, and by trial a text and a number where there is one.
  const settings = (number) => [...detail(number).querySelectorAll("dl > div")].map((pair) => {
    const [name, value] = ["dt", "dd"].map((part) => pair.querySelector(part).textContent);
    return [name, { text: value }];
  });
  const scores = (number, benchmark) => {
    const rows = detail(number).querySelectorAll(`[data-scores="${CSS.escape(benchmark)}"] tbody tr`);
    return [...rows].map(({ cells: [name, value] }) => {
      return [name.textContent, { text: value.textContent, number: Number(value.dataset.value) }];
    });
  };
  const rowsOf = (numbers, read) => {
    const rows = new Map();
    numbers.forEach((number, column) => read(number).forEach(([name, value]) => {
      if (!rows.has(name)) rows.set(name, []);
      rows.get(name)[column] = value;
    }));
    return rows;
  };
  const difference = (value, first, text) => {
    const places = (text.split(".")[1] ?? "").length;
    const gap = (value - first).toFixed(places);
    return Number(gap) === 0 ? "=" : gap.replace("-", "−").replace(/^(?=\d)/, "+");
  };
  const cell = (value, first, best) => {
    if (!value) return element("td", "–");
    const made = element("td", value.text, value.number !== undefined && value.number === best ? { class: "strong" } : {});
    const gap = value !== first && first && value.number !== undefined;
    if (gap) made.append(" ", element("small", difference(value.number, first.number, value.text)));
    return made;
  };
  const draw = (figure) => {
    const numbers = [...chosen];
    figure.hidden = numbers.length < 2;
    const table = element("table", "");
    const head = table.createTHead().insertRow();
    head.append(element("th", "trial", { scope: "col", class: "start" }));
    for (const number of numbers) {
      const heading = element("th", "", { scope: "col" });
      heading.append(element("a", number, { href: `#trial-${number}` }));
      head.append(heading);
    }
    const body = table.createTBody();
    const differ = ([, values]) => values.some((value) => value?.text !== values[0]?.text);
    const measured = rowsOf(numbers, (number) => scores(number, figure.dataset.benchmark));
    for (const [name, values] of [...[...rowsOf(numbers, settings)].filter(differ), ...measured]) {
      const known = values.filter((value) => value?.number !== undefined).map((value) => value.number);
      const best = known.length ? (name.endsWith(LOWER) ? Math.min : Math.max)(...known) : undefined;
      const row = body.insertRow();
      row.append(element("th", name, { scope: "row", class: "start" }));
      numbers.forEach((_, column) => row.append(cell(values[column], values[0], best)));
    }
    figure.querySelector("table").replaceWith(table);
    watchTables(figure);
  };

  // A trial can stand in the tables of several benchmarks: its boxes are ticked together.
  const boxes = [];
  for (const figure of document.querySelectorAll(".side-by-side")) {
    for (const link of figure.parentElement.querySelectorAll("td:first-child a[href^='#trial-']")) {
      const box = element("input", "", { type: "checkbox", "aria-label": `compare trial ${link.textContent}` });
      box.value = link.textContent;
      link.before(box);
      boxes.push(box);
    }
  }
  document.addEventListener("change", ({ target }) => {
    if (!boxes.includes(target)) return;
    if (target.checked) chosen.add(target.value);
    else chosen.delete(target.value);
    for (const box of boxes) box.checked = chosen.has(box.value);
    document.querySelectorAll(".side-by-side").forEach(draw);
  });
})();
