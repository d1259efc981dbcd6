"""The book as the build sees it: where its parts lie, and its pages."""

import copy
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import yaml
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader, is_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from sphinx_external_toc.parsing import parse_toc_yaml

from bookbuild.promises import Promise, promises_of
from dlbook.data.registry import REGISTRY
from dlbook.record import Record

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# What precedes the text of a page: YAML between two lines of dashes.
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)---[ \t]*\n", re.DOTALL)
HEADING = re.compile(r"^# +(.+?) *$", re.MULTILINE)
REMEDY = "Begin it with a line ---, `file_format: mystnb`, `kernelspec: {name: python3}`, and a line ---"


class BookError(Exception):
    """The book cannot be built as it is; the message says why, and what to do."""


@dataclass(frozen=True)
class Settings:
    """What `_config.yml` says about execution.

    Attributes:
        cell_limit: seconds that one cell may take.
        page_limit: seconds that all cells of a page may take.
        myst: the extensions of MyST that are switched on.
        published_without: the data sets and weights whose absence keeps no page from being published.
    """

    cell_limit: float = 7200
    page_limit: float = 14_400
    myst: tuple[str, ...] = ()
    published_without: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse a name that would silently stand for nothing."""
        if unknown := sorted(self.published_without - REGISTRY.keys()):
            raise BookError(
                f"bookbuild_published_without lists {', '.join(unknown)}: "
                f"the book knows {', '.join(REGISTRY)}"
            )


@dataclass(frozen=True)
class Outputs:
    """What the execution of a page left behind.

    Attributes:
        key: that the cache keeps it under.
        record: the page's numbers, and where they come from.
        files: the folder of the files that the page saved.
        is_from_elsewhere: whether another machine executed the page.
        is_new: whether it was executed by this build.
    """

    key: str
    record: Record
    files: Path
    is_from_elsewhere: bool = False
    is_new: bool = False


@dataclass
class Page:
    """A page of the book.

    Attributes:
        docname: its name, such as ``cnn/mnist-mlp``.
        path: of its source.
        source: its text, as it lies on the disk.
        settings: of the book.
        fingerprint: what its outputs depend on beside its cells; empty until the build knows.
        outputs: of its cells; None until they are executed, or where there are none.
    """

    docname: str
    path: Path
    source: str
    settings: Settings = field(default=Settings(), repr=False)
    fingerprint: dict[str, Any] = field(default_factory=dict, repr=False)
    outputs: Outputs | None = None

    @property
    def key(self) -> str:
        """What the cache keeps the outputs under; empty until they are there."""
        return self.outputs.key if self.outputs else ""

    @cached_property
    def is_notebook(self) -> bool:
        """Whether the page has cells to execute: what myst-nb would read as a notebook."""
        with self._named_errors():
            return is_myst_markdown_notebook(self.source)

    def notebook(self, fingerprint: Mapping[str, Any] | None = None) -> nbformat.NotebookNode:
        """Return the page as the notebook that myst-nb makes of it.

        Args:
            fingerprint: stands in its kernelspec, as part of what the cache keys outputs on.
        """
        notebook = copy.deepcopy(self._read)
        if fingerprint is not None:
            notebook.metadata["kernelspec"]["fingerprint"] = nbformat.from_dict(dict(fingerprint))
        return notebook

    @cached_property
    def _read(self) -> nbformat.NotebookNode:
        markdown = MdParserConfig(enable_extensions=set(self.settings.myst))
        with self._named_errors():
            reader = create_nb_reader(str(self.path), markdown, NbParserConfig(), self.source)
            if reader is None or not FRONT_MATTER.match(self.source):
                raise ValueError("it does not begin with front matter of a notebook")
            notebook = reader.read(self.source)
            if not notebook.metadata["kernelspec"]["name"]:
                raise ValueError("the name of its kernelspec is empty")
        return notebook

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Name the page and the remedy: its front matter may be anything that YAML can say."""
        try:
            yield
        except Exception as error:  # myst-nb and nbformat raise what the unexpected value happens to raise
            said = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise BookError(f"{self.path} cannot be read as a notebook: {said}. {REMEDY}") from error

    @cached_property
    def title(self) -> str:
        """What its first heading says; its name where it has none."""
        heading = HEADING.search(FRONT_MATTER.sub("", self.source))
        return heading[1] if heading else self.docname

    @cached_property
    def code(self) -> list[str]:
        """The source of each code cell."""
        return [cell.source for cell in self._read.cells if cell.cell_type == "code"]

    @cached_property
    def figures(self) -> int:
        """How many cells say what the figure shows that they draw (`mystnb: image: alt:`)."""
        cells = [cell.metadata.get("mystnb") or {} for cell in self._read.cells if cell.cell_type == "code"]
        return sum("alt" in (cell.get("image") or {}) for cell in cells)

    @cached_property
    def promises(self) -> dict[str, Promise]:
        """What the front matter promises, by the name of the result."""
        return promises_of(self.docname, self._read.metadata.get("promises", {}))


