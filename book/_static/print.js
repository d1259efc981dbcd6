// On paper a page is light and its solutions are open, whatever the reader has chosen for the screen.
// The code of a figure stays folded: on paper the figure itself is what a reader wants.

const page = document.documentElement;
const FOLDED = "details:not([open]):not(.tag_hide-input details)";
let opened = [];
let theme;

addEventListener("beforeprint", () => {
  theme = page.dataset.theme;
  page.dataset.theme = "light";
  opened = [...document.querySelectorAll(FOLDED)];
  opened.forEach(details => { details.open = true; });
  document.querySelectorAll("img[loading=lazy]").forEach(image => { image.loading = "eager"; });
});

addEventListener("afterprint", () => {
  page.dataset.theme = theme;
  opened.forEach(details => { details.open = false; });
});
