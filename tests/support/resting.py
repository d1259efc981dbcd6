"""When a playground is at rest: told by its own drawings and workers, and never by a clock.

A drawing comes with a later frame, and may let the browser in between its parts: how many frames that takes
depends on the machine.
"""

import json

from browsing import wait_until
from playwright.sync_api import Page

# Counts the drawings that were asked for and are not at their end yet, from a playground's first moment.
COUNT = """customElements.whenDefined(%s).then(({prototype}) => {
    const {refresh} = prototype;
    prototype.refresh = function () {
        this.undrawn = (this.undrawn ?? 0) + 1;
        return refresh.call(this).finally(() => this.undrawn--);
    };
});"""
# What else some playgrounds wait for, as an expression that tells it of `each`.
BUSY = {
    "how-many-photographs": "each.working || [each.now, each.past].some(({count, draw}) => "
    "!each.found.has(`${count}.${draw}`))",
    "look-inside": "!each.strength",
    "start-a-network": "!each.sides.every(({signal}) => signal)",
    "step-aside": "each.waiting || !each.found",
}


def watch(page: Page, name: str) -> None:
    """Count a playground's drawings on the pages that are opened from now on."""
    page.add_init_script(COUNT % json.dumps(name))


def wait_until_drawn(page: Page, name: str) -> None:
    """Wait until all that was asked to be drawn has been drawn."""
    wait_until(page, f"!document.querySelector({json.dumps(name)}).undrawn")


def wait_until_at_rest(page: Page, name: str) -> None:
    """Wait until a playground has computed what it computes of itself, and has drawn it."""
    busy = BUSY.get(name, "false")
    wait_until(page, f"!(each => each.undrawn || {busy})(document.querySelector({json.dumps(name)}))")


def let_frames_pass(page: Page) -> None:
    """Let a page do what it would do at once: that it does not is nothing to wait for."""
    page.evaluate(
        """async () => {
            for (let frame = 0; frame < 9; frame++) {
                await new Promise(requestAnimationFrame);
                await new Promise(go => setTimeout(go));
            }
        }"""
    )
