/* Ranges and ticks of axes that several pictures share. */
const MIN_GAP = 0.13; /* of the axis: four characters of tick label on a picture 220 pixels wide; as report/plotdata.py */

function axisTitle(axis) {
  const both = [axis.label, axis.fluorochrome].filter(Boolean);
  const name = both.find((one) => both.every((other) => one.includes(other))) || both.join(" ");
  return name + (axis.unit ? ", " + axis.unit : "");
}

/* Round steps on a straight axis, at most six. */
function straightTicks([offset, slope], low, high) {
  const from = (low - offset) / slope, to = (high - offset) / slope;
  const scale = 10 ** Math.floor(Math.log10(to - from));
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10].map((factor) => factor * scale).find((size) => Math.floor(to / size) - Math.ceil(from / size) + 1 <= 6);
  const ticks = [];
  for (let k = Math.ceil(from / step); k <= Math.floor(to / step); k++) {
    const value = Number((k * step).toPrecision(9));
    ticks.push([offset + slope * value, shortNumber(value)]);
  }
  return ticks;
}
function shortNumber(value) {
  const size = Math.abs(value);
  const [unit, suffix] = size >= 1e9 ? [1e9, "G"] : size >= 1e6 ? [1e6, "M"] : size >= 1e3 ? [1e3, "k"] : [1, ""];
  return (value < 0 ? "−" : "") + Number((size / unit).toPrecision(6)) + suffix;
}

/* Ticks of a scale inside a range: 0 first, then decades, the larger ones first, as many as their labels leave room for. */
function ticksWithin(scale, low, high) {
  if (scale.straight) return straightTicks(scale.straight, low, high);
  const value = (label) => parseFloat(label.replace("−", "-")) * ({ k: 1e3, M: 1e6, G: 1e9 }[label.slice(-1)] || 1);
  const rank = (label) => (label === "0" ? 0 : /^−?10*[kMG]?$/.test(label) ? 1 : 2);
  const sorted = Object.entries(scale.ticks).sort(([a], [b]) => rank(a) - rank(b) || Math.abs(value(b)) - Math.abs(value(a)));
  const kept = [];
  for (const [label, position] of sorted)
    if (position >= low && position <= high && kept.every(([other]) => Math.abs(other - position) >= MIN_GAP * (high - low))) kept.push([position, label]);
  return kept.sort((a, b) => a[0] - b[0]);
}

/* Rows of data.tubes[i].gates. */
const GATE = { gate: 0, scale: 1, shape: 2, count: 3, parent: 4, x: 5, y: 7, centerX: 9, centerY: 10, spreadX: 11, spreadY: 12, reason: 13, value: 14, lower: 15, upper: 16, flags: 17 };
const RANGE = { x: GATE.x, y: GATE.y };
const shareOf = (row) => (row[GATE.count] === null || !row[GATE.parent] ? null : (100 * row[GATE.count]) / row[GATE.parent]);

function axisOver(row, name, range) {
  const scale = data.gates[row[GATE.gate]][2][row[GATE.scale]][name];
  return scale && range[0] !== null ? { ...scale, range, ticks: ticksWithin(scale, range[0], range[1]) } : null;
}
function ownAxes(row) {
  const axes = {};
  for (const name of ["x", "y"]) axes[name] = axisOver(row, name, [row[RANGE[name]], row[RANGE[name] + 1]]);
  return axes;
}
/* One pair of axes for pictures of the same gate; null where strategies of single tubes transform differently. A single
   tube with events far away must not flatten the others: 2 % of them may reach out of the picture. */
function sharedAxes(rows) {
  const drawn = rows.filter((row) => row[GATE.x] !== null);
  if (!drawn.length || new Set(drawn.map((row) => row[GATE.scale])).size > 1) return null;
  const axes = {};
  for (const name of ["x", "y"]) {
    const sorted = (at) => drawn.map((row) => row[at]).sort((a, b) => a - b);
    const cut = Math.floor(drawn.length * 0.02), lows = sorted(RANGE[name]), highs = sorted(RANGE[name] + 1);
    axes[name] = axisOver(drawn[0], name, [lows[cut], highs[highs.length - 1 - cut]]);
  }
  return axes;
}
