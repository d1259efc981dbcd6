"""How long each playground blocks its page while it is loaded, on this processor and on it slowed six times.

Run by `make benchmark` on the built site, with a Chromium on PATH, on a machine where nothing else runs. The
goal is 50 ms: a longer task is one that a reader could notice. Browsers report no shorter one, so each figure
is 0 or above 50, and cannot be compared with another machine's by a factor. The page has come to rest at the
playground before its data arrive: what scrolling costs is not counted. Each is the least of five runs, as
whatever else the machine does only adds to it.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "book" / "_ext")]

from bookbuild.loopback import served  # noqa: E402
from bookbuild.render.playgrounds import Playground  # noqa: E402
from browsing import CHROMIUM, FLAGS  # noqa: E402
from playing import opened, playgrounds_of_the_site  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

GOAL, RUNS = 50, 5


def pause_while_loading(browser: Browser, address: str, about: Playground, times: float) -> float:
    """Return the milliseconds of the longest task from the arrival of a playground's data until it rests."""
    with opened(browser, address, about, start=False, hold_data=True) as found:
        found.come()
        found.page.wait_for_timeout(1000)
        found.slow_down(times)
        return found.longest_pause(found.release)


def main() -> int:
    """Print a line for each playground of the site."""
    html = ROOT / "_build" / "html"
    if CHROMIUM is None or not html.exists():
        print(
            "The playgrounds were not measured: that needs a Chromium, and the site that `make book` builds."
        )
        return 0
    with sync_playwright() as playwright, served(html) as address:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for about in playgrounds_of_the_site():
            own, slowed = (
                min(pause_while_loading(browser, address, about, times) for _ in range(RUNS))
                for times in (1, 6)
            )
            verdict = (
                "none longer than 50 ms" if max(own, slowed) <= GOAL else "longer than the goal of 50 ms"
            )
            print(f"{about.name}: longest task {own:.0f} ms, slowed six times {slowed:.0f} ms ({verdict})")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
