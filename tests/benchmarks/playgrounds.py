"""How long each playground blocks its page while it is loaded, on a processor six times slower than a laptop.

Run by `make benchmark` on the built site, with a Chromium on PATH, on a machine where nothing else runs. The
goal is 50 ms: a longer task is one that a reader could notice. Each figure is the shortest of five, divided
by how much slower this machine is than a usual laptop, measured in the same page.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "book" / "_ext")]

from bookbuild.loopback import served  # noqa: E402
from browsing import CHROMIUM, FLAGS  # noqa: E402
from playing import opened, playgrounds_of_the_site  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

GOAL, RUNS = 50, 5


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
            pauses = []
            for _ in range(RUNS):
                with opened(browser, address, about, start=False) as found:
                    pace = found.pace()
                    found.slow_down(6)
                    pauses.append(found.longest_pause(found.start) / pace)
            verdict = "none longer than 50 ms" if min(pauses) <= GOAL else "longer than the goal of 50 ms"
            print(f"{about.name}: longest task while loading {min(pauses):.0f} ms ({verdict})")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
