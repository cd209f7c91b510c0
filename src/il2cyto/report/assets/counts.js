/* Subjects × visits of one population, and the geometric mean of each arm. */
const table = { order: { key: "subject", down: false } };

function rowTitle(row) {
  const lines = [];
  if (row[ROW.count] !== null) lines.push(whole(row[ROW.count]) + " events" + (row[ROW.parent] === null ? "" : " of " + whole(row[ROW.parent]) + " in the parent (" + percent(row[ROW.percent]) + ")"));
  if (row[ROW.share] !== null) lines.push(percent(row[ROW.share]) + " of " + text(row[ROW.ancestor]));
  if (row[ROW.cv] !== null) lines.push("CV " + percent(row[ROW.cv] * 100));
  if (text(row[ROW.route])) lines.push("route: " + text(row[ROW.route]));
  if (text(row[ROW.tube])) lines.push("tube: " + text(row[ROW.tube]));
  if (row[ROW.below]) lines.push("below LLOQ");
  if (text(row[ROW.flags])) lines.push("flags: " + text(row[ROW.flags]).replace(/;/g, ", ").replace(/_/g, " "));
  if (row[ROW.lost]) lines.unshift("not estimable: " + text(row[ROW.reason]));
  else if (row[ROW.value] === null) lines.unshift("no cells/µL: " + (text(row[ROW.reason]) || "no route"));
  return lines.join("\n");
}
/* Flags other than the one that has a badge of its own. */
const otherFlags = (row) => text(row[ROW.flags]).split(";").filter((flag) => flag && flag !== "below_lloq");

function countCell(row, state) {
  if (!row) {
    if (state && state.failed !== undefined) return el("td", { class: "number" }, el("span", { class: "failed", title: text(state.failed) }, "failed"));
    return el("td", { class: "number empty", title: state ? "planned visit without a tube" : "no value" }, state ? "no visit" : "–");
  }
  if (row[ROW.lost]) return el("td", { class: "number" }, el("i", { class: "lost", title: rowTitle(row) }, "not estimable"));
  if (row[ROW.value] === null) return el("td", { class: "number", title: rowTitle(row) }, el("i", { class: "lost" }, "–"), row[ROW.percent] === null ? null : el("small", {}, percent(row[ROW.percent]) + " of parent"));
  return el("td", { class: "number", title: rowTitle(row) },
    otherFlags(row).length ? el("span", { class: "badge flag" }, "flag") : null, row[ROW.below] ? el("span", { class: "badge" }, "<LLOQ") : null, el("b", {}, threeDigits(row[ROW.value])),
    el("small", {}, interval(row[ROW.lower], row[ROW.upper])));
}

function drawSummary(population) {
  const cells = new Map(population.summary.map((row) => [row[0] + "|" + row[1], row]));
  const cell = (arm, visit) => {
    const row = cells.get(arm + "|" + visit);
    if (!row || !row[2]) return el("td", { class: "number empty" }, "–");
    const [, , n, zeros, mean, lower, upper, median] = row;
    const title = "median " + threeDigits(median) + (zeros ? "\nno geometric mean: " + zeros + " of " + n + " values are zero" : "");
    return el("td", { class: "number", title }, el("b", {}, threeDigits(mean)), el("small", {}, (interval(lower, upper) ? interval(lower, upper) + ", " : "") + "n " + n + (zeros ? ", " + zeros + " zero" : "")));
  };
  byId("summary-table").replaceChildren(el("table", {},
    el("thead", {}, el("tr", {}, el("th", {}, "Arm"), data.visits.map((visit) => el("th", { class: "number" }, visit.label, el("small", {}, "cells/µL"))))),
    el("tbody", {}, data.arms.map((arm, index) => el("tr", {},
      el("td", {}, el("span", { class: "swatch", style: "background:" + colour(index) }), arm.label + (arm.reference ? " (reference)" : "")), data.visits.map((_, visit) => cell(index, visit)))))));
}

function drawCounts() {
  const population = data.populations[chosen.population];
  if (!population) return;
  drawSummary(population);
  const rows = new Map(population.rows.map((row) => [row[ROW.subject] + "|" + row[ROW.visit], row]));
  const states = new Map(data.missing.map(([subject, visit]) => [subject + "|" + visit, { missing: true }]));
  data.failed.forEach(([subject, visit, message]) => states.set(subject + "|" + visit, { failed: message }));
  const arm = byId("counts-arm").value, wanted = byId("counts-subject").value.toLowerCase(), flagged = byId("counts-flagged").checked;
  const isFlagged = (subject) => data.visits.some((_, visit) => {
    const row = rows.get(subject + "|" + visit);
    return row ? row[ROW.value] === null || row[ROW.below] || row[ROW.lost] || otherFlags(row).length : states.has(subject + "|" + visit);
  });
  const sortValue = (subject) => {
    const { key } = table.order, [id, at, diagnosis] = data.subjects[subject];
    if (key === "subject") return id;
    if (key === "arm") return at < 0 ? "" : data.arms[at].label;
    if (key === "diagnosis") return diagnosis;
    const row = rows.get(subject + "|" + key);
    return row && !row[ROW.lost] ? row[ROW.value] : null;
  };
  const shown = data.subjects.map((_, index) => index).filter((index) => {
    const [id, at, diagnosis] = data.subjects[index];
    return (arm === "" || at === Number(arm)) && (id + " " + diagnosis).toLowerCase().includes(wanted) && (!flagged || isFlagged(index));
  }).sort((a, b) => compare(sortValue(a), sortValue(b), table.order.down));
  const sort = (order) => { table.order = order; drawCounts(); };
  const heading = (key, label) => sortHeading(key, table.order, sort, {}, label);
  byId("counts-table").replaceChildren(el("table", { class: "spaced" },
    el("thead", {}, el("tr", {}, heading("subject", "Subject"), heading("arm", "Arm"), heading("diagnosis", "Diagnosis"),
      data.visits.map((visit, index) => sortHeading(index, table.order, sort, { class: "number" }, visit.label, el("small", {}, "cells/µL"))))),
    el("tbody", {}, shown.map((subject) => {
      const [id, at, diagnosis] = data.subjects[subject];
      return el("tr", {}, el("td", {}, id), el("td", {}, at < 0 ? "–" : data.arms[at].label), el("td", {}, diagnosis || "–"),
        data.visits.map((_, visit) => countCell(rows.get(subject + "|" + visit), states.get(subject + "|" + visit))));
    }), shown.length ? null : el("tr", {}, el("td", { colspan: data.visits.length + 3, class: "empty" }, "No subject matches.")))));
}

function setUpCounts() {
  options(byId("counts-arm"), [["", "all"], ...data.arms.map((arm, index) => [index, arm.label])]);
  byId("counts-arm").addEventListener("change", drawCounts);
  byId("counts-subject").addEventListener("input", drawCounts);
  byId("counts-flagged").addEventListener("change", drawCounts);
  chosen.listeners.push(drawCounts);
  drawCounts();
}
