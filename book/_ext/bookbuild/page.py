"""What a chapter is to the build: its source, the notebook in it, and its entry in the execution cache."""

import re
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import JupyterCacheAbstract
from jupyter_cache.cache.db import NbCacheRecord
from myst_nb.core.read import create_nb_reader
from sphinx.environment import BuildEnvironment

FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)
KERNELSPEC = re.compile(r"^kernelspec:\n((?:[ \t]+.*\n)+)", re.MULTILINE)


def is_chapter(text: str) -> bool:
    """Tell whether a page's front matter makes it a notebook."""
    front_matter = FRONT_MATTER.match(text)
    return bool(front_matter and KERNELSPEC.search(front_matter.group(1)))


def source_of(env: BuildEnvironment, docname: str) -> str:
    """Return a page's source as it lies on the disk."""
    return Path(env.doc2path(docname)).read_text(encoding="utf-8")


def notebook_of(env: BuildEnvironment, docname: str, text: str) -> nbformat.NotebookNode:
    """Return a chapter's source as the notebook that myst-nb makes of it.

    Args:
        env: knows myst-nb's configuration.
        docname: of the chapter.
        text: its source, as the listeners to Sphinx's ``source-read`` leave it.
    """
    reader = create_nb_reader(
        env.doc2path(docname),
        env.myst_config,  # type: ignore[attr-defined]
        env.mystnb_config,  # type: ignore[attr-defined]
        text,
    )
    assert reader is not None, f"{docname} is no notebook"
    return reader.read(text)


def cache_folder(env: BuildEnvironment) -> Path:
    """Return where jupyter-cache keeps executed chapters."""
    return Path(env.mystnb_config.execution_cache_path)  # type: ignore[attr-defined]


def execution_cache(env: BuildEnvironment) -> JupyterCacheAbstract:
    """Return jupyter-cache's store of executed chapters."""
    return get_cache(str(cache_folder(env)))


def cached_record(cache: JupyterCacheAbstract, notebook: nbformat.NotebookNode) -> NbCacheRecord | None:
    """Return the cache's entry for a notebook that has the same code and kernelspec, if there is one."""
    try:
        return cache.match_cache_notebook(notebook)
    except KeyError:
        return None
