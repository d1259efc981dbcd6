"""What a page may run and fetch, and the page for an address that leads nowhere."""

import base64
import hashlib
import re

import pytest
from bs4 import BeautifulSoup
from rendered_book import RenderedBook

pytestmark = [pytest.mark.quick, pytest.mark.slow]


@pytest.fixture
def book(tmp_path, monkeypatch) -> RenderedBook:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    book = RenderedBook(tmp_path)
    book.write("folder/below", "# Below\n")
    return book


def policy(text: str) -> dict[str, list[str]]:
    """Return the rules of the page's only policy: name → sources."""
    (tag,) = BeautifulSoup(text, "html.parser").select('meta[http-equiv="Content-Security-Policy"]')
    rules = [rule.split() for rule in str(tag["content"]).split(";")]
    return {name: sources for name, *sources in rules}


def checksum(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def test_each_script_in_a_page_is_allowed_by_its_checksum_and_no_other(book):
    """And the buttons of all pages, as the search reads them all into its own."""
    assert book.build() == ""
    names = ("index", "folder/below", "404", "genindex", "search")
    pages = {name: BeautifulSoup(book.page(name), "html.parser") for name in names}
    handlers = {checksum(str(tag["onclick"])) for page in pages.values() for tag in page.select("[onclick]")}
    for page, parsed in pages.items():
        inline = {checksum(script.string or "") for script in parsed.select("script:not([src])")}
        allowed = policy(book.page(page))["script-src"]
        assert inline
        assert handlers
        assert {source for source in allowed if source.startswith("'sha256")} == inline | handlers
        assert not {"'unsafe-inline'", "'unsafe-eval'", "*"} & set(allowed)
        assert "'self'" in policy(book.page(page))["default-src"]


def test_the_policy_is_written_once_and_before_all_that_it_rules(book):
    for _ in range(2):
        assert book.build() == ""
        page = book.page("index")
        assert policy(page)
        assert page.index("Content-Security-Policy") < min(page.index("<script"), page.index("<link"))


def addresses(book: RenderedBook) -> list[str]:
    page = BeautifulSoup(book.page("404"), "html.parser")
    found = [tag.get(name) for name in ("href", "src", "action") for tag in page.select(f"[{name}]")]
    return [str(address) for address in found if address and not str(address).startswith("#")]


@pytest.mark.parametrize(("repository", "root"), [("", "/"), ("Someone/some-book", "/some-book/")])
def test_a_lost_reader_s_page_works_at_any_address(book, monkeypatch, repository, root):
    if repository:
        monkeypatch.setenv("GITHUB_REPOSITORY", repository)
    assert book.build() == ""
    local = [address for address in addresses(book) if not re.match(r"[a-z]+:", address)]
    assert f"{root}index.html" in local
    assert f"{root}folder/below.html" in local
    for address in local:
        assert address.startswith(root)
        file = address.removeprefix(root).partition("?")[0].partition("#")[0]
        assert (book.folder / "_build" / "html" / file).exists(), address


def test_nobody_is_led_to_the_lost_reader_s_page(book, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "Someone/some-book")
    assert book.build() == ""
    html = book.folder / "_build" / "html"
    assert "404" not in (html / "sitemap.xml").read_text()
    assert "404" not in re.findall(r'"docnames": ?\[(.*?)\]', (html / "searchindex.js").read_text())[0]
