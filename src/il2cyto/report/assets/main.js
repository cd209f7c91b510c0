setUpPickers();
setUpCounts();
setUpTrajectories();
setUpModel();
setUpGating();
/* Paper cannot be unfolded: everything but the long lists of provenance is opened before printing. */
window.addEventListener("beforeprint", () => document.querySelectorAll("#flags details").forEach((details) => { details.open = true; }));
