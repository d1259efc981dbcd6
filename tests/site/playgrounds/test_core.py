"""What every playground shares, tried with a small one of the test's own under the site's policy."""

import shutil

import pytest
import torch
import torch.nn.functional as F
from bare_page import BarePage
from conftest import ROOT
from playing import opened
from resting import let_frames_pass

from dlbook.playgrounds import restored, rounded

SCRIPT = """
import {Playground} from "./core/playground.js";
import {button, make, slider} from "./core/elements.js";
export * from "./core/layers.js";
export * from "./core/linear.js";

class TryCore extends Playground {
  start(file) {
    if (file.tensors.weight?.data[0] > 100) throw new Error("the weight is too large");
    this.size = slider("Size", {min: 0, max: 9, step: 1}, () => this.change(), value => `${value} cm`);
    this.shown = make("output");
    const say = button("Say", () => this.said(`It is ${this.size.value}.`));
    this.stage.append(this.size.element, this.shown, say);
  }
  restore({size}) {
    this.size.value = Number(size ?? 3);
    this.refresh();
  }
  change() {
    this.saveState(this.size.value === 3 ? {} : {size: this.size.value});
    this.refresh();
  }
  *draw() {
    const {data} = this.file.tensors.weight ?? {data: []};
    this.shown.value = Array.from(data, value => value * this.size.value).join(" ");
  }
}
customElements.define("try-core", TryCore);
"""
WEIGHT = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])


@pytest.fixture
def bare(tmp_path) -> BarePage:
    shutil.copytree(ROOT / "book" / "playgrounds", tmp_path / "book" / "playgrounds")
    (tmp_path / "book" / "playgrounds" / "try-core.js").write_text(SCRIPT)
    (tmp_path / "site").mkdir()
    return BarePage(tmp_path / "site", tmp_path / "book")


SLOW = """
import {Playground} from "./core/playground.js";

class TrySlow extends Playground {
  shown = [];
  start() {
    this.seen = 0;
    const count = () => { this.seen++; setTimeout(count); };
    count();
    this.set(1);
  }
  set(state) {
    this.state = state;
    this.refresh();
  }
  *draw() {
    for (let part = 0; part < 5; part++) {
      for (const begun = performance.now(); performance.now() - begun < 20;);
      yield this.shown.push([this.state, part, this.seen]);
    }
  }
}
customElements.define("try-slow", TrySlow);
"""


def test_it_runs_under_the_policy_on_what_was_saved(browser, bare):
    about = bare.write("try-core", {"weight": WEIGHT})
    with bare.serve() as address, opened(browser, address, about) as found:
        assert found.element.locator("output").inner_text() == "3 6 -9 1.5"
        assert not found.element.locator(".fallback").is_visible()
        found.element.get_by_role("button", name="Say").click()
        assert found.status == "It is 3."
        assert found.errors == []
        assert all(request.url.startswith(address) for request in found.requests)


def test_a_keyboard_sets_it_the_address_keeps_it_and_reset_takes_it_back(browser, bare):
    about = bare.write("try-core", {"weight": WEIGHT})
    with bare.serve() as address, opened(browser, address, about) as found:
        found.page.keyboard.press("Tab")
        found.page.keyboard.press("ArrowRight")
        found.wait_for("location.hash === '#try-core?size=4'")
        assert found.drawn().element.locator("output").inner_text() == "4 8 -12 2"
        # A link to its place leaves it as it is.
        found.page.evaluate(
            """() => new Promise(go => {
                addEventListener("hashchange", () => go());
                location.hash = "#try-core";
            })"""
        )
        assert found.drawn().element.locator("output").inner_text() == "4 8 -12 2"
        found.page.evaluate("location.hash = '#try-core?size=6'")
        found.wait_for("document.querySelector('try-core output').value === '6 12 -18 3'")
        found.element.get_by_role("button", name="Reset").click()
        found.wait_for("document.querySelector('try-core output').value === '3 6 -9 1.5'")
        assert found.fragment == ""
    with (
        bare.serve() as address,
        opened(browser, address, about, fragment="try-core?size=5", start=False) as found,
    ):
        found.wait_for("document.querySelector('try-core output')?.value === '5 10 -15 2.5'")


