setUpPickers();
setUpCounts();
setUpTrajectories();
setUpModel();
setUpGating();
/* Paper can be neither unfolded nor scrolled: lists of flags are opened and pictures drawn before printing. */
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("#flags details").forEach((details) => { details.open = true; });
  document.querySelectorAll("#gating-cards canvas").forEach((canvas) => { if (!canvas.dataset.drawn) canvas.paint(); });
});
