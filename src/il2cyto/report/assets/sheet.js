/* Contact sheets: one gate in all tubes, the odd ones framed. */
const sheet = { gate: 0, order: "visit", arm: "", visit: "", batch: "", instrument: "", axes: "shared", size: "150" };
const SHOWN_NAMES = 8;
const visitOf = (tube) => (tube.visit < 0 ? "" : data.visits[tube.visit].label);
const armOf = (tube) => (tube.arm < 0 ? "" : data.arms[tube.arm].label);
const describeTube = (tube) => [tube.subject, visitOf(tube), tube.tube].filter(Boolean).join(" · ");

/* Every tube of the filter that has the gate. */
function sheetEntries() {
  const entries = [];
  data.tubes.forEach((tube, index) => {
    if ((sheet.arm !== "" && tube.arm !== sheet.arm) || (sheet.visit !== "" && tube.visit !== sheet.visit) || (sheet.batch !== "" && tube.batch !== sheet.batch) || (sheet.instrument !== "" && tube.instrument !== sheet.instrument)) return;
    const position = tube.gates.findIndex((row) => row[GATE.gate] === sheet.gate);
    if (position >= 0) entries.push({ tube, index, position, row: tube.gates[position] });
  });
  return entries;
}
const SHEET_ORDERS = {
  visit: (a, b) => a.tube.visit - b.tube.visit || compare(a.tube.subject, b.tube.subject),
  subject: (a, b) => compare(a.tube.subject, b.tube.subject) || a.tube.visit - b.tube.visit,
  batch: (a, b) => compare(a.tube.batch, b.tube.batch) || compare(a.tube.instrument, b.tube.instrument) || SHEET_ORDERS.subject(a, b),
  percent: (a, b) => compare(shareOf(a.row), shareOf(b.row), true),
  oddness: (a, b) => compare(a.odd.score, b.odd.score, true),
};

function sheetCard(entry, axes, size) {
  const { tube, row, odd } = entry, share = shareOf(row), lost = text(row[GATE.reason]);
  const isOdd = odd.score !== null && odd.score > ODD;
  const title = el("button", { class: "title", title: "open all gates of " + tube.id, onclick: () => openTube(entry.index) }, [tube.subject, visitOf(tube)].filter(Boolean).join(" · ") || tube.id);
  let picture;
  if (lost) picture = el("div", { class: "blank", style: "width:" + size + "px;height:" + size + "px" }, "not estimable: " + lost);
  else if (row[GATE.x] === null) picture = el("div", { class: "blank", style: "width:" + size + "px;height:" + size + "px" }, "no picture");
  else picture = gateCanvas(tube, entry.position, size, axes, true, tube.id + ", " + percent(share));
  return el("div", { class: "card" + (isOdd ? " odd" : ""), style: "width:" + (size + 18) + "px", "data-tube": tube.id }, title, el("small", { title: tube.id }, tube.id), picture,
    el("p", {}, el("span", { title: whole(row[GATE.count]) + " of " + whole(row[GATE.parent]) + " events" }, whole(row[GATE.count])), el("b", {}, percent(share))),
    isOdd ? el("p", { class: "say" }, odd.say) : null);
}