def test_a_bar_shows_that_data_are_on_their_way(browser, bare):
    about = bare.write("try-core", {"weight": WEIGHT})
    with (
        bare.serve() as address,
        opened(browser, address, about, start=False, hold_data=True) as found,
    ):
        found.come()
        bar = found.element.get_by_role("progressbar", name="The playground is being loaded")
        bar.wait_for()
        assert found.element.locator(".fallback").is_visible()
        found.release()
        assert bar.count() == 0


def damage(bare, about):
    path = bare.folder / about.data
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def shorten(bare, about):
    path = bare.folder / about.data
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(bare, about):
    path = bare.folder / about.data
    path.write_bytes(path.read_bytes() + b"\0")


def remove(bare, about):
    (bare.folder / about.data).unlink()


def spoil(bare, about):
    bare.write("try-core", {"weight": 200 * WEIGHT})


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (damage, "checksum"),
        (shorten, "bytes came"),
        (lengthen, "more came"),
        (remove, "404"),
        (spoil, "too large"),
    ],
)
def test_what_cannot_be_loaded_is_said_and_the_fallback_stays(browser, bare, fault, said):
    about = bare.write("try-core", {"weight": WEIGHT})
    fault(bare, about)
    with bare.serve() as address, opened(browser, address, about, start=False) as found:
        found.come()
        found.element.get_by_role("alert").wait_for()
        assert said in found.element.get_by_role("alert").inner_text()
        assert found.element.locator(".fallback").is_visible()
        assert found.element.get_by_role("progressbar").count() == 0
        assert found.errors == []


def test_data_are_fetched_when_the_reader_scrolls_near_and_the_fallback_is_printed(browser, bare):
    about = bare.write("try-core", {"weight": WEIGHT})
    page = bare.folder / "index.html"
    page.write_text(page.read_text().replace("<body>", f"<body>{'<p>far</p>' * 30}"))
    with bare.serve() as address, opened(browser, address, about, start=False) as found:
        found.wait_for("customElements.get('try-core')")
        let_frames_pass(found.page)
        assert not [request for request in found.requests if request.url.endswith(about.data)]
        found.page.mouse.wheel(0, 10)
        found.page.wait_for_selector("try-core.running", state="attached")
        assert [request for request in found.requests if request.url.endswith(about.data)]
        assert found.page.evaluate("scrollY") < 50
        found.page.emulate_media(media="print")
        assert found.element.locator(".fallback").is_visible()
        assert not found.element.locator(".stage").is_visible()


TENSORS = {
    "float32": torch.randn(3, 5),
    "float16": torch.tensor([0, -0.0, 1, -2.5, 65504, 6e-8, float("inf"), -float("inf")]).half(),
    "int8": torch.tensor([-128, 127, 0], dtype=torch.int8),
    "uint8": torch.tensor([[0, 255]], dtype=torch.uint8),
    "int32": torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
}


def test_numbers_arrive_as_they_were_saved(browser, bare):
    sent = rounded({"matrix": torch.randn(4, 6), "filters": torch.randn(3, 2, 3, 3)})
    about = bare.write("try-core", TENSORS | sent)
    with bare.serve() as address, opened(browser, address, about) as found:
        seen = found.page.evaluate(
            """Object.fromEntries(Object.entries(document.querySelector("try-core").file.tensors)
                .map(([name, {data, shape}]) => [name, {shape, data: Array.from(data, String)}]))"""
        )
    expected = TENSORS | restored(sent)
    assert seen.keys() == expected.keys()
    for name, tensor in expected.items():
        assert seen[name]["shape"] == list(tensor.shape)
        values = [float(text.replace("Infinity", "inf")) for text in seen[name]["data"]]
        torch.testing.assert_close(torch.tensor(values).view(tensor.shape), tensor.float(), atol=1e-7, rtol=0)


