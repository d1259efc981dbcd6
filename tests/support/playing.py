"""Playgrounds in a browser: on their pages of the built site, or on a bare page of a test (`bare_page`).

with playground("draw-digit") as opened:
opened.element.get_by_role("button", name="A test digit").click()
assert "label" in opened.status
assert opened.errors == []
logits = opened.call("./draw-digit/network.js", "read", weights, image)

"""

import gzip
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import pytest
from bookbuild.render.playgrounds import Playground
from browsing import built_site, open_page, wait_until
from playwright.sync_api import Browser, Locator, Page, Request, Route
from resting import wait_until_at_rest, wait_until_drawn, watch

# Milliseconds that a usual laptop of 2024 takes for the sums of `Opened.pace`.
LAPTOP = 4.0


@dataclass
class Opened:
    """A page with a playground, in the browser.

    Attributes:
        page: Playwright's.
        about: what the page says of the playground.
        address: of the site.
        errors: of all scripts on the page, and breaches of its policy.
        requests: all that were sent since the page was opened.
        held: those for the playground's data, if `opened` was told to hold them.
    """

    page: Page
    about: Playground
    address: str
    errors: list[str]
    requests: list[Request] = field(default_factory=list)
    held: list[Route] = field(default_factory=list)

    @property
    def element(self) -> Locator:
        """The custom element."""
        return self.page.locator(self.about.name)

    @property
    def asked(self) -> list[Request]:
        """The requests but for what a browser asks for when it likes: the page's pictures and its icon."""
        own = (f"{self.address}/_images/", f"{self.address}/_static/mark.svg")
        return [request for request in self.requests if not request.url.startswith(own)]

    @property
    def status(self) -> str:
        """What the playground last said in words."""
        return self.element.locator(".foot [role=status]").inner_text()

    def hear(self, part: str) -> "Opened":
        """Wait until the playground has said something with these words in it."""
        self.element.locator(".foot [role=status]", has_text=part).wait_for()
        return self

    @property
    def script(self) -> str:
        """Address of the playground's script."""
        return f"{self.address}/{self.about.script}"

    def come(self) -> None:
        """Bring the playground into view, and move the pointer: then its data are fetched."""
        self.element.scroll_into_view_if_needed()
        self.page.mouse.move(1, 1)

    @property
    def fragment(self) -> str:
        """What the page's address holds behind its #; Playwright hears of a change only later."""
        return str(self.page.evaluate("location.hash.slice(1)"))

    def start(self) -> "Opened":
        """Come to the playground, and wait until it runs and is at rest."""
        self.come()
        return self.run()

    def run(self) -> "Opened":
        """Wait until the playground runs and is at rest."""
        self.page.wait_for_selector(f"{self.about.name}.running")
        return self.rest()

    def rest(self) -> "Opened":
        """Wait until the playground has computed what it computes of itself, and has drawn it."""
        wait_until_at_rest(self.page, self.about.name)
        return self

    def drawn(self) -> "Opened":
        """Wait until all that was asked to be drawn has been drawn; what is still computed comes later."""
        wait_until_drawn(self.page, self.about.name)
        return self

    def release(self) -> None:
        """Let the held data come, and wait until the playground runs and is at rest."""
        for route in self.held:
            route.continue_()
        self.run()

    def slow_down(self, times: float) -> None:
        """Slow the page's processor down, as on a cheap phone; 1 is its own speed."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": times})

    def call(self, module: str, function: str, *arguments: object) -> object:
        """Call a function that a module exports, in the browser; return what JSON can hold.

        Args:
            module: its path from the playground's script, such as ``./core/layers.js``.
            function: its name.
            arguments: what JSON can hold; lists become arrays. Typed arrays come back as lists.
        """
        return self.page.evaluate(
            """async ([address, name, given]) => {
                const plain = value => {
                    if (ArrayBuffer.isView(value)) return Array.from(value);
                    if (Array.isArray(value)) return value.map(plain);
                    if (!value || typeof value !== "object") return value;
                    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
                };
                return plain(await (await import(address))[name](...given));
            }""",
            [urljoin(self.script, module), function, list(arguments)],
        )

    def wait_for(self, expression: str) -> None:
        """Wait until an expression of JavaScript is true."""
        wait_until(self.page, expression)

    def pace(self) -> float:
        """Return how many times as long as a usual laptop this machine takes for the same sums, just now."""
        return float(
            self.page.evaluate(
                """() => {
                    const numbers = Float32Array.from({length: 100000}, (_, k) => k % 7);
                    let best = Infinity;
                    for (let run = 0; run < 20; run++) {
                        const begun = performance.now();
                        let sum = run;
                        for (let k = 0; k < 2e6; k++) sum += numbers[k % 100000] * 0.5;
                        if (sum > 0) best = Math.min(best, performance.now() - begun);
                    }
                    return best;
                }"""
            )
            / LAPTOP
        )

    def response(self, act: str) -> float:
        """Return the milliseconds from an input to what it draws, on a processor six times slower than usual.

        It is the shortest of twenty, compared with `pace`: another machine, or one with much else to do,
        gives nearly the same.

        Args:
            act: a function of JavaScript that does to the element what an input does, and is given the
                number of the run, such as ``(element, run) => element.choose(run % 10)``.
        """
        best = self.page.evaluate(
            f"""() => {{
                const element = document.querySelector({self.about.name!r}), act = {act};
                let best = Infinity;
                for (let run = 0; run < 20; run++) {{
                    const begun = performance.now();
                    act(element, run);
                    [...element.draw()];
                    best = Math.min(best, performance.now() - begun);
                }}
                return best;
            }}"""
        )
        return 6 * float(best) / self.pace()

    def longest_pause(self, act: Callable[[], object]) -> float:
        """Return the milliseconds of the longest task of the page's thread while something is done.

        Tasks shorter than 50 ms are none to the browser; then it is 0.
        """
        self.page.wait_for_selector("body")  # with the first selector, Playwright brings a large script
        self.page.evaluate(
            """() => {
                self.longTasks = [];
                self.taskWatch = new PerformanceObserver(list =>
                    self.longTasks.push(...list.getEntries().map(entry => entry.duration)));
                self.taskWatch.observe({type: "longtask"});
            }"""
        )
        act()
        return float(
            self.page.evaluate(
                """async () => {
                    await new Promise(go => setTimeout(go, 200));
                    self.longTasks.push(...self.taskWatch.takeRecords().map(entry => entry.duration));
                    self.taskWatch.disconnect();
                    return Math.max(0, ...self.longTasks);
                }"""
            )
        )

    def heap(self) -> float:
        """Return the bytes of JavaScript's heap after a collection, once nothing is left to be drawn."""
        self.drawn()
        session = self.page.context.new_cdp_session(self.page)
        session.send("HeapProfiler.collectGarbage")
        return float(session.send("Runtime.getHeapUsage")["usedSize"])

    def growth(self, use: str) -> float:
        """Return by how many bytes 200 uses let the heap grow, once 40 have filled what is kept.

        Args:
            use: a function in JavaScript that gets how often to use the playground.
        """
        self.page.evaluate(use, 40)
        before = self.heap()
        self.page.evaluate(use, 200)
        return self.heap() - before


