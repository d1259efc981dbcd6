// A word of the glossary says what it means while the pointer rests on it, or while it has the keyboard's focus;
// Escape hides that. The meaning is read from the glossary's page, once, when it is first wanted.

/** @type {Promise<Document> | undefined} */
let glossary;

/** @param {HTMLAnchorElement} link */
async function meaning(link) {
  const [address, id] = link.href.split("#");
  glossary ??= fetch(address).then(answer => answer.text()).then(text => new DOMParser().parseFromString(text, "text/html"));
  let entry = (await glossary).getElementById(id)?.closest("dt")?.nextElementSibling;
  while (entry && entry.tagName !== "DD") entry = entry.nextElementSibling;
  return entry?.querySelector("p")?.textContent;
}

const note = document.createElement("div");
note.id = "term-note";
note.setAttribute("role", "tooltip");
note.hidden = true;
document.body.append(note);
let wanted;

function hide() {
  wanted?.removeAttribute("aria-describedby");
  wanted = undefined;
  note.hidden = true;
}

async function show(link) {
  hide();
  wanted = link;
  const said = await meaning(link).catch(() => undefined);  // no glossary, no note: the link still leads there
  if (!said || wanted !== link) return;
  note.textContent = said;
  note.hidden = false;
  const at = link.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - note.offsetWidth - 8));
  const above = at.bottom + note.offsetHeight + 8 > innerHeight && at.top > note.offsetHeight + 8;
  note.style.left = `${left + scrollX}px`;
  note.style.top = `${(above ? at.top - note.offsetHeight - 6 : at.bottom + 6) + scrollY}px`;
  link.setAttribute("aria-describedby", note.id);
}

for (const word of document.querySelectorAll(".bd-article a > .std-term")) {
  const link = /** @type {HTMLAnchorElement} */ (word.parentElement);
  link.addEventListener("pointerenter", event => { if (event.pointerType === "mouse") show(link); });
  link.addEventListener("focus", () => show(link));
  link.addEventListener("pointerleave", event => { if (!note.matches(":hover")) hide(); });
  link.addEventListener("blur", hide);
}
note.addEventListener("pointerleave", hide);
addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