/* Percentages of all tubes in the order of the sheet, so that a drift between visits or batches is seen at once. */
function sheetStrip(entries) {
  const known = entries.map((entry, place) => ({ ...entry, place, share: shareOf(entry.row) })).filter((entry) => entry.share !== null);
  if (known.length < 2) return null;
  const width = 1180, height = 150, left = 52, right = 12, top = 10, bottom = 24;
  const shares = known.map((entry) => entry.share), spread = Math.max(...shares) - Math.min(...shares) || 1;
  const low = Math.max(0, Math.min(...shares) - 0.06 * spread), high = Math.min(100, Math.max(...shares) + 0.06 * spread);
  const x = (place) => left + ((place + 0.5) / entries.length) * (width - left - right), y = (share) => height - bottom - ((share - low) / (high - low)) * (height - top - bottom);
  const parts = straightTicks([0, 1], low, high).filter((_, index, all) => all.length < 5 || index % 2 === 0).flatMap(([at, label]) => [
    svg("line", { x1: left, x2: width - right, y1: y(at), y2: y(at), stroke: "#e6ebef" }), svg("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end", "font-size": 11 }, label + " %")]);
  const middle = medianOf(shares);
  parts.push(svg("line", { x1: left, x2: width - right, y1: y(middle), y2: y(middle), stroke: "#5a6978", "stroke-dasharray": "4 3" }));
  /* where the sheet is ordered by visit, subject or batch, a line parts the groups and names them */
  const groupOf = { visit: (tube) => visitOf(tube), subject: (tube) => tube.subject, batch: (tube) => tube.batch }[sheet.order];
  if (groupOf) {
    let from = 0;
    for (let place = 1; place <= entries.length; place++) {
      if (place < entries.length && groupOf(entries[place].tube) === groupOf(entries[from].tube)) continue;
      const label = groupOf(entries[from].tube) || "–", room = x(place - 1) - x(from) + 14;
      if (from) parts.push(svg("line", { x1: x(from - 0.5), x2: x(from - 0.5), y1: top, y2: height - bottom, stroke: "#c9d2da" }));
      if (label.length * 6.2 < room) parts.push(svg("text", { x: (x(from) + x(place - 1)) / 2, y: height - 7, "text-anchor": "middle", "font-size": 11 }, label));
      from = place;
    }
  }
  for (const entry of known) {
    const isOdd = entry.odd.score !== null && entry.odd.score > ODD;
    const dot = svg("circle", { cx: x(entry.place).toFixed(1), cy: y(entry.share).toFixed(1), r: isOdd ? 4.2 : 3, fill: isOdd ? "#fff" : entry.tube.arm < 0 ? "#5a6978" : colour(entry.tube.arm), stroke: isOdd ? "#a4262c" : "none", "stroke-width": 2, class: "dot",
      onclick: () => findCard(entry.tube.id), onpointermove: (event) => showTip(event, entry.tube.id + "\n" + percent(entry.share) + (entry.odd.say ? "\n" + entry.odd.say : "")), onpointerleave: hideTip });
    parts.push(dot);
  }
  return svg("svg", { viewBox: "0 0 " + width + " " + height, role: "img", "aria-label": "percent of parent of " + known.length + " tubes, median " + percent(middle), class: "strip" }, parts);
}
function findCard(id) {
  const card = [...byId("sheet-cards").children].find((one) => one.dataset.tube === id);
  if (card) { card.scrollIntoView({ block: "center" }); card.querySelector("button").focus({ preventScroll: true }); }
}

function drawSheet() {
  const entries = sheetEntries(), rows = entries.map((entry) => entry.row);
  const common = sharedAxes(rows), odd = oddnessOf(rows, common);
  entries.forEach((entry, index) => { entry.odd = odd[index]; });
  entries.sort(SHEET_ORDERS[sheet.order]);
  const [strategy, path] = data.gates[sheet.gate], size = Number(sheet.size);
  const framed = entries.filter((entry) => entry.odd.score > ODD).sort(SHEET_ORDERS.oddness);
  const drawn = rows.find((row) => row[GATE.x] !== null), axes = common || (drawn ? ownAxes(drawn) : {});
  const scaleWords = (axis) => axisTitle(axis) + (axis.scale && axis.scale !== "linear" ? " (" + axis.scale + " scale)" : "");
  byId("sheet-about").replaceChildren(el("b", {}, path.split("/").pop()), " · " + strategy + " · " + path.split("/").join(" › "), axes.x ? " · x: " + scaleWords(axes.x) + (axes.y ? " · y: " + scaleWords(axes.y) : " · y: events") : "",
    sheet.axes === "shared" && !common && drawn ? " · tubes have scales of their own, so each picture has its own axes" : "");
  byId("sheet-odd").replaceChildren();
  const names = framed.slice(0, SHOWN_NAMES).map((entry) => el("button", { class: "link", title: entry.odd.say, onclick: () => findCard(entry.tube.id) }, entry.tube.id));
  fill(byId("sheet-odd"), {}, [el("b", { id: "sheet-count" }, entries.length + (entries.length === 1 ? " tube" : " tubes")), ", ", framed.length ? [framed.length + " odd: ", names.map((name, index) => [index ? ", " : "", name]), framed.length > SHOWN_NAMES ? " and " + (framed.length - SHOWN_NAMES) + " more" : ""] : entries.length < LEAST_TUBES ? "too few to call one odd" : "none odd"]);
  const strip = sheetStrip(entries);
  byId("sheet-strip").replaceChildren(...(strip ? [strip] : []));
  for (const canvas of byId("sheet-cards").querySelectorAll("canvas")) painter.unobserve(canvas);
  byId("sheet-cards").replaceChildren(...entries.map((entry) => sheetCard(entry, sheet.axes === "shared" ? common : null, size)));
  if (!entries.length) byId("sheet-cards").append(el("p", { class: "none" }, "No tube matches."));
}

