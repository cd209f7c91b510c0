setUpPickers();
setUpCounts();
setUpTrajectories();
setUpModel();
setUpSheet();
setUpGating();
setUpQuality();
followLink();
/* Paper can be neither unfolded nor scrolled: lists of flags are opened and pictures drawn before printing. */
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("#flags details").forEach((details) => { details.open = true; });
  document.querySelectorAll("#gating-cards canvas, #sheet-cards canvas").forEach((canvas) => { if (!canvas.dataset.drawn) canvas.paint(); });
});
