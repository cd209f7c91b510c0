/* The model's table with its forest plot in the last column: one line per estimate, all on one logarithmic axis. */
const MODEL = { strategy: 0, path: 1, definition: 2, arm: 3, visit: 4, contrast: 5, subjects: 6, observations: 7, ratio: 8, lower: 9, upper: 10, p: 11, method: 12, lost: 13, reason: 14 };
const FOREST = { width: 280, left: 12, right: 12 };
const modelView = { contrast: null, visit: null, arm: "", search: "", order: { key: null, down: false } };

const contrastLabel = (index) => text(index).replace(/_/g, " ");
/* An arm, or two of them with a slash for their contrast. */
function armLabel(index) {
  const label = (id) => (data.arms.find((arm) => arm.id === id) || { label: id }).label;
  const whole = label(text(index));
  return (whole === text(index) ? whole.split(" / ").map(label).join(" / ") : whole) || "–";
}
/* Methods and remarks are long: rows carry numbers, and the sentences stand below the table. */
const notesOf = (row) => [text(row[MODEL.method]), ...text(row[MODEL.reason]).split("; ")].filter(Boolean);
const notes = [...new Set([...data.model.map((row) => text(row[MODEL.method])).filter(Boolean), ...data.model.flatMap(notesOf).sort((a, b) => compare(a, b))])];
const armColour = (index) => { const at = data.arms.findIndex((arm) => arm.id === text(index)); return at < 0 ? "#1b2733" : colour(at); };

function forestScale(rows) {
  const values = [1];
  for (const row of rows) for (const key of [MODEL.ratio, MODEL.lower, MODEL.upper]) if (!row[MODEL.lost] && row[key] > 0) values.push(row[key]);
  /* an interval a thousandfold wide is drawn with an arrow; it must not flatten the others */
  const low = Math.max(Math.min(...values) / 1.08, 0.02), high = Math.min(Math.max(...values) * 1.08, 50);
  const span = Math.log(high / low) || 1;
  return { low, high, x: (value) => FOREST.left + (Math.log(Math.min(Math.max(value, low), high) / low) / span) * (FOREST.width - FOREST.left - FOREST.right) };
}

function forestTicks(scale) {
  let ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].filter((tick) => tick >= scale.low && tick <= scale.high);
  if (ticks.length < 4) ticks = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 3, 4].filter((tick) => tick >= scale.low && tick <= scale.high);
  const kept = [1];
  for (const tick of ticks) if (kept.every((other) => Math.abs(scale.x(other) - scale.x(tick)) > 28)) kept.push(tick);
  return kept;
}

function forestAxis(scale) {
  return svg("svg", { viewBox: "0 0 280 22" }, forestTicks(scale).map((tick) => [
    svg("text", { x: scale.x(tick), y: 13, "text-anchor": "middle", "font-size": 11.5 }, String(tick)),
    svg("line", { x1: scale.x(tick), x2: scale.x(tick), y1: 17, y2: 22, stroke: "#9aa7b2" })]));
}

function forestLine(row, scale) {
  const parts = forestTicks(scale).map((tick) => svg("line", { x1: scale.x(tick), x2: scale.x(tick), y1: -6, y2: 30, stroke: tick === 1 ? "#7d8b97" : "#eef1f4", "stroke-dasharray": tick === 1 ? "3 3" : null }));
  if (!row[MODEL.lost] && row[MODEL.ratio] > 0) {
    const shade = armColour(row[MODEL.arm]);
    if (row[MODEL.lower] > 0 && row[MODEL.upper] > 0) {
      parts.push(svg("line", { x1: scale.x(row[MODEL.lower]), x2: scale.x(row[MODEL.upper]), y1: 12, y2: 12, stroke: shade, "stroke-width": 2 }));
      if (row[MODEL.lower] < scale.low) parts.push(svg("path", { d: "M" + (FOREST.left + 6) + " 7L" + FOREST.left + " 12L" + (FOREST.left + 6) + " 17", fill: "none", stroke: shade, "stroke-width": 2 }));
      if (row[MODEL.upper] > scale.high) { const end = FOREST.width - FOREST.right; parts.push(svg("path", { d: "M" + (end - 6) + " 7L" + end + " 12L" + (end - 6) + " 17", fill: "none", stroke: shade, "stroke-width": 2 })); }
    }
    if (row[MODEL.ratio] >= scale.low && row[MODEL.ratio] <= scale.high) parts.push(svg("rect", { x: scale.x(row[MODEL.ratio]) - 4, y: 8, width: 8, height: 8, fill: shade }));
  }
  return svg("svg", { viewBox: "0 0 280 24", "aria-hidden": "true" }, parts);
}

