"""A playground on a page, as the build leaves it: element, scripts, data, and the verifier's look at them."""

import gzip

import pytest
from bookbuild.check.site import Site, playgrounds
from bs4 import BeautifulSoup
from rendered_book import RenderedBook

pytestmark = [pytest.mark.quick, pytest.mark.slow]

SCRIPT = 'import {Playground} from "./core/playground.js";\n'
COMMENTED = """// @ts-check
import {Playground} from "./core/playground.js";
/**
 * Twice. @param {number} x
 */
const twice = x => 2
  * x;  // stays
  // goes
/** @type {any} */ (twice);

/** @type {any} */
const a = /** @type {any} */ (1);
"""
BARE = """import {Playground} from "./core/playground.js";
const twice = x => 2
* x;  // stays
(twice);
const a = (1);
"""
PLACED = "```{playground} try-it\nIn its *place*.\n```\n\nSee [it](#try-it)."
SAVED = {"try-it.safetensors": b"tensors" * 100}


@pytest.fixture
def book(tmp_path) -> RenderedBook:
    book = RenderedBook(tmp_path)
    scripts = book.source / "playgrounds"
    (scripts / "core").mkdir(parents=True)
    (scripts / "try-it.js").write_text(SCRIPT)
    (scripts / "core" / "playground.js").write_text("export class Playground {}\n")
    (scripts / "playgrounds.css").write_text(".playground { display: block; }\n")
    (scripts / "notes.txt").write_text("not served")
    return book


def served(book) -> dict[str, bytes]:
    folder = book.folder / "_build" / "html" / "_static" / "playgrounds"
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def place(book, prose=PLACED, files=SAVED, name="one") -> None:
    book.write_chapter(name, prose)
    book.compute(name, {}, files=files)


def test_the_page_has_the_element_with_scripts_and_data(book):
    place(book)
    book.write("other", "# Other\n")
    assert book.build() == ""
    page = BeautifulSoup(book.page("one"), "html.parser")
    element = page.select_one("try-it#try-it.playground")
    assert element.select_one(".fallback em").get_text() == "place"
    assert page.select_one("article a[href='#try-it']")
    (found,) = Site(book.book).playgrounds
    assert (found.page, found.name) == ("one", "try-it")
    html = book.folder / "_build" / "html"
    assert ".playground{" in (html / "_static" / "site.css").read_text()
    assert page.select_one("script[type=module]")["src"] == found.script
    assert (html / found.script).read_text() == SCRIPT
    assert gzip.decompress((html / found.data).read_bytes()) == SAVED["try-it.safetensors"]
    assert not [name for name in served(book) if name.endswith("notes.txt")]
    assert "playgrounds" not in book.page("other")
    assert list(playgrounds(Site(book.book))) == []


def test_comments_and_indentation_are_not_served(book):
    (book.source / "playgrounds" / "try-it.js").write_text(COMMENTED)
    place(book)
    assert book.build() == ""
    (script,) = [content for name, content in served(book).items() if name.endswith("try-it.js")]
    assert script.decode() == BARE


def test_in_a_folder_the_addresses_lead_up(book):
    (book.source / "cnn").mkdir()
    place(book, name="cnn/two")
    assert book.build() == ""
    (found,) = Site(book.book).playgrounds
    assert 'src="../_static/playgrounds/' in book.page("cnn/two")
    assert found.script.startswith("_static/")
    assert list(playgrounds(Site(book.book))) == []


def test_a_changed_script_gets_a_new_folder_on_every_page_and_nothing_is_executed(book):
    place(book)
    assert book.build() == ""
    early = set(served(book))
    core = book.source / "playgrounds" / "core" / "playground.js"
    core.write_text("export class Playground { changed = true; }\n")
    assert book.build() == ""  # the outputs in the cache still fit: there is no kernel that could execute
    late = set(served(book))
    data = {name for name in early if name.startswith("data/")}
    assert early & late == data
    assert len(late) == len(early)
    assert list(playgrounds(Site(book.book))) == []


def test_data_that_no_page_uses_any_more_are_removed(book):
    place(book)
    assert book.build() == ""
    source = book.source / "one.md"
    source.write_text(source.read_text().replace("1 + 1", "1 + 2"))
    book.compute("one", {}, files={"try-it.safetensors": b"others" * 100})
    assert book.build() == ""
    (data,) = [content for name, content in served(book).items() if name.startswith("data/")]
    assert gzip.decompress(data) == b"others" * 100


def test_a_playground_can_do_without_data(book):
    place(book, PLACED.replace("try-it\n", "try-it\n:without-data:\n\n", 1), files={})
    assert book.build() == ""
    (found,) = Site(book.book).playgrounds
    assert found.data is None
    assert list(playgrounds(Site(book.book))) == []


@pytest.mark.parametrize(
    ("prose", "files", "said"),
    [
        (PLACED, {}, r'pages.save("try-it"'),
        (PLACED, {"try-it.json": b"[]"}, r'pages.save("try-it"'),
        (PLACED, {"try-it.safetensors": bytes(range(256)) * 9000}, ""),
        ("```{playground} no-such\nx\n```", SAVED, "no-such.js is missing"),
        ("```{playground} ../try-it\nx\n```", SAVED, "is missing"),
        ("```{playground} try-it\n```", SAVED, "ontent"),
    ],
)
def test_what_is_missing_is_named(book, prose, files, said):
    place(book, prose, files)
    assert said in book.build()


def test_too_much_data_are_refused(book):
    import random

    place(book, files={"try-it.safetensors": random.Random(0).randbytes(600_000)})
    assert "500,000 is the limit" in book.build()


FAULTS = {
    "a script missing": (lambda html, found: (html / found.script).unlink(), "lacks try-it.js"),
    "an import missing": (
        lambda html, found: ((html / found.script).parent / "core" / "playground.js").unlink(),
        "lacks playground.js",
    ),
    "no data": (lambda html, found: (html / found.data).unlink(), "does not have them"),
    "other data": (lambda html, found: (html / found.data).write_bytes(b"x"), "does not have them"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_verifier_finds_what_a_reader_would_lack(book, fault):
    place(book)
    assert book.build() == ""
    spoil, said = FAULTS[fault]
    spoil(book.folder / "_build" / "html", Site(book.book).playgrounds[0])
    assert any(said in problem for problem in playgrounds(Site(book.book)))
