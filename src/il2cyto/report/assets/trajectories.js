/* One panel per arm on the same logarithmic axis: subjects as thin lines, the geometric mean bold. */
const curves = { percent: false, subject: -1 };
/* What a row is drawn at: [value, lower, upper]; percentages have no interval of their own. */
const shownAt = (row) => (curves.percent ? [row[ROW.percent], null, null] : [row[ROW.value], row[ROW.lower], row[ROW.upper]]);
const summaryOf = (population) => (curves.percent ? population.percents : population.summary);
const unitOf = () => (curves.percent ? "% of parent" : "cells/µL");
const PANEL = { width: 640, height: 400, left: 58, right: 16, top: 12, bottom: 50 };

function logScale(population) {
  const values = [], drawn = population.rows.filter((row) => !row[ROW.lost]).map(shownAt);
  for (const triple of drawn) if (triple[0] > 0) values.push(triple[0]);
  for (const row of summaryOf(population)) for (const value of [row[5], row[6]]) if (value !== null && value > 0) values.push(value);
  if (!values.length) return null;
  const zeros = drawn.some(([value]) => value === 0);
  const lost = population.rows.some((row) => row[ROW.lost] || shownAt(row)[0] === null);
  let low = Math.min(...values) / 1.12, high = Math.max(...values) * 1.12;
  if (high / low < 2) { const middle = Math.sqrt(high * low); low = middle / 1.5; high = middle * 1.5; }
  const base = PANEL.height - PANEL.bottom, bottom = base - (zeros ? 26 : 0) - (lost ? 20 : 0);
  const y = (value) => (value === 0 ? bottom + 20 : bottom - (Math.log(value / low) / Math.log(high / low)) * (bottom - PANEL.top));
  /* an interval may reach below the axis, where it is cut */
  return { low, high, zeros, lost, bottom, y, inside: (value) => Math.max(value, low), cross: base - 8 };
}
const visitX = (visit) => PANEL.left + ((visit + 0.5) / data.visits.length) * (PANEL.width - PANEL.left - PANEL.right);

/* Lines join visits without a planned one between them; where one is missing the line breaks. */
const joined = (from, to) => !data.visits.slice(from + 1, to).some((visit) => visit.planned);
function path(points) {
  return points.map(([visit, x, y], index) => (index && joined(points[index - 1][0], visit) ? "L" : "M") + x.toFixed(1) + " " + y.toFixed(1)).join("");
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
  if (scale.lost) parts.push(svg("text", { x: PANEL.left - 8, y: scale.cross + 4, "text-anchor": "end", "font-size": 11 }, "none"));
  parts.push(svg("line", { x1: PANEL.left, x2: right, y1: base, y2: base, stroke: "#9aa7b2" }));
  const room = (PANEL.width - PANEL.left - PANEL.right) / data.visits.length / 6.6;
  data.visits.forEach((visit, index) => {
    const label = visit.label.length > room ? visit.label.slice(0, Math.max(2, room - 1)) + "…" : visit.label;
    const n = (summary.find((row) => row[0] === arm && row[1] === index) || [0, 0, 0])[2];
    parts.push(svg("text", { x: visitX(index), y: base + 19, "text-anchor": "middle", "font-size": 12 }, label, svg("title", {}, visit.label)));
    parts.push(svg("text", { x: visitX(index), y: base + 36, "text-anchor": "middle", "font-size": 11 }, "n = " + n));
  });
  parts.push(svg("text", { transform: "translate(13 " + (PANEL.top + base) / 2 + ") rotate(-90)", "text-anchor": "middle", "font-size": 12 }, unitOf()));
  return parts;
}

