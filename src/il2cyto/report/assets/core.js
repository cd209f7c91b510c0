/* Data, small functions, and the one thing that sections share: which population is shown. */
const data = JSON.parse(document.getElementById("data").textContent);
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#AA4499", "#B8860B", "#56B4E9"];
const ROW = { subject: 0, visit: 1, value: 2, lower: 3, upper: 4, cv: 5, count: 6, parent: 7, percent: 8, route: 9, below: 10, lost: 11, reason: 12, flags: 13, tube: 14, share: 15, ancestor: 16 };
const text = (index) => data.texts[index];
const colour = (arm) => COLOURS[arm % COLOURS.length];

/* Elements are built from text nodes and attributes only, so no text of the study is ever read as markup. */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined && child !== "") node.append(child);
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const byId = (id) => document.getElementById(id);

/* Three significant digits; the same rule as report/numbers.py. */
function threeDigits(value) {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  if (value === 0) return "0";
  const rounded = Number(value.toExponential(2));
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(rounded)) + 1e-12));
  const [whole, part] = rounded.toFixed(decimals).split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (part ? "." + part : "");
}
const whole = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));
const percent = (value) => (value === null || value === undefined ? "–" : threeDigits(value) + " %");
function pValue(value) {
  if (value === null) return "–";
  return value < 0.001 ? "<0.001" : value < 0.1 ? value.toFixed(3) : value.toFixed(2);
}
const interval = (lower, upper) => (lower === null || upper === null ? "" : threeDigits(lower) + "–" + threeDigits(upper));

const chosen = {
  population: data.populations.length ? data.default : -1,
  listeners: [],
  choose(index) { this.population = index; this.listeners.forEach((listener) => listener()); },
};

const tip = byId("tip");
function showTip(event, content) {
  tip.textContent = content;
  tip.hidden = false;
  const left = event.clientX + 14, top = event.clientY + 16;
  tip.style.left = Math.min(left, window.innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = (top + tip.offsetHeight > window.innerHeight ? event.clientY - tip.offsetHeight - 10 : top) + "px";
}
function hideTip() { tip.hidden = true; }

/* A heading that sorts its table: calls back with its key; a second press turns the order round. The table is drawn anew, so
   the button that was pressed gets the focus back. */
function sortHeading(key, order, onSort, attributes, ...content) {
  const state = order.key === key ? (order.down ? "descending" : "ascending") : null;
  const press = (event) => {
    const table = event.currentTarget.closest("[id]");
    onSort({ key, down: order.key === key ? !order.down : false });
    const again = table && [...table.querySelectorAll("button.sort")].find((one) => one.dataset.key === String(key));
    if (again) again.focus({ preventScroll: true });
  };
  return el("th", { ...attributes, class: "sortable " + (attributes.class || ""), "aria-sort": state, onclick: press }, el("button", { class: "sort", "data-key": key }, content));
}
/* Empty values come last in either order. */
function compare(a, b, down) {
  const none = (value) => value === null || value === undefined || value === "";
  if (none(a) || none(b)) return none(a) - none(b);
  const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  return down ? -order : order;
}
function options(select, entries) {
  select.replaceChildren(...entries.map(([value, label]) => el("option", { value }, label)));
}
/* Ticks of a logarithmic axis: decades, with 2 and 5 between them where there is room. */
function logTicks(low, high) {
  const decades = Math.log10(high / low), ticks = [];
  const factors = decades > 2.6 ? [1] : decades > 1.6 ? [1, 3] : decades > 0.5 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];
  for (let k = Math.floor(Math.log10(low)); k <= Math.ceil(Math.log10(high)); k++)
    for (const factor of factors) {
      const tick = Number((factor * 10 ** k).toPrecision(3));
      if (tick >= low * 0.9999 && tick <= high * 1.0001) ticks.push(tick);
    }
  return ticks;
}
const tickLabel = (value) => (value >= 1e3 ? value.toLocaleString("en") : String(value));