function sheetGateOptions(search) {
  const wanted = search.toLowerCase().split(/\s+/).filter(Boolean), groups = new Map();
  data.gates.forEach(([strategy, path], index) => {
    if (!wanted.every((word) => (strategy + " " + path).toLowerCase().includes(word))) return;
    if (!groups.has(strategy)) groups.set(strategy, []);
    const depth = path.split("/").length - 1;
    groups.get(strategy).push(el("option", { value: index }, "\u2007".repeat(wanted.length ? 0 : 2 * depth) + path.split("/").pop()));
  });
  return [...groups].map(([strategy, entries]) => el("optgroup", { label: strategy || "no strategy" }, entries));
}

function chooseGate(index, link) {
  sheet.gate = index;
  byId("sheet-gate").value = index;
  if (byId("sheet-gate").selectedIndex < 0) { byId("sheet-search").value = ""; byId("sheet-gate").replaceChildren(...sheetGateOptions("")); byId("sheet-gate").value = index; }
  if (link) setHash("gate", data.gates[index].slice(0, 2).join("/"));
  drawSheet();
}

function setUpSheet() {
  if (!data.gates.length) { byId("sheet-body").append(el("p", { class: "none" }, "No tube was gated.")); return; }
  const distinct = (read) => [...new Set(data.tubes.filter((tube) => tube.gates.length).map(read))].filter((value) => value !== "" && value !== -1).sort((a, b) => compare(a, b));
  const control = (label, name, entries) => {
    const select = el("select", { id: "sheet-" + name, onchange: (event) => { const value = event.target.value; sheet[name] = value !== "" && (name === "arm" || name === "visit") ? Number(value) : value; drawSheet(); } });
    options(select, entries);
    select.value = sheet[name];
    return el("label", {}, label, select);
  };
  const filter = (label, name, say) => { const values = distinct((tube) => tube[name]); return values.length > 1 || name === "arm" || name === "visit" ? control(label, name, [["", "all"], ...values.map((value) => [value, say(value)])]) : null; };
  const gate = el("select", { id: "sheet-gate", "aria-label": "Gate", onchange: (event) => chooseGate(Number(event.target.value), true) }, sheetGateOptions(""));
  const search = el("input", { type: "search", id: "sheet-search", placeholder: "search", "aria-label": "Search gates", oninput: (event) => {
    gate.replaceChildren(...sheetGateOptions(event.target.value));
    gate.value = sheet.gate;
    if (gate.selectedIndex < 0 && gate.options.length) chooseGate(Number(gate.options[0].value), true);
  } });
  const population = data.populations[chosen.population];
  const preset = population ? data.gates.findIndex(([strategy, path]) => strategy === population.strategy && path === population.path) : -1;
  sheet.gate = Math.max(preset, 0);
  gate.value = sheet.gate;
  byId("sheet-body").append(
    el("div", { class: "controls" }, el("span", { class: "picker" }, el("label", {}, "Gate ", search), gate), filter("Arm", "arm", (value) => data.arms[value].label), filter("Visit", "visit", (value) => data.visits[value].label), filter("Batch", "batch", String), filter("Instrument", "instrument", String),
      control("Order", "order", [["visit", "visit"], ["subject", "subject"], ["batch", "batch"], ["percent", "percent of parent"], ["oddness", "oddness"]]),
      control("Axes", "axes", [["shared", "the same for all"], ["own", "its own"]]), control("Size", "size", [["150", "small"], ["220", "large"]])),
    el("p", { class: "subject-of", id: "sheet-about" }), el("p", { id: "sheet-odd" }), el("div", { id: "sheet-strip" }), el("div", { class: "cards small", id: "sheet-cards" }),
    el("p", { class: "legend" }, "Framed: the percentage of the parent (log odds), or the median position of the population on an axis, lies more than " + ODD + " robust standard deviations from the median of the tubes shown, counting error included; filter by arm or visit to compare like with like. Colours show the logarithm of the number of events in a bin; a dashed outline means that the population lies outside it. A title opens its tube."));
  drawSheet();
}
