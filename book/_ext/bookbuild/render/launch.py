"""Write each page with cells as a notebook, and point the launch buttons at these.

Jupyter Book's own Colab button leads to the ``.md`` file, which Colab cannot open. The notebooks of
``_build/notebooks`` go to the branch ``notebooks`` of the repository when the site is published.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import nbformat
from docutils import nodes
from pybtex.plugin import find_plugin
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from bookbuild import opencv
from bookbuild.book import Book, Page
from bookbuild.memory import is_too_large
from bookbuild.render import captions
from bookbuild.render.furniture import head
from bookbuild.render.notebooks import to_notebook
from bookbuild.render.placeholders import Placeholder, Rendering, UnknownError, read_result_reference
from bookbuild.render.results import provenance_fact, result_text
from bookbuild.render.surroundings import NoPlainFormError, Place, Surroundings
from bookbuild.repository import reason, repository, site_address
from bookbuild.summary import saved_address

LOGGER = logging.getLogger(__name__)
BRANCH, BINDER_BRANCH = "notebooks", "binder"
ARCHIVE = "notebooks.zip"  # in the site


def name_repository(app: Sphinx, config: Config) -> None:
    """Tell the theme where the sources are, for *Suggest edit* and *Open issue*."""
    root = Path(app.srcdir).parent
    found = repository(root)
    if found is None:
        LOGGER.info("no buttons lead to Colab, Binder and GitHub: %s", reason(root))
    else:
        config.html_theme_options |= {
            "repository_url": f"https://github.com/{'/'.join(found)}",
            "repository_branch": "main",
            "path_to_docs": Path(app.srcdir).name,
            "use_edit_page_button": True,
            "use_issues_button": True,
        }
        if not head(root):
            LOGGER.info(
                "notebooks will not install the book's package, as its commit is unknown: %s", reason(root)
            )


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


def write_notebooks(app: Sphinx, book: Book) -> None:
    """Write ``_build/notebooks``: the notebook of every page with cells, and no other.

    A page whose execution was not asked for keeps an earlier build's, as it keeps its place in the site.
    """
    folder = book.build / "notebooks"
    found = repository(book.root)
    address = f"https://github.com/{'/'.join(found)}" if found else None
    sources = references(app)
    current = set()
    for docname in book.notebooks.keys() & app.env.all_docs.keys():
        page, path = book.pages[docname], folder / f"{docname}.ipynb"
        current.add(path)
        if page.outputs is None:
            continue
        try:
            notebook = _notebook(Rendering(app, book, docname), page, sources, address)
        except (NoPlainFormError, UnknownError, ValueError) as problem:
            # What is unknown may be of a page that was not asked for; the page itself has warned of it, too.
            kind = "missing" if isinstance(problem.__cause__, UnknownError) else None
            LOGGER.warning("no notebook for %s: %s", docname, problem, type="bookbuild", subtype=kind)
            current.discard(path)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
    for stale in set(folder.rglob("*.ipynb")) - current:
        stale.unlink()
    _pack(folder, book.html / ARCHIVE)


def _pack(folder: Path, archive: Path) -> None:
    """Write all notebooks into one file that readers can download; the same notebooks give the same file."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*.ipynb")):
            name = path.relative_to(folder).as_posix()
            packed.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)


def _places(app: Sphinx) -> Iterator[tuple[str, Place]]:
    """Yield every label of the book, and where it leads to."""
    standard = app.env.get_domain("std")
    for label, (docname, anchor) in standard.anonlabels.items():  # type: ignore[attr-defined]
        yield label, Place(docname, anchor, "")
    for label, (docname, anchor, title) in standard.labels.items():  # type: ignore[attr-defined]
        yield label, Place(docname, anchor, str(title))
    for label, (docname, number) in app.env.get_domain("math").equations.items():  # type: ignore[attr-defined]
        yield f"equation-{label}", Place(docname, f"equation-{label}", f"({number})")
    for label, docname, anchor, name in captions.numbers(app.env):
        yield f"figure-{label}", Place(docname, anchor, name)


def _notebook(
    rendering: Rendering, page: Page, sources: dict[str, tuple[str, str]], address: str | None
) -> nbformat.NotebookNode:
    around = Surroundings(
        docname=page.docname,
        site=site_address(rendering.book.root) or "",
        number=lambda content: result_text(rendering, read_result_reference(content)),
        provenance=lambda content: provenance_fact(rendering, content),
        myst=rendering.book.settings.myst,
        references=sources,
        titles={docname: title.astext() for docname, title in rendering.app.env.titles.items()},
        places=dict(_places(rendering.app)),
    )
    at = head(rendering.book.root)
    # Without a commit, whatever is there on the day would be installed: then nothing is.
    repository = address if at else None
    loads = _loads(rendering.book, page, around.site)
    prompt = rendering.app.config.nb_code_prompt_show
    needs_opencv = opencv.PACKAGE in page.fingerprint.get("packages", {})
    return to_notebook(page.source, around, repository, at, loads, prompt, needs_opencv)


def _loads(book: Book, page: Page, site: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Return where the published site has what a page may load: page → name → address and SHA-256."""
    found = {}
    for needed in page.fingerprint.get("pages", {}) if site else ():
        outputs = book.pages[needed].outputs
        found[needed] = {
            name: (site + saved_address(needed, saved.file, saved.sha256), saved.sha256)
            for name, saved in (outputs.record.files.items() if outputs else ())
        }
    return found


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


class ColabButton(nodes.General, Placeholder):
    """A button that opens the notebook of the attribute's ``page`` on Colab."""

    def fill(self, rendering: Rendering) -> list[nodes.Node]:
        """Return the button, or nothing where there is no repository to open it from."""
        found = repository(rendering.book.root)
        if found is None:
            return []
        address = launch_addresses(*found, self["page"])["Colab"]
        looks = ["sd-btn", "sd-btn-outline-primary"]  # of sphinx-design's other buttons
        return [nodes.paragraph("", "", nodes.reference("", "Open in Colab", refuri=address, classes=looks))]


class ColabButtonDirective(SphinxDirective):
    """``{colab-button} cnn/mnist-mlp``: a button that opens this page's notebook on Colab."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder."""
        button = ColabButton(page=self.arguments[0])
        self.set_source_info(button)
        return [button]


def add_buttons(page: Page | None, root: Path, context: dict[str, Any]) -> None:
    """Put *Colab*, *Binder* and the notebook into a page's header, where there is a repository.

    A page that was seen to hold more memory than Binder gives has no button for it.
    """
    found = repository(root)
    if found is None or page is None or not page.is_notebook:
        return
    addresses = launch_addresses(*found, page.docname)
    logos = {"Colab": "_static/images/logo_colab.png", "Binder": "_static/images/logo_binder.svg"}
    launch = [
        {"type": "link", "text": text, "tooltip": f"Open in {text}", "icon": icon, "url": addresses[text]}
        for text, icon in logos.items()
        if text != "Binder" or not (page.outputs and is_too_large(page.outputs.record.provenance))
    ]
    rocket = {"type": "group", "icon": "fas fa-rocket", "tooltip": "Run this chapter yourself"}
    context["header_buttons"].insert(0, rocket | {"buttons": launch, "label": "launch-buttons"})
    downloads = next(b["buttons"] for b in context["header_buttons"] if b.get("label") == "download-buttons")
    notebook = {"type": "link", "text": ".ipynb", "icon": "fas fa-code", "url": addresses[".ipynb"]}
    downloads.insert(0, notebook | {"tooltip": "Download the notebook", "label": "download-notebook-button"})
