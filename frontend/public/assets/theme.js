// Runs before first paint and outside the bundle, so that the strict CSP needs no inline script and nothing flashes.
(function () {
  var choice = "system";
  try {
    choice = localStorage.getItem("quickztna.theme") || "system";
  } catch {
    // Storage may be denied; the system's choice is then used.
  }
  var dark = choice === "dark" || (choice === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
