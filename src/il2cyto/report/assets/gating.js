/* Gating trees: every gate of one tube, as a tree with numbers and as pictures. */
const gating = { tube: -1, search: "" };
const tubeWords = (tube) => [tube.id, tube.subject, armOf(tube), visitOf(tube), tube.tube, tube.strategy, tube.batch, tube.instrument, tube.state === "failed" ? "failed" : ""].join(" ").toLowerCase();

function setHash(key, value) {
  try { history.replaceState(null, "", "#" + key + "=" + encodeURIComponent(value)); } catch (error) { /* some browsers refuse this for local files; the link is a convenience */ }
}

function shownTubes() {
  const wanted = gating.search.toLowerCase().split(/\s+/).filter(Boolean);
  return data.tubes.map((_, index) => index).filter((index) => wanted.every((word) => tubeWords(data.tubes[index]).includes(word)));
}

function drawList() {
  const shown = shownTubes();
  byId("tube-count").textContent = shown.length + " of " + data.tubes.length + " tubes";
  byId("tube-list").replaceChildren(...shown.map((index) => {
    const tube = data.tubes[index];
    return el("li", { role: "option", "aria-selected": index === gating.tube ? "true" : "false", "data-tube": index, id: "tube-" + index, onclick: () => chooseTube(index, true) },
      describeTube(tube) || tube.id, el("span", {}, tube.id), tube.state === "failed" || tube.failure ? el("span", { class: "failed", title: tube.reason || tube.failure }, tube.block < 0 ? "failed" : "has a failure") : null);
  }));
}

function markTube() {
  const list = byId("tube-list");
  list.setAttribute("aria-activedescendant", "tube-" + gating.tube);
  for (const item of list.children) {
    const here = Number(item.dataset.tube) === gating.tube;
    item.setAttribute("aria-selected", here ? "true" : "false");
    if (here && (item.offsetTop < list.scrollTop || item.offsetTop + item.offsetHeight > list.scrollTop + list.clientHeight)) list.scrollTop = item.offsetTop - list.clientHeight / 3;
  }
}

function chooseTube(index, link) {
  gating.tube = index;
  if (link) setHash("tube", data.tubes[index].id);
  markTube();
  drawTube();
}
function openTube(index) {
  if (!shownTubes().includes(index)) { gating.search = ""; byId("tube-search").value = ""; drawList(); }
  chooseTube(index, true);
  byId("gating").scrollIntoView();
  byId("tube-list").focus({ preventScroll: true });
}
function step(by) {
  const shown = shownTubes(), next = shown[shown.indexOf(gating.tube) + by];
  if (next !== undefined) chooseTube(next, true);
}

/* Events per second over the acquisition: a clog or an air bubble is a dent. */
function rateLine(tube, width, height) {
  if (!tube.rate.length) return null;
  const most = Math.max(...tube.rate), step = width / tube.rate.length;
  const points = tube.rate.map((n, index) => (index * step).toFixed(1) + " " + (height - 1 - (n / (most || 1)) * (height - 3)).toFixed(1) + "h" + step.toFixed(1));
  const mean = tube.rate.reduce((a, b) => a + b, 0) / tube.duration;
  return svg("svg", { viewBox: "0 0 " + width + " " + height, role: "img", class: "rate", style: "width:" + width + "px;height:" + height + "px", "aria-label": "event rate over " + threeDigits(tube.duration) + " s, mean " + threeDigits(mean) + " per second" },
    svg("title", {}, "events over the acquisition time, " + tube.rate.length + " parts of " + threeDigits(tube.duration / tube.rate.length) + " s; mean " + threeDigits(mean) + " events/s"), svg("path", { d: "M0 " + height + "L" + points.join("L") + "V" + height + "Z", fill: "#b9d3e4", stroke: "#3b6f93", "stroke-width": 0.8 }),
    ...(tube.faults || []).map(([from, to, told]) => svg("rect", { x: (from * width).toFixed(1), y: 0, width: Math.max((to - from) * width, 1.5).toFixed(1), height, fill: "#a4262c", "fill-opacity": 0.28 }, svg("title", {}, "unstable: " + told))));
}

const VERDICTS = { pass: ["good", "✓"], review: ["flagged", "▲"], fail: ["failed", "✕"] };
function verdictOf(tube) {
  if (!tube.verdict) return null;
  const [state, sign] = VERDICTS[tube.verdict];
  return [el("span", { class: "c " + state }, el("b", {}, sign)), " ", tube.verdict];
}