function modelRow(row, scale, withArm) {
  const population = data.populations.find((candidate) => candidate.path === text(row[MODEL.path]) && candidate.strategy === text(row[MODEL.strategy]));
  const name = population ? population.name : text(row[MODEL.path]).split("/").pop();
  const title = text(row[MODEL.strategy]) + " · " + text(row[MODEL.path]).split("/").join(" › ") + (text(row[MODEL.definition]) ? "\n" + text(row[MODEL.definition]) : "");
  const head = [el("td", { title }, name), el("td", {}, text(row[MODEL.strategy])), withArm ? el("td", { class: "arm" }, el("span", { class: "swatch", style: "background:" + armColour(row[MODEL.arm]) }), armLabel(row[MODEL.arm])) : null,
    modelView.visit === "" ? el("td", {}, row[MODEL.visit] < 0 ? "–" : data.visits[row[MODEL.visit]].label) : null,
    el("td", { class: "number" }, whole(row[MODEL.subjects])), el("td", { class: "number" }, whole(row[MODEL.observations]))];
  const tail = [el("td", { class: "plot" }, forestLine(row, scale)), el("td", { class: "remark", title: notesOf(row).join("\n") }, notesOf(row).map((note) => notes.indexOf(note) + 1).sort((a, b) => a - b).join(", "))];
  if (row[MODEL.lost] || row[MODEL.ratio] === null)
    return el("tr", {}, head, el("td", { class: "number" }, el("i", { class: "lost", title: text(row[MODEL.reason]) }, "not estimable")), el("td", {}), el("td", { class: "number empty" }, "–"), tail);
  return el("tr", {}, head, el("td", { class: "number" }, el("b", {}, threeDigits(row[MODEL.ratio]))), el("td", {}, interval(row[MODEL.lower], row[MODEL.upper])),
    el("td", { class: "number" }, pValue(row[MODEL.p])), tail);
}

function drawModel() {
  const { contrast, visit, arm, search, order } = modelView;
  const words = search.toLowerCase();
  const rows = data.model.filter((row) => row[MODEL.contrast] === contrast && (visit === "" || row[MODEL.visit] === visit) && (arm === "" || row[MODEL.arm] === arm)
    && (text(row[MODEL.strategy]) + " " + text(row[MODEL.path])).toLowerCase().includes(words));
  const keys = { population: (row) => text(row[MODEL.path]).split("/").pop(), strategy: (row) => text(row[MODEL.strategy]), arm: (row) => armLabel(row[MODEL.arm]), visit: (row) => row[MODEL.visit],
    ratio: (row) => (row[MODEL.lost] ? null : row[MODEL.ratio]), p: (row) => row[MODEL.p] };
  if (order.key) rows.sort((a, b) => compare(keys[order.key](a), keys[order.key](b), order.down));
  const sort = (next) => { modelView.order = next; drawModel(); };
  const heading = (key, label, kind) => sortHeading(key, order, sort, { class: kind || "" }, label);
  const scale = forestScale(rows);
  const withArm = new Set(rows.map((row) => row[MODEL.arm])).size > 1;
  const shown = [contrastLabel(contrast), visit === "" ? "all visits" : visit < 0 ? "" : data.visits[visit].label, withArm || !rows.length ? "" : armLabel(rows[0][MODEL.arm])];
  byId("model-shown").textContent = shown.filter(Boolean).join(" · ");
  byId("model-table").replaceChildren(el("table", { class: "model" },
    el("thead", {}, el("tr", {}, heading("population", "Population"), heading("strategy", "Strategy"), withArm ? heading("arm", "Arm") : null, visit === "" ? heading("visit", "Visit") : null, el("th", { class: "number" }, "Subjects"), el("th", { class: "number" }, "Values"),
      heading("ratio", text(contrast) === "arm_difference" ? "Ratio of ratios" : "Ratio", "number"), el("th", {}, "95 % interval"), heading("p", "p", "number"), el("th", { class: "plot" }, forestAxis(scale)), el("th", {}, "Notes"))),
    el("tbody", {}, rows.map((row) => modelRow(row, scale, withArm)), rows.length ? null : el("tr", {}, el("td", { colspan: 11, class: "empty" }, "No estimate matches.")))));
}

function setUpModel() {
  const body = byId("model-body");
  if (!data.model.length) { body.append(el("p", { class: "none" }, "Nothing was modelled in this study.")); return; }
  const distinct = (key) => [...new Set(data.model.map((row) => row[key]))];
  const contrasts = distinct(MODEL.contrast), visits = distinct(MODEL.visit).sort((a, b) => a - b), arms = distinct(MODEL.arm);
  const control = (label, name, entries, read) => {
    const select = el("select", { onchange: (event) => { modelView[name] = read(event.target.value); drawModel(); } });
    options(select, entries);
    select.value = modelView[name];
    return el("label", {}, label, select);
  };
  const number = (value) => (value === "" ? "" : Number(value));
  modelView.contrast = contrasts[0];
  modelView.visit = visits[visits.length - 1];
  body.append(el("div", { class: "controls" },
    control("Contrast", "contrast", contrasts.map((index) => [index, contrastLabel(index)]), number),
    control("Visit", "visit", [["", "all"], ...visits.map((visit) => [visit, visit < 0 ? "–" : data.visits[visit].label])], number),
    control("Arm", "arm", [["", "all"], ...arms.map((arm) => [arm, armLabel(arm)])], number),
    el("label", {}, "Population", el("input", { type: "search", placeholder: "search", oninput: (event) => { modelView.search = event.target.value; drawModel(); } }))),
    el("p", { class: "subject-of", id: "model-shown" }), el("div", { class: "scroll", id: "model-table" }),
    el("ol", { class: "legend" }, notes.map((note) => el("li", {}, note))));
  drawModel();
}
