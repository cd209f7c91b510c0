/* One panel per arm on the same logarithmic axis: subjects as thin lines, the geometric mean bold. */
const PANEL = { width: 640, height: 400, left: 58, right: 16, top: 12, bottom: 50 };

function logScale(population) {
  const values = [];
  for (const row of population.rows) if (!row[ROW.lost] && row[ROW.value] > 0) values.push(row[ROW.value]);
  for (const row of population.summary) for (const value of [row[5], row[6]]) if (value !== null && value > 0) values.push(value);
  if (!values.length) return null;
  const zeros = population.rows.some((row) => !row[ROW.lost] && row[ROW.value] === 0);
  let low = Math.min(...values) / 1.12, high = Math.max(...values) * 1.12;
  if (high / low < 2) { const middle = Math.sqrt(high * low); low = middle / 1.5; high = middle * 1.5; }
  const bottom = PANEL.height - PANEL.bottom - (zeros ? 26 : 0);
  const y = (value) => (value === 0 ? PANEL.height - PANEL.bottom - 6 : bottom - (Math.log(value / low) / Math.log(high / low)) * (bottom - PANEL.top));
  return { low, high, zeros, bottom, y };
}
const visitX = (visit) => PANEL.left + ((visit + 0.5) / data.visits.length) * (PANEL.width - PANEL.left - PANEL.right);

/* Lines join neighbouring visits; where one is missing the line breaks. */
function path(points) {
  return points.map(([visit, x, y], index) => (index && points[index - 1][0] === visit - 1 ? "L" : "M") + x.toFixed(1) + " " + y.toFixed(1)).join("");
}

function drawAxes(scale, arm, summary) {
  const parts = [], right = PANEL.width - PANEL.right, base = PANEL.height - PANEL.bottom;
  for (const tick of logTicks(scale.low, scale.high)) {
    parts.push(svg("line", { x1: PANEL.left, x2: right, y1: scale.y(tick), y2: scale.y(tick), stroke: "#e6ebef" }));
    parts.push(svg("text", { x: PANEL.left - 8, y: scale.y(tick) + 4, "text-anchor": "end", "font-size": 12 }, tickLabel(tick)));
  }
  if (scale.zeros) {
    parts.push(svg("text", { x: PANEL.left - 8, y: scale.y(0) + 4, "text-anchor": "end", "font-size": 12 }, "0"));
    parts.push(svg("line", { x1: PANEL.left, x2: right, y1: scale.bottom + 8, y2: scale.bottom + 8, stroke: "#b9c4cd", "stroke-dasharray": "2 3" }));
  }
  parts.push(svg("line", { x1: PANEL.left, x2: right, y1: base, y2: base, stroke: "#9aa7b2" }));
  const room = (PANEL.width - PANEL.left - PANEL.right) / data.visits.length / 6.6;
  data.visits.forEach((visit, index) => {
    const label = visit.label.length > room ? visit.label.slice(0, Math.max(2, room - 1)) + "…" : visit.label;
    const n = (summary.find((row) => row[0] === arm && row[1] === index) || [0, 0, 0])[2];
    parts.push(svg("text", { x: visitX(index), y: base + 19, "text-anchor": "middle", "font-size": 12 }, label, svg("title", {}, visit.label)));
    parts.push(svg("text", { x: visitX(index), y: base + 36, "text-anchor": "middle", "font-size": 11 }, "n = " + n));
  });
  parts.push(svg("text", { transform: "translate(13 " + (PANEL.top + base) / 2 + ") rotate(-90)", "text-anchor": "middle", "font-size": 12 }, "cells/µL"));
  return parts;
}

