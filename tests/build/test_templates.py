"""The book's own templates, beside the theme's."""

import json

import pytest
from bs4 import BeautifulSoup
from rendered_book import RenderedBook, setting

pytestmark = pytest.mark.quick


def test_whatever_a_reader_can_press_in_the_sidebar_has_a_name_and_lies_in_a_landmark(tmp_path):
    book = RenderedBook(tmp_path)
    with (book.source / "conf.py").open("a") as conf:
        conf.write(f"html_sidebars = {json.dumps(setting('html_sidebars'))}\n")
    for name in ("core", "deeper"):
        book.write(name, f"# Page {name}\n")
    nested = "- file: core\n  sections:\n  - file: deeper\n"
    (tmp_path / "_toc.yml").write_text(f"format: jb-book\nroot: index\nchapters:\n{nested}")
    assert book.build() == ""
    sidebar = BeautifulSoup(book.page("index"), "html.parser").select_one(".bd-sidebar-primary")
    switches, links = sidebar.select("summary"), sidebar.select("a[href]")
    assert [switch.get("aria-label") for switch in switches] == ["Pages of this chapter"]
    assert {"Page core", "Page deeper", "First page"} <= {link.get_text(strip=True) for link in links}
    assert all(pressed.find_parent("nav") for pressed in switches + links)
