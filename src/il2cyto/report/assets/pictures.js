/* The picture of one gate on a canvas: density or histogram, the gate, axes with ticks. */
const RAMP = [[68, 42, 121], [59, 82, 139], [38, 120, 142], [33, 155, 138], [72, 190, 112], [160, 216, 58], [253, 231, 37]];
const BOX = { left: 46, right: 8, top: 6, bottom: 34 };
/* Without titles of the axes: for many pictures whose axes are named once. */
const BARE = { left: 31, right: 4, top: 4, bottom: 17 };

/* Everything that a picture needs: the row of the tube, the tube's own block, the shape. */
function pictureOf(tube, position) {
  const row = tube.gates[position], [bins, density] = blockOf(tube)[position];
  return { ...data.shapes[row[GATE.shape]], ...ownAxes(row), bins, density };
}
/* Blocks are parsed when a picture is drawn; a few are kept, for the other gates of the tube. */
const blocks = new Map();
function blockOf(tube) {
  if (!blocks.has(tube.block)) {
    if (blocks.size >= 24) blocks.delete(blocks.keys().next().value);
    blocks.set(tube.block, JSON.parse(byId("plots-" + tube.block).textContent));
  }
  return blocks.get(tube.block);
}
/* Canvases are drawn when they come near the window and emptied when they are far away: hundreds of them cost nothing. */
const painter = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) { if (!target.dataset.drawn) target.paint(); }
    else if (target.dataset.drawn) { target.width = target.height = 1; delete target.dataset.drawn; }
  }
}, { rootMargin: "800px" });
function gateCanvas(tube, position, size, shared, bare, label) {
  const canvas = el("canvas", { role: "img", "aria-label": label, style: "width:" + size + "px;height:" + size + "px" });
  canvas.paint = () => drawGate(canvas, pictureOf(tube, position), size, shared, bare);
  painter.observe(canvas);
  return canvas;
}


/* One character is a level above empty, or says how many empty bins follow. */
const CODES = new Int16Array(128).fill(-1);
[...data.alphabet].forEach((character, code) => { CODES[character.charCodeAt(0)] = code; });
function unpack(packed, size) {
  const levels = new Uint8Array(size);
  let at = 0;
  for (let index = 0; index < packed.length; index++) {
    const code = CODES[packed.charCodeAt(index)];
    if (code < data.levels) levels[at++] = code + 1;
    else at += code - data.levels + 1;
  }
  return levels;
}

const SHADES = Array.from({ length: data.levels + 1 }, (_, level) => (level ? rampColour(level) : null));
function rampColour(level) {
  const place = ((level - 1) / (data.levels - 1)) * (RAMP.length - 1), low = Math.min(Math.floor(place), RAMP.length - 2), share = place - low;
  return RAMP[low].map((start, index) => Math.round(start + (RAMP[low + 1][index] - start) * share));
}

function densityImage(gate) {
  const levels = unpack(gate.density, gate.bins * gate.bins), image = el("canvas", { width: gate.bins, height: gate.bins });
  const context = image.getContext("2d"), pixels = context.createImageData(gate.bins, gate.bins);
  for (let row = 0; row < gate.bins; row++)
    for (let column = 0; column < gate.bins; column++) {
      const level = levels[row * gate.bins + column];
      if (level) pixels.data.set([...SHADES[level], 255], ((gate.bins - 1 - row) * gate.bins + column) * 4);
    }
  context.putImageData(pixels, 0, 0);
  return image;
}

function shorten(context, label, width) {
  if (context.measureText(label).width <= width) return label;
  let kept = label;
  while (kept.length > 1 && context.measureText(kept + "…").width > width) kept = kept.slice(0, -1);
  return kept + "…";
}

function drawHistogram(context, gate, x, y, floor) {
  const levels = unpack(gate.density, gate.bins), step = (gate.x.range[1] - gate.x.range[0]) / gate.bins;
  context.beginPath();
  context.moveTo(x(gate.x.range[0]), floor);
  levels.forEach((level, bin) => {
    context.lineTo(x(gate.x.range[0] + bin * step), y(level / data.levels));
    context.lineTo(x(gate.x.range[0] + (bin + 1) * step), y(level / data.levels));
  });
  context.lineTo(x(gate.x.range[1]), floor);
  context.fillStyle = "#b9d3e4";
  context.fill();
  context.strokeStyle = "#3b6f93";
  context.lineWidth = 1;
  context.stroke();
}

