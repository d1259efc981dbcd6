// A switch in the page's header that hides all code, for whoever reads for the ideas first. It is remembered, and
// `preferences.js` obeys it before the first paint of the next page.

const root = document.documentElement;
const tools = document.querySelector(".article-header-buttons");

if (tools && document.querySelector(".bd-article .cell_input")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-sm pst-navbar-icon code-switch";
  button.innerHTML = '<span class="btn__icon-container"><i class="fa-solid fa-code" aria-hidden="true"></i></span>';
  const say = () => {
    const isHidden = root.dataset.code === "hidden";
    button.title = isHidden ? "Show the code" : "Hide the code";
    button.setAttribute("aria-label", button.title);
  };
  button.addEventListener("click", () => {
    // What the reader looks at stays where it is while code above it goes or comes.
    const parts = [...document.querySelectorAll(".bd-article section > :not(.cell, section)")];
    const seen = parts.find(part => part.getBoundingClientRect().top > 0);
    const before = seen?.getBoundingClientRect().top ?? 0;
    if (root.dataset.code === "hidden") delete root.dataset.code;
    else root.dataset.code = "hidden";
    scrollBy({ top: (seen?.getBoundingClientRect().top ?? 0) - before, behavior: "instant" });
    say();
    try {
      localStorage.setItem("code", root.dataset.code ?? "shown");
    } catch {
      // The reader lets no site store anything: then it holds for this page.
    }
  });
  say();
  tools.prepend(button);
}
