/* Gating pictures on demand: all gates of one tube, or one gate in all tubes. */
const gating = { tube: -1, mode: "tube", gate: "", search: "", cache: new Map() };

function picturesOf(tube) {
  if (tube.block < 0) return null;
  if (!gating.cache.has(tube.block)) gating.cache.set(tube.block, JSON.parse(byId("plots-" + tube.block).textContent));
  return gating.cache.get(tube.block);
}
const tubeWords = (tube) => [tube.id, tube.subject, tube.arm, tube.visit, tube.tube, tube.strategy].join(" ").toLowerCase();
const describeTube = (tube) => [tube.subject, tube.visit, tube.tube].filter(Boolean).join(" · ");

/* Canvases are drawn when they come near the window. */
const painter = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) { painter.unobserve(entry.target); entry.target.paint(); }
}, { rootMargin: "600px" });

function gateCard(gate, title, below, onclick) {
  const name = gate.population.split("/").pop();
  const head = [el("h4", { title: onclick ? "all gates of this tube" : gate.population, class: onclick ? "link" : null, onclick: onclick || null }, title || name), el("small", { title: gate.population }, below)];
  if (gate.status !== "estimated")
    return el("div", { class: "card", title: gate.reason }, head, el("div", { class: "blank" }, "not estimable: " + (gate.reason || "no reason given")), el("p", {}, el("span", {}, "–"), el("b", {}, "–")));
  const foot = el("p", {}, el("span", {}, whole(gate.count) + " of " + whole(gate.parent)), el("b", {}, percent(gate.percent)));
  if (!gate.x || !gate.density)
    return el("div", { class: "card" }, head, el("div", { class: "blank" }, gate.type ? gate.type + " gate: no picture" : "no picture"), foot);
  const canvas = el("canvas", { role: "img", "aria-label": name + ", " + percent(gate.percent) });
  canvas.paint = () => drawGate(canvas, gate, 220);
  painter.observe(canvas);
  return el("div", { class: "card" }, head, canvas, foot);
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
    return el("li", { role: "option", "aria-selected": index === gating.tube ? "true" : "false", "data-tube": index, onclick: () => chooseTube(index, true) },
      describeTube(tube) || tube.id, el("span", {}, tube.id), tube.failure ? el("span", { class: "failed", title: tube.failure }, tube.block < 0 ? "failed" : "has a failure") : null);
  }));
}