def playgrounds_of_the_site() -> list[Playground]:
    """Return the playgrounds on the pages of the site in _build/html; none where there is no site."""
    return built_site().playgrounds


def saved_bytes(html: Path, name: str) -> bytes:
    """Return what the page saved for a playground, as safetensors writes it."""
    (about,) = [each for each in playgrounds_of_the_site() if each.name == name]
    assert about.data, f"the page saves nothing for {name}"
    return gzip.decompress((html / about.data).read_bytes())


@contextmanager
def opened(
    browser: Browser,
    address: str,
    about: Playground,
    *,
    fragment: str = "",
    start: bool = True,
    hold_data: bool = False,
    width: int = 1300,
    scheme: str = "light",
    **settings: object,
) -> Iterator[Opened]:
    """Open a playground's page, as the fixture `playground` does for the site."""
    page, errors = open_page(browser, "about:blank", width, scheme, **settings)
    found = Opened(page, about, address, errors)
    watch(page, about.name)
    page.on("request", lambda request: found.requests.append(request))
    if hold_data:
        page.route("**/*.tensors", lambda route: found.held.append(route))
    page.goto(f"{address}/{about.page}.html{f'#{fragment}' if fragment else ''}", wait_until="load")
    yield found.start() if start else found
    page.context.close()


@pytest.fixture
def playground(browser: Browser, address: str) -> Callable[..., AbstractContextManager[Opened]]:
    """Open a playground by its name, on its page of the site.

    Settings: ``fragment`` (without #), ``start=False`` (do not come to it), ``width``, ``scheme``
    (``"dark"``), and those of Playwright's `new_context`, such as ``has_touch=True``,
    ``java_script_enabled=False`` or ``reduced_motion="reduce"``.
    """

    def open_one(name: str, **settings: object) -> AbstractContextManager[Opened]:
        found = [each for each in playgrounds_of_the_site() if each.name == name]
        assert found, f"no page of the site in _build/html has the playground {name}: run `make book`"
        return opened(browser, address, found[0], **settings)  # type: ignore[arg-type]

    return open_one