function drawPanel(population, scale, arm) {
  const subjects = new Map(), lost = svg("g", { stroke: "#5a6978", "stroke-width": 1.3 }), points = [];
  for (const row of population.rows) {
    if (data.subjects[row[ROW.subject]][1] !== arm) continue;
    if (row[ROW.lost] || shownAt(row)[0] === null) {
      const x = visitX(row[ROW.visit]) + ((row[ROW.subject] * 5) % 9) * 4 - 16;
      lost.append(svg("path", { d: "M" + (x - 3) + " " + (scale.cross - 3) + "l6 6m0 -6l-6 6", class: "no-value" }));
      points.push({ x, y: scale.cross, row });
      continue;
    }
    if (!subjects.has(row[ROW.subject])) subjects.set(row[ROW.subject], []);
    subjects.get(row[ROW.subject]).push(row);
  }
  const lines = new Map(), thin = svg("g", {}), dots = svg("g", {});
  for (const [subject, rows] of subjects) {
    const at = rows.map((row) => [row[ROW.visit], visitX(row[ROW.visit]), scale.y(shownAt(row)[0])]);
    const intervals = rows.map((row, index) => { const [, low, high] = shownAt(row); return low === null || high === null ? "" : "M" + at[index][1] + " " + scale.y(scale.inside(low)).toFixed(1) + "V" + scale.y(scale.inside(high)).toFixed(1); }).join("");
    const line = svg("g", { class: "subject", stroke: colour(arm) }, svg("path", { d: path(at), fill: "none" }), svg("path", { d: intervals, class: "interval" }));
    lines.set(subject, line);
    thin.append(line);
    rows.forEach((row, index) => {
      const hollow = row[ROW.below] === 1;
      dots.append(svg("circle", { cx: at[index][1], cy: at[index][2], r: hollow ? 3 : 2.3, fill: hollow ? "#fff" : colour(arm), stroke: colour(arm), "stroke-width": hollow ? 1.3 : 0, "fill-opacity": hollow ? 1 : 0.55, class: hollow ? "below" : null }));
      points.push({ x: at[index][1], y: at[index][2], row });
    });
  }
  if (lines.has(curves.subject)) lines.get(curves.subject).classList.add("chosen");
  const means = summaryOf(population).filter((row) => row[0] === arm && row[4] !== null);
  const curve = path(means.map((row) => [row[1], visitX(row[1]), scale.y(row[4])]));
  const bold = svg("g", { stroke: colour(arm), fill: "none" },
    svg("path", { d: curve, stroke: "#fff", "stroke-width": 6, "stroke-opacity": 0.8 }),
    svg("path", { d: curve, "stroke-width": 3 }),
    means.filter((row) => row[5] !== null).map((row) => svg("path", { "stroke-width": 2, d: ["M", visitX(row[1]), scale.y(row[5]), "V", scale.y(row[6]), "M", visitX(row[1]) - 5, scale.y(row[5]), "h 10 M", visitX(row[1]) - 5, scale.y(row[6]), "h 10"].join(" ") })),
    means.map((row) => svg("rect", { x: visitX(row[1]) - 4, y: scale.y(row[4]) - 4, width: 8, height: 8, fill: colour(arm), stroke: "#fff" })));
  const picture = svg("svg", { viewBox: "0 0 " + PANEL.width + " " + PANEL.height, role: "img", "aria-label": population.name + ", " + data.arms[arm].label + ", " + unitOf() + "; the table of counts holds the numbers" },
    drawAxes(scale, arm, summaryOf(population)), thin, dots, lost, bold);
  follow(picture, points, lines);
  return el("figure", {}, el("figcaption", {}, el("span", { class: "swatch", style: "background:" + colour(arm) }), data.arms[arm].label + " ", el("small", {}, subjects.size + (subjects.size === 1 ? " subject" : " subjects"))), picture);
}

/* The nearest point under the pointer names its subject and value, and its line stands out; a click keeps it. */
function follow(picture, points, lines) {
  let last = null, near = null;
  const plain = () => { if (last) last.classList.remove("near"); last = null; near = null; hideTip(); };
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect(), zoom = PANEL.width / box.width;
    const x = (event.clientX - box.left) * zoom, y = (event.clientY - box.top) * zoom;
    plain();
    let least = 22 * 22;
    for (const point of points) {
      const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (distance < least) { least = distance; near = point; }
    }
    if (!near) return;
    last = lines.get(near.row[ROW.subject]) || null;
    if (last) last.classList.add("near");
    const [value, low, high] = shownAt(near.row), range = interval(low, high);
    const said = near.row[ROW.lost] ? "not estimable: " + text(near.row[ROW.reason]) : value === null ? "no " + unitOf() + (text(near.row[ROW.reason]) ? ": " + text(near.row[ROW.reason]) : "") : threeDigits(value) + " " + unitOf() + (range ? " (" + range + ")" : "");
    showTip(event, data.subjects[near.row[ROW.subject]][0] + " · " + data.visits[near.row[ROW.visit]].label + "\n" + said + (near.row[ROW.below] ? "\nbelow LLOQ" : ""));
  });
  picture.addEventListener("pointerleave", plain);
  picture.addEventListener("click", () => {
    const subject = near ? near.row[ROW.subject] : -1;
    curves.subject = subject === curves.subject ? -1 : subject;
    byId("curves-subject").value = curves.subject;
    drawTrajectories();
  });
}

function drawTrajectories() {
  const population = data.populations[chosen.population];
  if (!population) return;
  byId("curves-scale").textContent = unitOf() + ", logarithmic";
  const scale = logScale(population);
  byId("curves").replaceChildren(...(scale ? data.arms.map((_, arm) => drawPanel(population, scale, arm)) : [el("p", { class: "none" }, "No value above zero to draw.")]));
}

function setUpTrajectories() {
  /* a study without any absolute count is shown by its percentages */
  curves.percent = !data.populations.some((population) => population.rows.some((row) => row[ROW.value] !== null));
  byId("curves-unit").value = curves.percent ? "percent" : "cells";
  byId("curves-unit").addEventListener("change", (event) => { curves.percent = event.target.value === "percent"; drawTrajectories(); });
  options(byId("curves-subject"), [[-1, "none"], ...data.subjects.map(([id], index) => [index, id])]);
  byId("curves-subject").addEventListener("change", (event) => { curves.subject = Number(event.target.value); drawTrajectories(); });
  chosen.listeners.push(drawTrajectories);
  drawTrajectories();
}
