setUpPickers();
setUpCounts();
setUpTrajectories();
setUpModel();
/* The long sections follow when the page stands, or when a link asks for one of them. */
const later = [setUpSheet, setUpGating, setUpQuality];
function finish() { while (later.length) later.shift()(); }
function finishNext() { if (later.length) { later.shift()(); setTimeout(finishNext, 0); } }
if (/^#(tube|gate)=/.test(location.hash)) { finish(); followLink(); }
window.addEventListener("hashchange", () => { finish(); followLink(); });
window.addEventListener("beforeprint", finish);
window.addEventListener("load", () => setTimeout(finishNext, 0));
/* Paper can be neither unfolded nor scrolled: lists of flags are opened and pictures drawn before printing. */
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("#flags details").forEach((details) => { details.open = true; });
  document.querySelectorAll("#gating-cards canvas, #sheet-cards canvas").forEach((canvas) => { if (!canvas.dataset.drawn) canvas.paint(); });
});