function markTube() {
  for (const item of byId("tube-list").children) {
    const here = Number(item.dataset.tube) === gating.tube;
    item.setAttribute("aria-selected", here ? "true" : "false");
    if (here) { const list = byId("tube-list"); if (item.offsetTop < list.scrollTop || item.offsetTop + item.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = item.offsetTop - list.clientHeight / 3; }
  }
}

function chooseTube(index, link) {
  gating.tube = index;
  gating.mode = "tube";
  if (link) try { history.replaceState(null, "", "#tube=" + encodeURIComponent(data.tubes[index].id)); } catch (error) { /* some browsers refuse this for local files; the link is a convenience */ }
  markTube();
  drawGating();
}

function step(by) {
  const shown = shownTubes(), next = shown[shown.indexOf(gating.tube) + by];
  if (next !== undefined) chooseTube(next, true);
}

function drawTube() {
  const tube = data.tubes[gating.tube];
  const shown = shownTubes(), place = shown.indexOf(gating.tube);
  byId("gating-bar").replaceChildren(el("button", { onclick: () => step(-1), disabled: place <= 0, title: "previous tube (←)" }, "←"), el("button", { onclick: () => step(1), disabled: place < 0 || place === shown.length - 1, title: "next tube (→)" }, "→"));
  if (!tube) { byId("gating-cards").replaceChildren(el("p", { class: "none" }, "Choose a tube.")); return; }
  const pictures = picturesOf(tube);
  byId("gating-bar").append(el("b", {}, tube.id), el("span", {}, [describeTube(tube), tube.arm, tube.strategy, pictures && pictures.n_events !== null ? whole(pictures.n_events) + " events" : ""].filter(Boolean).join(" · ")));
  byId("gating-cards").replaceChildren(...(pictures ? pictures.gates.map((gate) => gateCard(gate, "", gate.population.split("/").slice(0, -1).slice(-2).join(" › ") || "all events"))
    : [el("p", { class: "none" }, tube.failure ? "This tube failed: " + tube.failure : "This tube has no pictures.")]));
}

function drawSheet() {
  const names = new Map();
  for (const tube of data.tubes)
    for (const gate of (picturesOf(tube) || { gates: [] }).gates)
      names.set(tube.strategy + "|" + gate.population, [tube.strategy, ...gate.population.split("/").slice(-3)].join(" › "));
  if (!names.has(gating.gate)) gating.gate = names.keys().next().value || "";
  const select = el("select", { "aria-label": "Gate", onchange: (event) => { gating.gate = event.target.value; drawSheet(); } });
  options(select, [...names]);
  select.value = gating.gate;
  byId("gating-bar").replaceChildren(el("label", {}, "Gate ", select), el("span", {}, "in the tubes of the list; a title opens its tube"));
  byId("gating-cards").replaceChildren(...shownTubes().flatMap((index) => {
    const tube = data.tubes[index], gate = (picturesOf(tube) || { gates: [] }).gates.find((candidate) => tube.strategy + "|" + candidate.population === gating.gate);
    return gate ? [gateCard(gate, describeTube(tube) || tube.id, tube.id, () => chooseTube(index, true))] : [];
  }));
}

function drawGating() {
  for (const button of document.querySelectorAll("#gating-mode button")) button.setAttribute("aria-pressed", button.dataset.mode === gating.mode ? "true" : "false");
  byId("gating-hint").hidden = gating.mode !== "tube";
  painter.disconnect();
  (gating.mode === "tube" ? drawTube : drawSheet)();
}

function followLink() {
  const match = /^#tube=(.*)$/.exec(location.hash);
  if (!match) return;
  let id = match[1];
  try { id = decodeURIComponent(id); } catch (error) { /* a lone % sign: take the text as it stands */ }
  const index = data.tubes.findIndex((tube) => tube.id === id);
  if (index >= 0) { chooseTube(index, false); byId("gating").scrollIntoView(); }
}

function setUpGating() {
  if (!data.tubes.length) { byId("gating-body").append(el("p", { class: "none" }, "No tube was gated.")); return; }
  const mode = (name, label) => el("button", { "data-mode": name, onclick: () => { gating.mode = name; drawGating(); } }, label);
  byId("gating-body").append(
    el("div", { class: "controls", id: "gating-mode" }, mode("tube", "One tube, all gates"), mode("gate", "One gate, all tubes"), el("span", { id: "gating-hint" }, "← and → change the tube while this section is in view")),
    el("div", { class: "viewer" },
      el("div", { class: "chooser" }, el("input", { type: "search", placeholder: "subject, visit, tube, arm …", "aria-label": "Search tubes", oninput: (event) => { gating.search = event.target.value; drawList(); drawGating(); } }),
        el("small", { id: "tube-count" }), el("ul", { id: "tube-list", role: "listbox", "aria-label": "Tubes" })),
      el("div", {}, el("div", { class: "bar", id: "gating-bar" }), el("div", { class: "cards", id: "gating-cards" }))));
  gating.tube = data.tubes.findIndex((tube) => tube.block >= 0);
  drawList();
  drawGating();
  followLink();
  window.addEventListener("hashchange", followLink);
  document.addEventListener("keydown", (event) => {
    const box = byId("gating").getBoundingClientRect();
    const typing = event.target.closest && event.target.closest("input, select, textarea");
    if (typing || gating.mode !== "tube" || event.altKey || event.ctrlKey || event.metaKey || box.bottom < 80 || box.top > window.innerHeight - 80) return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else return;
    event.preventDefault();
  });
}