@dataclass(frozen=True)
class Book:
    """The folders of a book, and its pages.

    Attributes:
        root: the checkout.
        pages_folder: of the pages' sources.
        build: of all that the build makes.
        toc: the table of contents.
        settings: about execution.
    """

    root: Path
    pages_folder: Path
    build: Path
    toc: Path
    settings: Settings = Settings()

    @classmethod
    def at(cls, root: Path) -> "Book":
        """Return the book of a checkout, as its ``_config.yml`` describes it.

        Raises:
            BookError: there is no book.
        """
        root, config = root.resolve(), root / "_config.yml"
        if not config.exists():
            raise BookError(f"there is no book in {root}: expected _config.yml and _toc.yml there")
        said: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8"))
        settings = Settings(
            cell_limit=said["execute"]["timeout"],
            page_limit=said["sphinx"]["config"]["bookbuild_page_limit"],
            myst=tuple(said["parse"]["myst_enable_extensions"]),
            published_without=frozenset(said["sphinx"]["config"]["bookbuild_published_without"]),
        )
        return cls(root, root / "book", root / "_build", root / "_toc.yml", settings)

    @classmethod
    def of(cls, app: "Sphinx") -> "Book":
        """Return the book that Sphinx builds."""
        settings = Settings(
            cell_limit=app.config.nb_execution_timeout,
            page_limit=app.config.bookbuild_page_limit,
            myst=tuple(app.config.myst_enable_extensions),
            published_without=frozenset(app.config.bookbuild_published_without),
        )
        source, toc = Path(app.srcdir), Path(app.srcdir, app.config.external_toc_path)
        return cls(source.parent, source, Path(app.outdir).parent, toc, settings)

    @property
    def cache_folder(self) -> Path:
        """Where jupyter-cache keeps executed pages."""
        return self.build / ".jupyter_cache"

    @property
    def html(self) -> Path:
        """Where the site is written."""
        return self.build / "html"

    @cached_property
    def pages(self) -> dict[str, Page]:
        """All pages by name, in the order of the table of contents."""
        return {page.docname: page for page in self._read_pages()}

    @property
    def notebooks(self) -> dict[str, Page]:
        """The pages that have cells to execute."""
        return {docname: page for docname, page in self.pages.items() if page.is_notebook}

    @cached_property
    def topics(self) -> set[str]:
        """The pages that a topic begins with: in the contents, they stand below no other page."""
        contents = parse_toc_yaml(self.toc)
        return {str(item).removesuffix(".md") for part in contents.root.subtrees for item in part.items}

    def _read_pages(self) -> Iterator[Page]:
        contents = parse_toc_yaml(self.toc)
        if patterns := sorted(contents.globs()):
            raise BookError(
                f"the contents name pages by a pattern ({', '.join(patterns)}): list each by its name, "
                "as only a page that is listed is executed and kept"
            )
        for docname in contents:
            name = docname.removesuffix(".md").removesuffix(".ipynb")
            path = self.pages_folder / f"{name}.md"
            if path.exists():
                yield Page(name, path, read_source(path), self.settings)
            elif path.with_name(f"{path.stem}.ipynb").exists():  # where there is neither, Sphinx says so
                raise BookError(
                    f"{name}.ipynb cannot be a page, as its outputs would be kept nowhere. Make it one with "
                    f"`jupytext --to myst {name}.ipynb`, and move it away"
                )


def read_source(path: Path) -> str:
    """Return the text of a page as Sphinx reads it: without the mark that some editors begin a file with.

    Raises:
        BookError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BookError(f"{path} is not UTF-8 ({error}): save it as UTF-8") from error


def chosen_pages(book: Book) -> set[str]:
    """Return the pages that ``DLBOOK_CHAPTERS`` asks for; none where all are meant.

    Raises:
        BookError: the book has no such page, or nothing in it can be executed.
    """
    names = set(os.environ.get("DLBOOK_CHAPTERS", "").replace(",", " ").split())
    if unknown := sorted(names - book.notebooks.keys()):
        raise BookError(f"no chapter {', '.join(unknown)}: the book has {', '.join(sorted(book.notebooks))}")
    return names
