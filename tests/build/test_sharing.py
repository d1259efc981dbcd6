"""What a page says of itself to search engines, and to whoever shares it."""

import base64
import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from rendered_book import PNG, RenderedBook

pytestmark = [pytest.mark.quick, pytest.mark.slow]

SITE = "https://someone.github.io/some-book/"
LONG = "Networks learn from examples. " * 20


@pytest.fixture
def published(tmp_path, monkeypatch) -> RenderedBook:
    monkeypatch.setenv("GITHUB_REPOSITORY", "Someone/some-book")
    return RenderedBook(tmp_path)


@pytest.fixture
def unpublished(tmp_path, monkeypatch) -> RenderedBook:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    return RenderedBook(tmp_path)


def head_of(book: RenderedBook, page: str) -> dict[str, str]:
    """Return the page's meta tags, each of which stands there once, and its title and canonical address."""
    head = BeautifulSoup(book.page(page), "html.parser").head
    tags = [(tag.get("property") or tag.get("name"), tag["content"]) for tag in head.select("meta[content]")]
    own = [(name, content) for name, content in tags if name and name != "viewport"]
    assert len(dict(own)) == len(own)
    own += [("canonical", link["href"]) for link in head.select("link[rel=canonical]")]
    return dict(own) | {"title": head.title.get_text()}


def test_a_page_is_described_by_its_first_paragraph(published):
    published.write_chapter("one", f":::{{note}}\nA note.\n:::\n\nOf *slopes* & 1 < 2. {LONG}")
    published.compute("one", {}, shown=[{"image/png": PNG}])
    assert published.build() == ""
    head = head_of(published, "one")
    assert head["description"].startswith("Of slopes & 1 < 2. Networks learn")
    assert len(head["description"]) <= 160
    assert head["description"].removesuffix(" …").endswith(("Networks", "learn", "from", "examples."))
    assert head["og:description"] == head["description"]
    assert head["og:title"] == "Chapter one"


def test_a_paragraph_with_a_formula_describes_only_where_there_is_no_other(unpublished):
    unpublished.write("index", "# First page\n\nLet $x^2$ be.\n\nPlain words.\n")
    unpublished.write("two", "# Second page\n\nLet $x^2$ be.\n")
    unpublished.write("three", "# Third page\n")
    assert unpublished.build() == ""
    assert head_of(unpublished, "index")["description"] == "Plain words."
    assert head_of(unpublished, "two")["description"] == "Let x^2 be."
    assert "description" not in head_of(unpublished, "three")


def test_a_card_shows_the_first_figure_at_an_address_that_is_there(published):
    published.write_chapter("one", "Prose.")
    published.compute("one", {}, shown=[{"image/png": PNG}])
    assert published.build() == ""
    head = head_of(published, "one")
    assert head["canonical"] == head["og:url"] == f"{SITE}one.html"
    assert head["og:image"].startswith(SITE)
    assert (published.folder / "_build" / "html" / head["og:image"].removeprefix(SITE)).exists()
    assert head["twitter:card"] == "summary_large_image"


def test_a_drawing_is_shared_as_pixels(published):
    """No service shows SVG."""
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
    pixels = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(pixels, "PNG")
    forms = {"image/png": base64.b64encode(pixels.getvalue()).decode(), "image/svg+xml": drawing}
    published.write_chapter("one", "Prose.")
    published.compute("one", {}, shown=[forms])
    assert published.build() == ""
    assert BeautifulSoup(published.page("one"), "html.parser").select(".drawing > img")
    shared = head_of(published, "one")["og:image"]
    assert Path(shared).suffix in {".png", ".webp"}
    assert (published.folder / "_build" / "html" / shared.removeprefix(SITE)).exists()


def test_a_page_without_a_figure_is_shared_with_the_book_s_card(published):
    published.write("two", "# Second page\n")
    assert published.build() == ""
    assert head_of(published, "two")["twitter:card"] == "summary"  # this book has none
    static, configuration = published.source / "_static", published.source / "conf.py"
    static.mkdir()
    (static / "card.png").write_bytes(base64.b64decode(PNG))
    configuration.write_text(f'{configuration.read_text()}\nhtml_static_path = ["_static"]\n')
    assert published.build() == ""
    head = head_of(published, "two")
    assert head["twitter:card"] == "summary_large_image"
    assert head["og:image"].startswith(SITE)
    assert (published.folder / "_build" / "html" / head["og:image"].removeprefix(SITE)).exists()


def test_the_map_names_every_page_by_its_canonical_address(published):
    published.write("more", "# More\n")
    assert published.build() == ""
    html = published.folder / "_build" / "html"
    found = [each.text for each in ElementTree.parse(html / "sitemap.xml").iter() if each.tag.endswith("loc")]
    assert found == [head_of(published, page)["canonical"] for page in ("index", "more")]
    assert found[0] == SITE
    assert f"Sitemap: {SITE}sitemap.xml" in (html / "robots.txt").read_text().splitlines()


def test_without_a_repository_nothing_claims_an_address(published, monkeypatch):
    assert published.build() == ""
    monkeypatch.delenv("GITHUB_REPOSITORY")
    published.write("index", "# First page\n\nProse.\n")
    assert published.build() == ""
    head = head_of(published, "index")
    assert not {"canonical", "og:url", "og:image"} & head.keys()
    assert head["description"] == "Prose."
    html = published.folder / "_build" / "html"
    assert not (html / "sitemap.xml").exists()
    assert not (html / "robots.txt").exists()


def test_the_first_page_has_the_book_s_title_once(unpublished):
    unpublished.write("two", "# Second page\n")
    assert unpublished.build() == ""
    assert head_of(unpublished, "index")["title"] == "First page"
    assert head_of(unpublished, "two")["title"].startswith("Second page — ")
