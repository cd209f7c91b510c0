/* The picture of one gate on a canvas: density or histogram, the gate, axes with ticks. */
const RAMP = [[68, 42, 121], [59, 82, 139], [38, 120, 142], [33, 155, 138], [72, 190, 112], [160, 216, 58], [253, 231, 37]];
const BOX = { left: 46, right: 8, top: 6, bottom: 34 };

/* One character is a level above empty, or says how many empty bins follow. */
function unpack(packed, size) {
  const levels = new Uint8Array(size);
  let at = 0;
  for (const character of packed) {
    const code = data.alphabet.indexOf(character);
    if (code < data.levels) levels[at++] = code + 1;
    else at += code - data.levels + 1;
  }
  return levels;
}

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
      if (level) pixels.data.set([...rampColour(level), 255], ((gate.bins - 1 - row) * gate.bins + column) * 4);
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

function drawGate(canvas, gate, size) {
  const ratio = Math.max(window.devicePixelRatio || 1, 1), context = canvas.getContext("2d");
  canvas.width = canvas.height = size * ratio;
  context.scale(ratio, ratio);
  const right = size - BOX.right, floor = size - BOX.bottom, family = getComputedStyle(document.body).fontFamily;
  const [x0, x1] = gate.x.range, [y0, y1] = gate.y ? gate.y.range : [0, 1.06];
  const x = (value) => BOX.left + ((value - x0) / (x1 - x0)) * (right - BOX.left), y = (value) => floor - ((value - y0) / (y1 - y0)) * (floor - BOX.top);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size, size);
  context.save();
  context.beginPath();
  context.rect(BOX.left, BOX.top, right - BOX.left, floor - BOX.top);
  context.clip();
  if (gate.y) { context.imageSmoothingEnabled = false; context.drawImage(densityImage(gate), BOX.left, BOX.top, right - BOX.left, floor - BOX.top); }
  else drawHistogram(context, gate, x, y, floor);
  if (gate.outline) strokeGate(context, () => {
    gate.outline.forEach(([a, b]) => context.lineTo(x(a), y(b)));
    context.closePath();
  }, gate.complement);
  else if (gate.xlim) strokeGate(context, () => {
    /* an open end runs out of the picture, where its edge is not seen */
    const low = gate.xlim[0] === null ? BOX.left - 9 : x(gate.xlim[0]), high = gate.xlim[1] === null ? right + 9 : x(gate.xlim[1]);
    context.rect(low, BOX.top - 9, high - low, floor - BOX.top + 18);
  }, gate.complement);
  context.setLineDash([]);
  context.restore();
  context.strokeStyle = "#8b98a3";
  context.lineWidth = 1;
  context.strokeRect(BOX.left + 0.5, BOX.top + 0.5, right - BOX.left - 1, floor - BOX.top - 1);
  drawTicks(context, gate, x, y, size, right, floor, family);
  canvas.dataset.drawn = "1";
}

function drawTicks(context, gate, x, y, size, right, floor, family) {
  context.fillStyle = "#4a5865";
  context.font = "9.5px " + family;
  context.textAlign = "center";
  for (const [position, label] of gate.x.ticks) {
    const half = context.measureText(label).width / 2;
    context.fillRect(x(position) - 0.5, floor, 1, 3);
    context.fillText(label, Math.min(Math.max(x(position), BOX.left + half - 6), size - half - 1), floor + 13);
  }
  context.textAlign = "right";
  for (const [position, label] of gate.y ? gate.y.ticks : [[0, "0"], [0.5, "50"], [1, "100"]]) {
    context.fillRect(BOX.left - 3, y(position) - 0.5, 3, 1);
    context.fillText(label, BOX.left - 5, y(position) + 3.2);
  }
  context.fillStyle = "#1b2733";
  context.font = "11px " + family;
  context.textAlign = "center";
  context.fillText(shorten(context, gate.x.label, size - BOX.left), (BOX.left + right) / 2, size - 6);
  context.save();
  context.translate(10, (BOX.top + floor) / 2);
  context.rotate(-Math.PI / 2);
  context.fillText(shorten(context, gate.y ? gate.y.label : "events, % of highest bin", floor - BOX.top + 6), 0, 0);
  context.restore();
}