function drawPanel(population, scale, arm) {
  const subjects = new Map(), points = [];
  for (const row of population.rows) {
    if (data.subjects[row[ROW.subject]][1] !== arm || row[ROW.lost] || row[ROW.value] === null) continue;
    if (!subjects.has(row[ROW.subject])) subjects.set(row[ROW.subject], []);
    subjects.get(row[ROW.subject]).push(row);
  }
  const lines = new Map(), thin = svg("g", {}), dots = svg("g", {});
  for (const [subject, rows] of subjects) {
    const at = rows.map((row) => [row[ROW.visit], visitX(row[ROW.visit]), scale.y(row[ROW.value])]);
    const line = svg("path", { d: path(at), fill: "none", stroke: colour(arm), "stroke-width": 1, "stroke-opacity": 0.38 });
    lines.set(subject, line);
    thin.append(line);
    rows.forEach((row, index) => {
      const hollow = row[ROW.below] === 1;
      dots.append(svg("circle", { cx: at[index][1], cy: at[index][2], r: hollow ? 3 : 2.3, fill: hollow ? "#fff" : colour(arm), stroke: colour(arm), "stroke-width": hollow ? 1.3 : 0, "fill-opacity": hollow ? 1 : 0.55, class: hollow ? "below" : null }));
      points.push({ x: at[index][1], y: at[index][2], row });
    });
  }
  const means = population.summary.filter((row) => row[0] === arm && row[4] !== null);
  const bold = svg("g", { stroke: colour(arm), fill: "none" },
    svg("path", { d: path(means.map((row) => [row[1], visitX(row[1]), scale.y(row[4])])), stroke: "#fff", "stroke-width": 6, "stroke-opacity": 0.8 }),
    svg("path", { d: path(means.map((row) => [row[1], visitX(row[1]), scale.y(row[4])])), "stroke-width": 3 }),
    means.filter((row) => row[5] !== null).map((row) => svg("path", { "stroke-width": 2, d: ["M", visitX(row[1]), scale.y(row[5]), "V", scale.y(row[6]), "M", visitX(row[1]) - 5, scale.y(row[5]), "h 10 M", visitX(row[1]) - 5, scale.y(row[6]), "h 10"].join(" ") })),
    means.map((row) => svg("rect", { x: visitX(row[1]) - 4, y: scale.y(row[4]) - 4, width: 8, height: 8, fill: colour(arm), stroke: "#fff" })));
  const picture = svg("svg", { viewBox: "0 0 " + PANEL.width + " " + PANEL.height, role: "img", "aria-label": population.name + ", " + data.arms[arm].label },
    drawAxes(scale, arm, population.summary), thin, dots, bold);
  follow(picture, points, lines, arm);
  return el("figure", {}, el("figcaption", {}, el("span", { class: "swatch", style: "background:" + colour(arm) }), data.arms[arm].label + " ", el("small", {}, subjects.size + " subjects")), picture);
}

/* The nearest point under the pointer names its subject and value, and its line stands out. */
function follow(picture, points, lines, arm) {
  let last = null;
  const plain = () => { if (last) { last.setAttribute("stroke-width", 1); last.setAttribute("stroke-opacity", 0.38); last.setAttribute("stroke", colour(arm)); } last = null; hideTip(); };
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect(), zoom = PANEL.width / box.width;
    const x = (event.clientX - box.left) * zoom, y = (event.clientY - box.top) * zoom;
    let near = null, least = 22 * 22;
    for (const point of points) {
      const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (distance < least) { least = distance; near = point; }
    }
    plain();
    if (!near) return;
    last = lines.get(near.row[ROW.subject]);
    last.setAttribute("stroke-width", 2.4);
    last.setAttribute("stroke-opacity", 1);
    last.setAttribute("stroke", "#1b2733");
    const range = interval(near.row[ROW.lower], near.row[ROW.upper]);
    showTip(event, data.subjects[near.row[ROW.subject]][0] + " · " + data.visits[near.row[ROW.visit]].label + "\n" + threeDigits(near.row[ROW.value]) + " cells/µL" + (range ? " (" + range + ")" : "") + (near.row[ROW.below] ? "\nbelow LLOQ" : ""));
  });
  picture.addEventListener("pointerleave", plain);
}

function drawTrajectories() {
  const population = data.populations[chosen.population];
  if (!population) return;
  const scale = logScale(population);
  byId("curves").replaceChildren(...(scale ? data.arms.map((_, arm) => drawPanel(population, scale, arm)) : [el("p", { class: "none" }, "No value above zero to draw.")]));
}

function setUpTrajectories() {
  chosen.listeners.push(drawTrajectories);
  drawTrajectories();
}