def as_weights(tensor):
    return {"shape": list(tensor.shape), "data": tensor.flatten().tolist()}


def test_the_layers_are_those_of_torch(browser, bare):
    generator = torch.Generator().manual_seed(0)
    about = bare.write("try-core")
    with bare.serve() as address, opened(browser, address, about) as found:

        def call(function, *arguments):
            given = [as_weights(each) if isinstance(each, torch.Tensor) else each for each in arguments]
            return found.call("./try-core.js", function, *given)

        def assert_same(answer, expected):
            assert answer["shape"] == list(expected.shape)
            torch.testing.assert_close(torch.tensor(answer["data"]), expected.flatten(), atol=1e-5, rtol=1e-5)

        for stride in (1, 2, 3):
            for padding in (0, 1, 3):
                for dilation in (1, 2):
                    x = torch.randn(3, 11, 9, generator=generator)
                    weight = torch.randn(4, 3, 3, 3, generator=generator)
                    bias = torch.randn(4, generator=generator)
                    setting = {"stride": stride, "padding": padding, "dilation": dilation}
                    assert_same(
                        call("conv2d", x, weight, bias, setting), F.conv2d(x, weight, bias, **setting)
                    )
            assert_same(call("maxPool", x, 3, stride), F.max_pool2d(x, 3, stride))
            assert_same(call("averagePool", x, 2, stride), F.avg_pool2d(x, 2, stride))
        weight, vector = torch.randn(6, 7, generator=generator), torch.randn(7, generator=generator)
        bias = torch.randn(6, generator=generator)
        expected = F.linear(vector, weight, bias)
        torch.testing.assert_close(torch.tensor(call("linear", vector.tolist(), weight, bias)), expected)
        back = torch.tensor(call("linearBack", bias.tolist(), weight))
        torch.testing.assert_close(back, bias @ weight)
        logits = [1000.0, 998.0, -5.0]
        torch.testing.assert_close(
            torch.tensor(call("softmax", logits, 2)), (torch.tensor(logits) / 2).softmax(0)
        )
        for name in ("relu", "sigmoid", "silu"):
            answer = found.page.evaluate(
                """async ([address, name]) =>
                    Array.from((await import(address))[name](Float32Array.of(-3, -0.5, 0, 2)))""",
                [found.script, name],
            )
            expected = getattr(F, name)(torch.tensor([-3, -0.5, 0.0, 2]))
            torch.testing.assert_close(torch.tensor(answer).float(), expected, atol=1e-6, rtol=0)


def test_a_long_drawing_lets_the_browser_in_and_ends_with_the_last_state(browser, bare):
    (bare.pages_folder / "playgrounds" / "try-slow.js").write_text(SLOW)
    about = bare.write("try-slow")
    with bare.serve() as address, opened(browser, address, about) as found:
        found.page.evaluate(
            """async () => {
                const element = document.querySelector("try-slow");
                element.set(2);
                while (element.shown.length < 7) await new Promise(go => setTimeout(go));
                for (let state = 3; state < 9; state++) element.set(state);
            }"""
        )
        shown = found.drawn().page.evaluate("document.querySelector('try-slow').shown")
        assert [part for _, part, _ in shown] == [*range(5)] * 3, "six changes need one more drawing"
        assert [state for state, _, _ in shown[:7]] == [1] * 5 + [2] * 2, "nothing changed while it was drawn"
        assert [state for state, _, _ in shown[-5:]] == [8] * 5, "the last state is not the one that is seen"
        for first, *_, last in (shown[:5], shown[5:10], shown[10:]):
            assert last[2] > first[2], "the browser was not let in"