function tubeFacts(tube) {
  const facts = [["Arm", armOf(tube)], ["Strategy", tube.strategy], ["Batch", tube.batch], ["Instrument", tube.instrument], ["Events", tube.events === null ? "" : whole(tube.events)],
    ["Duration", tube.duration === null ? "" : threeDigits(tube.duration) + " s"], ["Time kept", tube.kept === null ? "" : percent(tube.kept)], ["Beads", tube.beads === null ? "" : whole(tube.beads)],
    ["At upper edge", tube.margins.length ? tube.margins.slice(0, 3).map(([name, share]) => name + " " + percent(share)).join(", ") : ""]];
  return el("dl", { class: "facts" }, facts.filter(([, value]) => value).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))), tube.rate.length ? el("div", {}, el("dt", {}, "Event rate"), el("dd", {}, rateLine(tube, 150, 26))) : null,
    tube.verdict ? el("div", {}, el("dt", {}, "Quality"), el("dd", {}, verdictOf(tube), tube.why ? el("small", { class: "why" }, " " + tube.why) : null)) : null);
}

const flagsOf = (row) => text(row[GATE.flags]).split(";").filter(Boolean);
const flagWords = (flag) => flag.replace(/_/g, " ").replace("lloq", "LLOQ").replace("lod", "LOD");

function tubeTree(tube) {
  /* what every population bears is said once, above the tree */
  const everywhere = tube.gates.length > 1 ? flagsOf(tube.gates[0]).filter((flag) => tube.gates.every((row) => flagsOf(row).includes(flag))) : [];
  const moved = new Map((tube.moved || []).map(([index, ...said]) => [index, said.map(text)]));
  const correction = ([level, author, time, reason]) => [el("span", { class: "badge flag" }, "corrected"), el("small", { class: "why" }, "for this " + level + ", " + author + ", " + time + ": " + reason)];
  const row = (gate, index) => {
    const [, path] = data.gates[gate[GATE.gate]], parts = path.split("/"), lost = text(gate[GATE.reason]), loud = flagsOf(gate).filter((flag) => !everywhere.includes(flag));
    return el("tr", {}, el("th", { scope: "row", style: "padding-left:" + (parts.length - 1) * 16 + "px" }, el("button", { class: "link", title: path.split("/").join(" › "), onclick: () => { const card = byId("gating-cards").children[index]; card.scrollIntoView({ block: "center" }); card.classList.add("here"); setTimeout(() => card.classList.remove("here"), 1500); } }, parts[parts.length - 1])),
      lost ? el("td", { colspan: 4 }, el("i", { class: "lost" }, "not estimable: " + lost)) : [
        el("td", { class: "number" }, whole(gate[GATE.count])), el("td", { class: "number" }, percent(shareOf(gate))), el("td", { class: "number" }, tube.events && gate[GATE.count] !== null ? percent((100 * gate[GATE.count]) / tube.events) : "–"),
        el("td", { class: "number" }, gate[GATE.value] === null ? "–" : [el("b", {}, threeDigits(gate[GATE.value])), el("small", {}, interval(gate[GATE.lower], gate[GATE.upper]))])],
      el("td", {}, moved.has(index) ? correction(moved.get(index)) : null, loud.map((flag) => el("span", { class: "badge" }, flagWords(flag)))));
  };
  return el("table", { class: "tree" }, el("thead", {}, el("tr", {}, el("th", {}, "Population"), el("th", { class: "number" }, "Events"), el("th", { class: "number" }, "% of parent"), el("th", { class: "number" }, "% of all events"), el("th", { class: "number" }, "cells/µL", el("small", {}, "95 % interval")), el("th", {}, "Flags"))), el("tbody", {}, tube.gates.map(row)));
}

