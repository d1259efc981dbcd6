// The colors that a page begins with: those that the reader chose, or else the system's. Loaded in the head, before
// the first paint, as the theme looks at the system only when the page is there, and nobody likes a white flash.
// Without scripts the page stays light, as `default_mode` in _config.yml says.

(() => {
  const page = document.documentElement;
  const { matches: isDark } = matchMedia("(prefers-color-scheme: dark)");
  let chosen = "auto";
  try {
    chosen = localStorage.getItem("mode") ?? chosen;
  } catch {
    // The reader lets no site store anything: then nothing was chosen.
  }
  // What the theme stored as `theme` is what the system wanted at the last visit.
  page.dataset.mode = ["light", "dark"].includes(chosen) ? chosen : "auto";
  page.dataset.theme = page.dataset.mode === "auto" ? (isDark ? "dark" : "light") : chosen;
})();
