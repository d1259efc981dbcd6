"""Write each chapter as a notebook, and point the launch buttons at these.

Jupyter Book's own Colab button leads to the ``.md`` file, which Colab cannot open. The notebooks of
``_build/notebooks`` go to the branch ``notebooks`` of the repository when the site is published.
"""

import ast
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import nbformat
from chapters import is_chapter, source_of
from dlbook_pages import head
from docutils import nodes
from notebooks import NoPlainFormError, Surroundings, to_notebook
from pybtex.plugin import find_plugin
from repository import repository, site_address
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

from dlbook.glue import FLOOR_PREFIX, RESULT_PREFIX

LOGGER = logging.getLogger(__name__)
BRANCH, BINDER_BRANCH = "notebooks", "binder"


def name_repository(app: Sphinx, config: Config) -> None:
    """Tell the theme where the sources are, for *Suggest edit* and *Open issue*."""
    found = repository(Path(app.srcdir))
    if found:
        config.html_theme_options |= {
            "repository_url": f"https://github.com/{'/'.join(found)}",
            "repository_branch": "main",
            "path_to_docs": Path(app.srcdir).name,
            "use_edit_page_button": True,
            "use_issues_button": True,
        }


def chapters_of(app: Sphinx) -> list[str]:
    """Return the chapters that this build knows."""
    return sorted(name for name in app.env.all_docs if is_chapter(source_of(app.env, name)))


def glued_texts(app: Sphinx) -> dict[str, dict[str, str]]:
    """Return chapter → key → text of every number that its prose can show."""
    found = {}
    for docname in chapters_of(app):
        path = Path(app.outdir).parent / "jupyter_execute" / f"{docname}.glue.json"
        outputs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        found[docname] = {
            key: ast.literal_eval(output["data"]["text/plain"])
            for key, output in outputs.items()
            if not key.startswith((RESULT_PREFIX, FLOOR_PREFIX))
        }
    return found


def references(app: Sphinx) -> dict[str, tuple[str, str]]:
    """Return citation key → label such as ``LeCun et al., 1998``, and the entry in Markdown."""
    style = find_plugin("pybtex.style.formatting", "plain")()
    backend = find_plugin("pybtex.backends", "markdown")()
    entries = app.env.get_domain("cite").bibdata.data.entries  # type: ignore[attr-defined]
    found = {}
    for key, entry in entries.items():
        text = style.format_entry(key, entry).text.render(backend).replace("\n", " ")
        found[key] = (author_year(entry), text)
    return found


def author_year(entry: Any) -> str:
    """Return the label of a source: one or two authors by name, more by the first."""
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [" ".join(person.prelast_names + person.last_names) for person in people]
    who = f"{names[0]} et al." if len(names) > 2 else " & ".join(names) or entry.fields.get("title", "")
    return f"{who}, {entry.fields.get('year', 'n.d.')}"


def write_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """Write ``_build/notebooks``: every chapter's notebook, and no other."""
    if exception is not None:
        return
    folder = Path(app.outdir).parent / "notebooks"
    found = repository(Path(app.srcdir))
    fetched_from = f"https://github.com/{'/'.join(found)}" if found else None
    glued, sources = glued_texts(app), references(app)
    elsewhere = {f"{doc}.md::{key}": text for doc, texts in glued.items() for key, text in texts.items()}
    written = set()
    for docname, texts in glued.items():
        around = Surroundings(docname, site_address(Path(app.srcdir)) or "", elsewhere | texts, sources)
        try:
            commit = head(Path(app.srcdir)) or "HEAD"
            notebook = to_notebook(source_of(app.env, docname), around, fetched_from, commit)
        except NoPlainFormError as problem:
            LOGGER.warning("no notebook for %s: %s", docname, problem)
            continue
        path = folder / f"{docname}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        written.add(path)
    for stale in set(folder.rglob("*.ipynb")) - written:
        stale.unlink()


def launch_addresses(owner: str, name: str, docname: str) -> dict[str, str]:
    """Return where a chapter's notebook opens: ``Colab``, ``Binder``, and the ``.ipynb`` file itself."""
    notebook = f"{docname}.ipynb"
    # Binder builds the small branch with the environment, and nbgitpuller brings the notebooks into it.
    pull = {
        "repo": f"https://github.com/{owner}/{name}",
        "branch": BRANCH,
        "urlpath": f"lab/tree/{name}/{notebook}",
    }
    inside = urlencode({"urlpath": f"git-pull?{urlencode(pull)}"})
    return {
        "Colab": f"https://colab.research.google.com/github/{owner}/{name}/blob/{BRANCH}/{notebook}",
        "Binder": f"https://mybinder.org/v2/gh/{owner}/{name}/{BINDER_BRANCH}?{inside}",
        ".ipynb": f"https://github.com/{owner}/{name}/raw/{BRANCH}/{notebook}",
    }


def add_buttons(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Put *Colab*, *Binder* and the notebook into the page's header, where there is a repository."""
    found = repository(Path(app.srcdir))
    if found is None or doctree is None or not is_chapter(source_of(app.env, pagename)):
        return
    addresses = launch_addresses(*found, pagename)
    logos = {"Colab": "_static/images/logo_colab.png", "Binder": "_static/images/logo_binder.svg"}
    launch = [
        {"type": "link", "text": text, "tooltip": f"Open in {text}", "icon": icon, "url": addresses[text]}
        for text, icon in logos.items()
    ]
    rocket = {"type": "group", "icon": "fas fa-rocket", "tooltip": "Run this chapter yourself"}
    context["header_buttons"].insert(0, rocket | {"buttons": launch, "label": "launch-buttons"})
    downloads = next(b["buttons"] for b in context["header_buttons"] if b.get("label") == "download-buttons")
    notebook = {"type": "link", "text": ".ipynb", "icon": "fas fa-code", "url": addresses[".ipynb"]}
    downloads.insert(0, notebook | {"tooltip": "Download the notebook", "label": "download-notebook-button"})


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("config-inited", name_repository)
    app.connect("html-page-context", add_buttons, priority=900)  # after the theme's own
    app.connect("build-finished", write_notebooks, priority=400)  # before warnings are counted
    return {"parallel_read_safe": True, "parallel_write_safe": True}
