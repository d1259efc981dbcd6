"""What can be asked of every page in a browser: who can use it, and what its header shows."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# Rules of axe-core: WCAG 2.0 to 2.2, levels A and AA, and what is good practice beside them.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
HEADER = ".bd-header-article"


def accessibility_faults(page: Page) -> list[tuple[str, list[str]]]:
    """Return the rules of axe-core that a page breaks, and the elements that break them."""
    # To describe what is right, too, takes axe-core half as long again.
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]


def focus_in_header(page: Page) -> dict[str, float]:
    """Go through the header by the keyboard; return each button's outline in pixels, 0 for none."""
    buttons = page.locator(f"{HEADER} :is(button, a, label)").evaluate_all(
        "all => all.filter(each => each.checkVisibility() && each.tabIndex >= 0).length"
    )
    page.locator(HEADER).evaluate("header => { header.tabIndex = -1; header.focus(); }")
    outlines: dict[str, float] = {}
    for _ in range(buttons):
        page.keyboard.press("Tab")
        at, is_inside, width = page.evaluate(
            f"""() => {{ const {{outlineStyle, outlineWidth}} = getComputedStyle(document.activeElement);
                       return [document.activeElement.outerHTML, !!document.activeElement.closest("{HEADER}"),
                               outlineStyle === "none" ? 0 : parseFloat(outlineWidth)]; }}"""
        )
        assert is_inside, at
        outlines[at] = width
    return outlines


def names_in_header(page: Page) -> list[str]:
    """Return the words that stand on the header's buttons for all to see."""
    return page.locator(f"{HEADER} .article-header-buttons .btn:not(.dropdown-item)").evaluate_all(
        """all => all.filter(each => each.checkVisibility()).map(each => {
            const {display, content} = getComputedStyle(each, "::after");
            return display === "none" || content === "none" ? "" : content.replaceAll('"', "");
        })"""
    )


def ground(page: Page) -> list[int]:
    """Return red, green and blue of what the page's text stands on."""
    return page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
