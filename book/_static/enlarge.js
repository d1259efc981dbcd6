// A press on a figure, or on the button at its corner, shows it as large as the window, or larger where its text
// would be too small to read: then it scrolls. Escape, the button or a press beside it closes it again.

const figures = [...document.querySelectorAll(".bd-article figure.captioned")];

if (figures.length) {
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.innerHTML = '<button type="button" class="enlarged-close">Close</button><div class="enlarged-picture"></div><p></p>';
  const [close, frame, said] = /** @type {any} */ (dialog.children);
  frame.tabIndex = 0;
  frame.setAttribute("role", "group");
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);

  for (const figure of figures) {
    const image = figure.querySelector("img");
    const caption = figure.querySelector("figcaption");
    if (!image || !caption) continue;
    const name = caption.querySelector(".caption-number")?.textContent.trim() ?? "figure";
    const show = () => {
      const large = /** @type {HTMLImageElement} */ (image.cloneNode());
      large.removeAttribute("loading");
      frame.replaceChildren(large);
      frame.setAttribute("aria-label", name);
      dialog.setAttribute("aria-label", name);
      said.textContent = caption.textContent.replace("#", "").trim();
      dialog.showModal();
    };
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.innerHTML = '<i class="fa-solid fa-expand" aria-hidden="true"></i>';
    button.setAttribute("aria-label", `Enlarge ${name}`);
    button.addEventListener("click", show);
    image.addEventListener("click", show);
    image.after(button);
  }
}
