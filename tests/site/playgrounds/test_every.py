"""What holds for every playground on its page of the site: budgets, policy, keyboard, phone, fallback."""

import gzip
import re
from pathlib import Path

import pytest
from bare_page import BarePage
from bookbuild.render.playgrounds import LARGEST, served
from conftest import ROOT
from looking import accessibility_faults
from playing import opened, playgrounds_of_the_site
from safetensors.torch import load

SOURCES = ROOT / "book" / "playgrounds"
NAMES = sorted(path.stem for path in SOURCES.glob("*.js"))
MOST_SCRIPT = 12_000  # bytes of a playground's modules, packed
AT_ONCE = re.compile(r"""(?:from|import|URL\()\s*["'](\.{1,2}/[^"']+)["']""")
SVG = "http://www.w3.org/2000/svg"  # what kind of element is made; nothing is fetched
SMALLEST = 11  # pixels of text
# Every text of a playground that is seen, and its size on the screen; in a chart, which is scaled, too.
TEXTS = """element => {
    const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), found = [];
    while (walk.nextNode()) {
        const text = walk.currentNode.data, parent = walk.currentNode.parentElement;
        if (!text.trim() || !parent.checkVisibility() || parent.closest(".fallback")) continue;
        const scale = parent.closest("svg")?.getScreenCTM().a ?? 1;
        found.push({text, size: scale * parseFloat(getComputedStyle(parent).fontSize)});
    }
    return found;
}"""
CONTROLS = "button, select, input, summary, [tabindex='0']"


def modules(script: Path) -> set[Path]:
    """Return a script with all that it loads at once, without what a button asks for by `import(…)`."""
    found, pending = set(), [script]
    while pending:
        path = pending.pop().resolve()
        if path not in found:
            found.add(path)
            pending += [path.parent / address for address in AT_ONCE.findall(path.read_text())]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_scripts_are_small(name):
    sizes = {path.name: len(gzip.compress(served(path), 9)) for path in modules(SOURCES / f"{name}.js")}
    assert sum(sizes.values()) <= MOST_SCRIPT, sizes


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.js")), ids=lambda path: path.name)
def test_a_script_is_an_island(path):
    """It names no other host, needs nothing that the policy forbids, and can lose its indentation."""
    text = path.read_text(encoding="utf-8")
    assert not [line for line in text.splitlines() if line.count("`") % 2], "a text over several lines"
    assert text.startswith("// @ts-check\n")
    text = text.replace(SVG, "")
    assert not re.search(r"https?://|\beval\(|innerHTML|new Function|\.style\s*=", text)


def test_the_style_sheet_closes_what_it_opens():
    """A browser takes one that does not without a word, and drops or moves what follows."""
    depth = 0
    for number, line in enumerate((SOURCES / "playgrounds.css").read_text().splitlines(), start=1):
        assert depth == 0 or line.startswith((" ", "}")) or not line, f"line {number} is inside a block"
        depth += line.count("{") - line.count("}")
    assert depth == 0


@pytest.mark.parametrize("width", [1300, 390])
@pytest.mark.parametrize("name", NAMES)
def test_the_text_behind_it_stays_in_its_place_while_it_is_loaded(playground, name, width):
    with playground(name, width=width) as found:
        room = found.element.evaluate("each => parseFloat(getComputedStyle(each).minHeight)")
        assert room <= found.element.bounding_box()["height"] <= 1.03 * room


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_asks_no_other_host_and_a_keyboard_reaches_every_control(playground, html, name):
    with playground(name) as found:
        assert not found.element.locator(".fallback").is_visible()
        assert all(request.url.startswith((found.address, "blob:", "data:")) for request in found.requests)
        assert found.about.length <= LARGEST
        assert all((html / path).exists() for path in (found.about.script, found.about.data) if path)
        controls = found.element.locator(CONTROLS)
        usable = [each for each in controls.all() if each.is_visible() and each.is_enabled()]
        unlike = [each for each in usable if each.get_attribute("tabindex") != "-1"]
        unlike[0].focus()
        reached = 1
        while found.page.evaluate("document.activeElement.textContent") != "Reset":  # the last of them
            found.page.keyboard.press("Tab")
            assert found.page.evaluate(f"document.activeElement.closest('{name}') !== null")
            reached += 1
        assert reached >= len(unlike)  # more may have been added while they were counted
        unnamed = found.page.evaluate(
            f"""[...document.querySelectorAll("{name} :is(button, select, input, canvas)")]
                .filter(each => !each.closest(".fallback") && !each.textContent.trim() && !each.ariaLabel
                    && !each.labels?.length).map(each => each.outerHTML)"""
        )
        assert unnamed == []
        found.page.keyboard.press("Enter")
        assert found.errors == []