/* The gate in dark red with a white border, so that it shows on light and on dark; the tint says which side is inside. */
function strokeGate(context, draw, complement) {
  if (complement) {
    /* the population is outside the line: dashed, and the inside is not tinted */
    context.setLineDash([5, 3]);
  } else {
    context.fillStyle = "rgba(179,18,63,.07)";
    context.beginPath();
    draw();
    context.fill();
  }
  for (const [width, shade] of [[3.6, "rgba(255,255,255,.85)"], [1.7, "#b3123f"]]) {
    context.lineWidth = width;
    context.strokeStyle = shade;
    context.lineJoin = "round";
    context.beginPath();
    draw();
    context.stroke();
  }
}

/* The gate: its outline, or per axis its limits, where an open side runs out of the picture and shows no edge. */
function gatePath(context, gate, box, x, y, right, floor) {
  if (gate.outline) return () => {
    gate.outline.forEach(([a, b]) => context.lineTo(x(a), y(b)));
    context.closePath();
  };
  if (!gate.limits) return null;
  const edge = (value, place, open) => (value === null ? open : place(value));
  const [[x0, x1], [y0, y1]] = [gate.limits[0], gate.y && gate.limits[1] ? gate.limits[1] : [null, null]];
  const left = edge(x0, x, box.left - 9), end = edge(x1, x, right + 9), base = edge(y0, y, floor + 9), top = edge(y1, y, box.top - 9);
  return () => context.rect(left, top, end - left, base - top);
}

/* Axes are the gate's own unless shared ones are given. */
function drawGate(canvas, gate, size, shared, bare) {
  const box = bare ? BARE : BOX;
  const ratio = Math.max(window.devicePixelRatio || 1, 1), context = canvas.getContext("2d");
  const axes = { x: (shared && shared.x) || gate.x, y: gate.y ? (shared && shared.y) || gate.y : null };
  canvas.width = canvas.height = size * ratio;
  context.scale(ratio, ratio);
  const right = size - box.right, floor = size - box.bottom, family = getComputedStyle(document.body).fontFamily;
  const [x0, x1] = axes.x.range, [y0, y1] = axes.y ? axes.y.range : [0, 1.06];
  const x = (value) => box.left + ((value - x0) / (x1 - x0)) * (right - box.left), y = (value) => floor - ((value - y0) / (y1 - y0)) * (floor - box.top);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size, size);
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, right - box.left, floor - box.top);
  context.clip();
  if (gate.y) {
    const [a, b] = gate.x.range, [c, d] = gate.y.range;
    context.imageSmoothingEnabled = false;
    context.drawImage(densityImage(gate), x(a), y(d), x(b) - x(a), y(c) - y(d));
  } else drawHistogram(context, gate, x, y, floor);
  const path = gatePath(context, gate, box, x, y, right, floor);
  if (path) strokeGate(context, path, gate.complement);
  context.setLineDash([]);
  context.restore();
  context.strokeStyle = "#8b98a3";
  context.lineWidth = 1;
  context.strokeRect(box.left + 0.5, box.top + 0.5, right - box.left - 1, floor - box.top - 1);
  drawTicks(context, axes, box, x, y, size, right, floor, family, bare);
  canvas.dataset.drawn = "1";
}

function drawTicks(context, axes, box, x, y, size, right, floor, family, bare) {
  context.fillStyle = "#4a5865";
  context.font = "9.5px " + family;
  context.textAlign = "center";
  for (const [position, label] of axes.x.ticks) {
    const half = context.measureText(label).width / 2;
    context.fillRect(x(position) - 0.5, floor, 1, 3);
    context.fillText(label, Math.min(Math.max(x(position), box.left + half - 6), size - half - 1), floor + 13);
  }
  context.textAlign = "right";
  for (const [position, label] of axes.y ? axes.y.ticks : [[0, "0"], [0.5, "50"], [1, "100"]]) {
    context.fillRect(box.left - 3, y(position) - 0.5, 3, 1);
    context.fillText(label, box.left - 5, y(position) + 3.2);
  }
  if (bare) return;
  context.fillStyle = "#1b2733";
  context.font = "11px " + family;
  context.textAlign = "center";
  context.fillText(shorten(context, axisTitle(axes.x), size - box.left), (box.left + right) / 2, size - 6);
  context.save();
  context.translate(10, (box.top + floor) / 2);
  context.rotate(-Math.PI / 2);
  context.fillText(shorten(context, axes.y ? axisTitle(axes.y) : "events, % of highest bin", floor - box.top + 6), 0, 0);
  context.restore();
}
