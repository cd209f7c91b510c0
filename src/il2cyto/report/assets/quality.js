/* Quality: numbers of every tube, as strips of dots by tube type and as a table. */
const quality = { order: { key: "verdict", down: true }, search: "", type: "" };
const METRICS = [
  ["Events", "", (tube) => tube.events, true, whole],
  ["Events per second", "/s", (tube) => (tube.duration ? tube.rate.reduce((a, b) => a + b, 0) / tube.duration : null), true, threeDigits],
  ["Unstable events", "%", (tube) => (tube.unstable === undefined ? null : tube.unstable), false, percent],
  ["Acquisition time kept", "%", (tube) => tube.kept, false, percent],
  ["Largest share at the upper edge of a channel", "%", (tube) => (tube.block < 0 || tube.events === null ? null : tube.margins.length ? tube.margins[0][1] : 0), false, percent],
  ["Counting beads", "events", (tube) => tube.beads, true, whole],
];

/* One row of dots per tube type; the odd ones (3.5 robust standard deviations, on the axis as drawn) are ringed and named. */
function metricStrips([title, unit, read, logarithmic, say]) {
  const types = [...new Set(data.tubes.map((tube) => tube.tube))];
  const groups = types.map((type) => [type, data.tubes.map((tube, index) => ({ tube, index, value: read(tube) })).filter((one) => one.tube.tube === type && one.value !== null && (!logarithmic || one.value > 0))]).filter(([, ones]) => ones.length);
  if (!groups.length) return null;
  const width = 560, left = 84, right = 14, line = 30, height = groups.length * line + 26;
  const values = groups.flatMap(([, ones]) => ones.map((one) => one.value)), place = logarithmic ? Math.log : (value) => value;
  let low = Math.min(...values), high = Math.max(...values);
  if (logarithmic) { low /= 1.15; high *= 1.15; if (high / low < 2) { const middle = Math.sqrt(low * high); low = middle / 1.42; high = middle * 1.42; } }
  else { const margin = 0.06 * (high - low) || 0.5; low = Math.max(0, low - margin); high += margin; if (unit === "%") high = Math.min(high, 100.5); }
  const x = (value) => left + ((place(value) - place(low)) / (place(high) - place(low))) * (width - left - right);
  let ticks = (logarithmic ? logTicks(low, high) : straightTicks([0, 1], low, high).map(([at]) => at));
  while (ticks.length > 5) ticks = ticks.filter((_, index) => index % 2 === 0);
  const parts = ticks.flatMap((at) => [svg("line", { x1: x(at), x2: x(at), y1: 2, y2: height - 22, stroke: "#e6ebef" }), svg("text", { x: x(at), y: height - 7, "text-anchor": "middle", "font-size": 11 }, tickLabel(at))]);
  groups.forEach(([type, ones], number) => {
    const base = number * line + line / 2 + 2;
    const deviation = deviations(ones.map((one) => ({ value: place(one.value), variance: 0 })), logarithmic ? 0.05 : 0.5);
    parts.push(svg("text", { x: left - 12, y: base + 4, "text-anchor": "end", "font-size": 12 }, type || "–"));
    ones.forEach((one, index) => {
      const odd = deviation[index] !== null && Math.abs(deviation[index]) > ODD;
      /* neighbours are moved apart in a fixed pattern, so that the same page always looks the same */
      parts.push(svg("circle", { cx: x(one.value).toFixed(1), cy: (base + ((index * 7) % 11) - 5).toFixed(1), r: odd ? 4.2 : 2.8, fill: odd ? "#fff" : "#3b6f93", "fill-opacity": odd ? 1 : 0.55, stroke: odd ? "#a4262c" : "none", "stroke-width": 2, class: "dot",
        onclick: () => openTube(one.index), onpointermove: (event) => showTip(event, one.tube.id + "\n" + title.toLowerCase() + ": " + say(one.value)), onpointerleave: hideTip }));
    });
  });
  return el("figure", {}, el("figcaption", {}, title, unit ? el("small", {}, " " + unit) : null), svg("svg", { viewBox: "0 0 " + width + " " + height, role: "img", "aria-label": title + " by tube type; the table below holds the numbers" }, parts));
}