@pytest.mark.parametrize("width", [1300, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_it_fits_into_the_page_and_can_be_read(playground, name, scheme, width):
    with playground(name, width=width, scheme=scheme, has_touch=width == 390) as found:
        assert found.page.evaluate("document.documentElement.scrollWidth") <= width
        cut_off = found.page.evaluate(
            f"""[...document.querySelectorAll("{name} :is(button, select, input, canvas, p, figcaption)")]
                .map(each => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
                .filter(([, box]) => box.width && (box.left < 0 || box.right > {width}))
                .map(([html]) => html)"""
        )
        assert cut_off == []
        assert [text for text in found.element.evaluate(TEXTS) if text["size"] < SMALLEST] == []
        assert found.element.locator("[role=status], [aria-live]").count() == 1
        small = found.page.evaluate(
            f"""[...document.querySelectorAll("{name} :is(button, select)")]
                .map(each => [each.textContent, each.getBoundingClientRect()])
                .filter(([, box]) => box.width && Math.min(box.height, box.width) < 24)
                .map(([text]) => text)"""
        )
        assert small == []
        # Below the page's header: what it just covers in part would count as too small for a finger.
        found.element.evaluate("each => scrollBy(0, each.getBoundingClientRect().top - 100)")
        assert accessibility_faults(found.page) == []
        assert found.errors == []


@pytest.mark.parametrize("name", NAMES)
def test_a_finger_scrolls_the_page_wherever_it_draws_nothing(playground, name):
    """On what reaches across the whole phone, a reader would else be stuck."""
    with playground(name, width=390, has_touch=True) as found:
        session = found.page.context.new_cdp_session(found.page)
        parts = found.element.locator("canvas, input[type=range], button, svg, p, figcaption").all()
        seen = [part for part in parts if part.is_visible()]
        scrolling = [
            part for part in seen if part.evaluate("each => getComputedStyle(each).touchAction") != "none"
        ]
        assert scrolling
        for part in scrolling[:: max(1, len(scrolling) // 8)]:
            part.evaluate("each => each.scrollIntoView({block: 'center'})")
            before, box = found.page.evaluate("scrollY"), part.bounding_box()
            place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
            session.send("Input.synthesizeScrollGesture", place | {"yDistance": -120, "speed": 4000})
            found.wait_for(f"scrollY > {before}")
        assert found.errors == []


LATE = {
    "how-many-photographs": "**/worker.js",
    "start-a-network": "**/worker.js",
    "step-aside": "**/worker.js",
    "look-inside": "**/own-photograph.js",
}


@pytest.mark.parametrize("name", LATE)
def test_a_script_that_cannot_be_had_later_is_said(playground, name):
    """As in a page that was open while the site was published anew."""
    with playground(name, start=False) as found:
        found.page.route(LATE[name], lambda route: route.abort())
        found.come()
        if "photograph.js" in LATE[name]:
            found.run().element.get_by_role("button", name="Your photograph").click()
        found.hear("could not be loaded. Load the page anew")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_moves_where_a_reader_wants_no_motion(playground, name):
    moving = "each => each.getAnimations({subtree: true}).map(one => one.effect.target.outerHTML)"
    with playground(name, reduced_motion="reduce") as found:
        for button in found.element.locator("button:visible:enabled").all()[:5]:
            button.hover()
            assert found.element.evaluate(moving) == []


@pytest.mark.parametrize("name", NAMES)
def test_without_scripts_the_fallback_stands(playground, name):
    with playground(name, java_script_enabled=False, start=False) as found:
        assert found.element.locator(".fallback").is_visible()
        assert found.element.locator(".fallback").inner_text().strip() or found.element.locator("img").count()
        assert found.element.locator("button").count() == 0


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_under_the_policy(browser, html, tmp_path, name):
    (about,) = [each for each in playgrounds_of_the_site() if each.name == name]
    tensors = load(gzip.decompress((html / about.data).read_bytes())) if about.data else None
    bare = BarePage(tmp_path)
    with bare.serve() as address, opened(browser, address, bare.write(name, tensors)) as found:
        found.element.get_by_role("button", name="Reset").click()
        found.rest()
        assert all(request.url.startswith((address, "data:")) for request in found.requests)
        assert found.errors == []