function gateCard(tube, position) {
  const gate = tube.gates[position], path = data.gates[gate[GATE.gate]][1], parts = path.split("/"), name = parts[parts.length - 1], lost = text(gate[GATE.reason]);
  const head = [el("h4", { title: path }, name), el("small", { title: path }, parts.slice(0, -1).slice(-2).join(" › ") || "all events")];
  if (lost) return el("div", { class: "card", title: lost }, head, el("div", { class: "blank" }, "not estimable: " + lost), el("p", {}, el("span", {}, "–"), el("b", {}, "–")));
  const foot = el("p", {}, el("span", {}, whole(gate[GATE.count]) + " of " + whole(gate[GATE.parent])), el("b", {}, percent(shareOf(gate))));
  const type = data.shapes[gate[GATE.shape]].type;
  if (gate[GATE.x] === null) return el("div", { class: "card" }, head, el("div", { class: "blank" }, type ? type + " gate: no picture" : "no picture"), foot);
  const compareAll = el("button", { class: "link more", title: "this gate in all tubes", onclick: () => { chooseGate(gate[GATE.gate], true); byId("sheet").scrollIntoView(); } }, "all tubes");
  return el("div", { class: "card" }, compareAll, head, gateCanvas(tube, position, 220, null, false, name + ", " + percent(shareOf(gate))), foot);
}

function drawTube() {
  const tube = data.tubes[gating.tube], shown = shownTubes(), place = shown.indexOf(gating.tube);
  byId("gating-bar").replaceChildren(el("button", { onclick: () => step(-1), disabled: place <= 0, title: "previous tube (←)", "aria-label": "previous tube" }, "←"), el("button", { onclick: () => step(1), disabled: place < 0 || place === shown.length - 1, title: "next tube (→)", "aria-label": "next tube" }, "→"));
  for (const canvas of byId("gating-cards").querySelectorAll("canvas")) painter.unobserve(canvas);
  if (!tube) { byId("gating-tree").replaceChildren(el("p", { class: "none" }, "Choose a tube.")); byId("gating-cards").replaceChildren(); return; }
  byId("gating-bar").append(el("b", {}, tube.id), el("span", {}, describeTube(tube)));
  const said = tube.reason || tube.failure;
  byId("gating-tree").replaceChildren(...[said ? el("p", { class: tube.state === "failed" ? "notice bad" : "notice" }, (tube.state === "failed" ? "This tube failed: " : "Look at: ") + said) : null, tube.block < 0 ? null : tubeFacts(tube), tube.gates.length ? el("div", { class: "across" }, tubeTree(tube)) : el("p", { class: "none" }, "This tube has no pictures.")].filter(Boolean));
  byId("gating-cards").replaceChildren(...tube.gates.map((_, position) => gateCard(tube, position)));
}

function followLink() {
  const match = /^#(tube|gate)=(.*)$/.exec(location.hash);
  if (!match) return;
  let id = match[2];
  try { id = decodeURIComponent(id); } catch (error) { /* a lone % sign: take the text as it stands */ }
  if (match[1] === "tube") {
    const index = data.tubes.findIndex((tube) => tube.id === id);
    if (index >= 0) openTube(index);
  } else {
    const index = data.gates.findIndex(([strategy, path]) => strategy + "/" + path === id);
    if (index >= 0) { chooseGate(index, false); byId("sheet").scrollIntoView(); }
  }
}

function setUpGating() {
  if (!data.tubes.length) { byId("gating-body").append(el("p", { class: "none" }, "No tube was gated.")); return; }
  const list = el("ul", { id: "tube-list", role: "listbox", "aria-label": "Tubes", tabindex: 0, onkeydown: (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 }[event.key];
    if (by === undefined) return;
    const shown = shownTubes(), next = shown[Math.min(Math.max(shown.indexOf(gating.tube) + by, 0), shown.length - 1)];
    if (next !== undefined) chooseTube(next, true);
    event.preventDefault();
  } });
  byId("gating-body").append(
    el("div", { class: "viewer" },
      el("div", { class: "chooser" }, el("input", { type: "search", id: "tube-search", placeholder: "subject, visit, tube, arm …", "aria-label": "Search tubes", oninput: (event) => { gating.search = event.target.value; drawList(); markTube(); drawTube(); } }),
        el("small", { id: "tube-count" }), list, el("small", {}, "← and → change the tube while this section is in view")),
      el("div", {}, el("div", { class: "bar", id: "gating-bar" }), el("div", { id: "gating-tree" }), el("div", { class: "cards", id: "gating-cards" }))));
  gating.tube = data.tubes.findIndex((tube) => tube.block >= 0);
  drawList();
  markTube();
  drawTube();
  document.addEventListener("keydown", (event) => {
    const box = byId("gating").getBoundingClientRect();
    const typing = event.target.closest && event.target.closest("input, select, textarea");
    if (typing || event.altKey || event.ctrlKey || event.metaKey || box.bottom < 80 || box.top > window.innerHeight - 80) return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else return;
    event.preventDefault();
  });
}
