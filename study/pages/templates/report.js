"use strict";
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const held = (element) => JSON.parse(element.querySelector("script").textContent);

  // Charts are drawn when they first come near the window: a hidden one has no width to be drawn in.
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      drawChart(target, held(target));
    }
  }, { rootMargin: "600px" });
  all(".chart").forEach((element) => seen.observe(element));

  // A select shows the panels of its value and hides the others.
  for (const select of all("select[data-panels]")) {
    const panels = all(`[data-panel^="${select.dataset.panels}="]`);
    const show = () => panels.forEach((panel) => {
      panel.hidden = panel.dataset.panel !== `${select.dataset.panels}=${select.value}`;
    });
    select.addEventListener("change", show);
    show();
  }

  // The heat map: one trial, or the difference of two.
  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const format = (value, signed) => {
    const text = Math.abs(value).toFixed(2).replace(/^0/, "");
    return signed && text !== ".00" ? (value < 0 ? "−" : "+") + text : text;
  };
  const paint = (cell, value, low, high, signed) => {
    const share = signed ? Math.abs(value) / high : (value - low) / (high - low || 1);
    const strong = signed ? (value < 0 ? "var(--minus)" : "var(--plus)") : "var(--high)";
    cell.style.setProperty("--cell", `color-mix(in oklab, ${strong} ${(100 * share).toFixed(1)}%, var(--low))`);
  };
  const drawHeat = (root, { rows, columns, values, names }) => {
    const chosen = (part) => root.querySelector(`[data-part="${part}"]`).value;
    const [first, second, metric] = [chosen("trial"), chosen("minus"), chosen("metric")];
    const signed = second !== "";
    const cells = rows.map((_, i) => columns.map((__, j) => {
      const value = values[first][metric][i][j];
      const other = signed ? values[second][metric][i][j] : 0;
      return value === null || other === null ? null : value - other;
    }));
    const known = cells.flat().filter((value) => value !== null);
    const high = signed ? Math.max(...known.map(Math.abs), 0.005) : Math.max(...known);
    const low = signed ? -high : Math.min(...known);
    const table = element("table", "");
    const head = table.createTHead().insertRow();
    head.append(element("th", "query", { scope: "col", class: "start" }));
    const short = (code) => code + ((names[code] ?? "").endsWith("†") ? "†" : "");
    columns.forEach((code) => head.append(element("th", short(code), { scope: "col", title: names[code] ?? code })));
    const body = table.createTBody();
    rows.forEach((code, i) => {
      const row = body.insertRow();
      row.append(element("th", names[code] ?? code, { scope: "row" }));
      cells[i].forEach((value, j) => {
        const title = `${names[code] ?? code} to ${names[columns[j]] ?? columns[j]}`;
        const cell = element("td", value === null ? "–" : format(value, signed), { title });
        if (value !== null) paint(cell, value, low, high, signed);
        row.append(cell);
      });
    });
    root.querySelector(".scroll").replaceChildren(table);
    watchTables(root);
    const scale = root.querySelector(".scale");
    const ends = [low, high].map((value) => format(value, signed));
    const bar = element("i", "", { "aria-hidden": "true" });
    bar.style.setProperty("--from", signed ? "var(--minus)" : "var(--low)");
    bar.style.setProperty("--middle", signed ? "var(--low)" : "color-mix(in oklab, var(--high), var(--low))");
    bar.style.setProperty("--to", signed ? "var(--plus)" : "var(--high)");
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    scale.replaceChildren(element("span", ends[0]), bar, element("span", ends[1]), element("span", `mean of all cells ${format(mean, signed)}`));
  };
  for (const root of all(".heat")) {
    const data = held(root);
    all("select", root).forEach((select) => select.addEventListener("change", () => drawHeat(root, data)));
    drawHeat(root, data);
  }
})();