const QUALITY_COLUMNS = [
  ["id", "Tube", (tube) => tube.id, null], ["verdict", "Verdict", (tube) => ({ fail: 2, review: 1, pass: 0 }[tube.verdict] ?? null), null], ["subject", "Subject", (tube) => tube.subject, null], ["visit", "Visit", (tube) => tube.visit, null], ["tube", "Type", (tube) => tube.tube, null], ["batch", "Batch", (tube) => tube.batch, null], ["instrument", "Instrument", (tube) => tube.instrument, null],
  ["events", "Events", (tube) => tube.events, whole], ["duration", "Duration, s", (tube) => tube.duration, threeDigits], ["rate", "Event rate", null, null], ["kept", "Time kept, %", (tube) => tube.kept, threeDigits],
  ["margin", "At upper edge, %", (tube) => (tube.margins.length ? tube.margins[0][1] : null), null], ["beads", "Beads", (tube) => tube.beads, whole], ["unstable", "Unstable, %", (tube) => (tube.unstable === undefined ? null : tube.unstable), threeDigits], ["state", "To look at", (tube) => ({ failed: 2, flagged: 1 }[tube.state] || 0), null],
];

function qualityCell(tube, index, [key, , read, say]) {
  if (key === "id") return el("td", { class: "nowrap" }, el("button", { class: "link", onclick: () => openTube(index) }, tube.id));
  if (key === "verdict") return el("td", { class: "reason" }, verdictOf(tube) || "–", tube.why ? el("small", { class: "why" }, " " + tube.why) : null);
  if (key === "visit") return el("td", { class: "nowrap" }, visitOf(tube) || "–");
  if (key === "rate") return el("td", {}, rateLine(tube, 110, 20) || "–");
  if (key === "margin") return el("td", { class: "number nowrap", title: tube.margins.map(([name, share]) => name + " " + percent(share)).join("\n") }, tube.margins.length ? [threeDigits(tube.margins[0][1]), el("small", {}, tube.margins[0][0])] : tube.block < 0 ? "–" : "0");
  if (key === "state") return el("td", { class: "reason" }, tube.state === "good" ? "" : [el("span", { class: "c " + tube.state }, el("b", {}, tube.state === "failed" ? "✕" : "▲")), " ", tube.why && tube.reason.includes(tube.why) ? "see its verdict" : tube.reason]);
  return say ? el("td", { class: "number" }, say(read(tube))) : el("td", {}, read(tube) || "–");
}

function drawQuality() {
  const wanted = quality.search.toLowerCase().split(/\s+/).filter(Boolean);
  const columns = QUALITY_COLUMNS.filter(([key, , read]) => key === "id" || key === "state" || (key === "rate" ? data.tubes.some((tube) => tube.rate.length) : data.tubes.some((tube) => { const value = read(tube); return value !== null && value !== "" && value !== -1; })));
  const sorted = QUALITY_COLUMNS.find(([key]) => key === quality.order.key)[2] || (() => null);
  const shown = data.tubes.map((tube, index) => [tube, index]).filter(([tube]) => wanted.every((word) => tubeWords(tube).includes(word))).sort(([a], [b]) => compare(sorted(a), sorted(b), quality.order.down));
  const sort = (order) => { quality.order = order; drawQuality(); };
  byId("quality-count").textContent = shown.length + " of " + data.tubes.length + " tubes";
  byId("quality-table").replaceChildren(el("table", { class: "quality" },
    el("thead", {}, el("tr", {}, columns.map(([key, label, read, say]) => (read ? sortHeading(key, quality.order, sort, { class: say || key === "margin" ? "number" : "" }, label) : el("th", {}, label))))),
    el("tbody", {}, shown.map(([tube, index]) => el("tr", {}, columns.map((column) => qualityCell(tube, index, column)))))));
}

function setUpQuality() {
  const body = byId("quality-body");
  if (!data.tubes.length) { body.append(el("p", { class: "none" }, "No tube was gated.")); return; }
  const strips = METRICS.map(metricStrips).filter(Boolean);
  fill(body, {}, [el("div", { class: "strips" }, strips), strips.length ? el("p", { class: "legend" }, "One dot per tube; a ring marks a tube more than " + ODD + " robust standard deviations from the median of its type. At the upper edge: events whose stored value is the highest that the channel can hold; their true value is unknown. Time kept: events that the gate of the acquisition time keeps. Unstable: events in stretches whose flow or signal is not like that of the rest, red in the event rate; docs/quality.md says what makes a verdict.") : null,
    el("div", { class: "controls" }, el("label", {}, "Tubes ", el("input", { type: "search", id: "quality-search", placeholder: "subject, visit, type …", oninput: (event) => { quality.search = event.target.value; drawQuality(); } })), el("span", { id: "quality-count" })),
    el("div", { class: "scroll tall", id: "quality-table" })]);
  drawQuality();
}
