/* How far a tube lies from the others of the same gate, in robust standard deviations. */
const ODD = 3.5; /* Iglewicz and Hoaglin 1993: modified z-scores above 3.5 are potential outliers */
const LEAST_TUBES = 5, LEAST_EVENTS = 5;
/* Smallest spread between tubes that is believed: 5 % of the odds, 1 % of the axis. */
const FLOOR_ODDS = 0.05, FLOOR_AXIS = 0.01;

function medianOf(values) {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/* Log odds of the percentage with the variance of counting, so that few events are not odd by chance alone. */
function percentMeasure(row) {
  if (row[GATE.count] === null || !row[GATE.parent]) return null;
  const inside = row[GATE.count] + 0.5, outside = row[GATE.parent] - row[GATE.count] + 0.5;
  return { value: Math.log(inside / outside), variance: 1 / inside + 1 / outside };
}
/* Median position of the population on an axis, with the variance of a median. */
function placeMeasure(row, center, spread) {
  if (row[center] === null || row[center] === undefined || row[GATE.count] < LEAST_EVENTS) return null;
  return { value: row[center], variance: (1.2533 * row[spread]) ** 2 / row[GATE.count] };
}
function deviations(measures, floor) {
  const known = measures.filter(Boolean);
  if (known.length < LEAST_TUBES) return measures.map(() => null);
  const middle = medianOf(known.map((one) => one.value)), spread = 1.4826 * medianOf(known.map((one) => Math.abs(one.value - middle)));
  return measures.map((one) => one && (one.value - middle) / Math.sqrt(spread * spread + floor * floor + one.variance));
}

/* For each row the largest of its deviations: { score, say }; null where there are too few tubes to say. */
function oddnessOf(rows, axes) {
  const span = (axis) => (axis ? axis.range[1] - axis.range[0] : 1);
  const found = [
    ["percentage", deviations(rows.map(percentMeasure), FLOOR_ODDS)],
    [axes && axes.x ? axes.x.label : "x", deviations(rows.map((row) => placeMeasure(row, GATE.centerX, GATE.spreadX)), FLOOR_AXIS * span(axes && axes.x))],
    [axes && axes.y ? axes.y.label : "y", deviations(rows.map((row) => placeMeasure(row, GATE.centerY, GATE.spreadY)), FLOOR_AXIS * span(axes && axes.y))],
  ];
  return rows.map((row, index) => {
    let score = null, say = "";
    for (const [name, values] of found) {
      const value = values[index];
      if (value === null || value === undefined || (score !== null && Math.abs(value) <= score)) continue;
      score = Math.abs(value);
      say = name + " " + Math.abs(value).toFixed(1) + " SD " + (value > 0 ? "above" : "below") + " the median";
    }
    return { score, say };
  });
}
