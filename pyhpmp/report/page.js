// Draws every chart from the page's data; the pointer or the arrow keys choose a bar to read.
"use strict";
const SVG = "http://www.w3.org/2000/svg";
const tip = document.getElementById("tip");
let chosen = null;

function element(parent, name, attributes, text) {
  const node = name === "svg" || parent.namespaceURI === SVG
    ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return parent.appendChild(node);
}

function drawRow(body, row, styles) {
  element(body, "span", { class: "label" }, row.label);
  const svg = element(body, "svg", { height: row.pixels, class: "row", "aria-hidden": "true" });
  for (const [left, width, height, kind, text] of row.bars) {
    const rect = element(svg, "rect", {
      x: left + "%", width: Math.max(width, 0.03) + "%",
      y: row.pixels * (1 - height), height: row.pixels * height, class: styles[kind],
    });
    rect.tip = row.spoken ? `${row.spoken}: ${text}` : text;
  }
}

function drawAxis(body, ticks) {
  element(body, "span", { class: "label" }, "");
  const axis = element(body, "div", { class: "axis" });
  ticks.forEach(([left, text], i) => {
    const room = (i + 1 < ticks.length ? ticks[i + 1][0] : 108) - left;
    const style = `left: ${left}%; max-width: ${room}%`;
    element(axis, "span", { style, class: left > 92 ? "end" : "" }, text);
  });
}

function choose(rect, x, y) {
  if (chosen) chosen.classList.remove("chosen");
  chosen = rect;
  tip.hidden = !rect;
  if (!rect) return;
  rect.classList.add("chosen");
  tip.textContent = rect.tip;
  const width = document.documentElement.clientWidth;
  tip.style.left = Math.max(4, Math.min(x + 12, width - tip.offsetWidth - 8)) + "px";
  tip.style.top = (y + 18 + tip.offsetHeight > window.innerHeight ? y - 12 - tip.offsetHeight : y + 18) + "px";
}

function chooseByKey(rect) {
  const box = rect.getBoundingClientRect();
  choose(rect, box.left, box.bottom - 12);
}

/** The bar of a row that is nearest to the middle of `rect`. */
function nearest(row, rect) {
  const middle = (node) => node.getBoundingClientRect().left + node.getBoundingClientRect().width / 2;
  const at = middle(rect);
  return [...row.children].reduce((best, bar) =>
    !best || Math.abs(middle(bar) - at) < Math.abs(middle(best) - at) ? bar : best, null);
}

function moved(body, key) {
  const rows = [...body.querySelectorAll(".row")].filter((row) => row.firstElementChild);
  if (!rows.length) return null;
  if (!chosen || !body.contains(chosen)) return rows[0].firstElementChild;
  const row = rows[rows.indexOf(chosen.parentNode) + (key === "ArrowDown") - (key === "ArrowUp")];
  switch (key) {
    case "ArrowRight": return chosen.nextElementSibling;
    case "ArrowLeft": return chosen.previousElementSibling;
    case "Home": return chosen.parentNode.firstElementChild;
    case "End": return chosen.parentNode.lastElementChild;
    default: return row && nearest(row, chosen);
  }
}

function listen(body) {
  body.addEventListener("pointermove", (event) => {
    choose(event.target.tip ? event.target : null, event.clientX, event.clientY);
  });
  body.addEventListener("click", (event) => {
    if (event.target.tip) choose(event.target, event.clientX, event.clientY);
  });
  body.addEventListener("pointerleave", () => choose(null));
  body.addEventListener("blur", () => choose(null));
  body.addEventListener("keydown", (event) => {
    if (event.key === "Escape") choose(null);
    if (!event.key.startsWith("Arrow") && event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    const next = moved(body, event.key);
    if (next) chooseByKey(next);
  });
}

for (const chart of JSON.parse(document.getElementById("data").textContent).charts) {
  const body = document.getElementById("chart-" + chart.name);
  for (const row of chart.rows) drawRow(body, row, chart.styles);
  drawAxis(body, chart.ticks);
  listen(body);
}
