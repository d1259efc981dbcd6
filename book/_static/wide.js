// A formula, a table or a figure that is wider than the screen scrolls sideways, and then it can be reached with the
// keyboard; others would only be in the way there.

function reach() {
  for (const part of document.querySelectorAll("div.math, .bd-article table, .drawn")) {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
}

addEventListener("load", reach);
addEventListener("resize", reach);
