// What the reader chose at an earlier visit: the colors, and whether code is shown. Loaded in the head, before the
// first paint: the theme looks at the system only when the page is there, and nobody likes a white flash, or a page
// that grows shorter under one's eyes. Without scripts the page is light, as `default_mode` in _config.yml says.

(() => {
  const page = document.documentElement;
  const chosen = name => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;  // The reader lets no site store anything: then nothing was chosen.
    }
  };
  const { matches: isDark } = matchMedia("(prefers-color-scheme: dark)");
  // What the theme stored as `theme` is what the system wanted at the last visit.
  const mode = chosen("mode") ?? "auto";
  page.dataset.mode = ["light", "dark"].includes(mode) ? mode : "auto";
  page.dataset.theme = page.dataset.mode === "auto" ? (isDark ? "dark" : "light") : mode;
  if (chosen("code") === "hidden") page.dataset.code = "hidden";
})();
