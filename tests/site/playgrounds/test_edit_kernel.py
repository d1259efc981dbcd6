"""<edit-kernel>: what it computes is OpenCV's, and what a reader does has the effect that it should."""

import gzip
import json
import re

import cv2
import numpy as np
import pytest
import safetensors.numpy

FILTERS = "./edit-kernel/filters.js"


@pytest.fixture
def edit_kernel(playground):
    return lambda **settings: playground("edit-kernel", **settings)


@pytest.fixture
def tensors(edit_kernel, html):
    """What the page saved: photographs as bytes, kernels as float32."""
    with edit_kernel(start=False) as opened:
        return safetensors.numpy.load(gzip.decompress((html / opened.about.data).read_bytes()))


@pytest.fixture
def photographs(tensors):
    return {name: values for name, values in tensors.items() if values.dtype == np.uint8}


@pytest.fixture
def kernels(tensors):
    return {name: values.astype(float) for name, values in tensors.items() if values.dtype == np.float32}


def as_photo(pixels):
    return {"levels": pixels.flatten().tolist(), "width": pixels.shape[1], "height": pixels.shape[0]}


def place_said(opened) -> tuple[int, int]:
    """Return row and column."""
    found = re.search(r"row (\d+), column (\d+)", opened.status)
    assert found
    return int(found[1]), int(found[2])


def sum_shown(opened) -> float:
    """Return the sum, once all that is to be drawn has been drawn."""
    return float(opened.drawn().element.locator(".terms strong").inner_text().replace("−", "-"))


def weights_shown(opened) -> list[float]:
    return [float(field.input_value()) for field in opened.element.locator(".weights input").all()]


def weight(opened, row, column):
    return opened.element.get_by_label(f"weight {3 * row + column - 3}", exact=True)


def test_a_response_is_that_of_opencv(edit_kernel, photographs, kernels):
    random = np.random.default_rng(0)
    named = list(kernels.values())
    with edit_kernel() as opened:
        for case in range(100):
            pixels = list(photographs.values())[case % len(photographs)]
            rows, columns = random.integers(
                1, 50, size=2
            )  # so narrow that it is mirrored again and again, too
            top, left = (random.integers(0, size - 50) for size in pixels.shape)
            crop = pixels[top : top + rows, left : left + columns]
            kernel = named[case] if case < len(named) else random.normal(scale=3, size=(3, 3))
            found = opened.call(FILTERS, "crossCorrelate", as_photo(crop), kernel.flatten().tolist())
            expected = cv2.filter2D(crop, cv2.CV_64F, kernel)
            assert abs(np.reshape(found, crop.shape) - expected).max() < 1e-3


def test_the_frequency_response_is_a_fourier_transform(edit_kernel, kernels):
    size = 33
    with edit_kernel() as opened:
        for kernel in kernels.values():
            found = opened.call(FILTERS, "frequencyResponse", kernel.flatten().tolist(), size)
            padded = np.zeros((size - 1, size - 1))
            padded[:3, :3] = kernel[::-1, ::-1]
            expected = abs(np.fft.fftshift(np.fft.fft2(padded)))
            assert np.reshape(found, (size, size))[:-1, :-1] == pytest.approx(expected, abs=1e-4)


def test_rings_show_the_frequency_response(edit_kernel, kernels):
    """What a kernel leaves of the rings at a place is as strong as its gain for the waves there."""
    near = 6
    with edit_kernel() as opened:
        rings = opened.call(FILTERS, "rings", 256)
        image = np.reshape(rings["levels"], (256, 256)).astype(np.uint8)
        for name in ("Sobel x", "box blur"):
            kernel = kernels[name]
            response = cv2.filter2D(image, cv2.CV_64F, kernel) - 127.5 * kernel.sum()
            for x, y in ((40, 10), (0, 70), (50, 50), (90, 20)):
                gains = [
                    opened.call(FILTERS, "gain", kernel.flatten().tolist(), np.pi * a / 128, np.pi * b / 128)
                    for a in range(x - near, x + near + 1, 3)
                    for b in range(y - near, y + near + 1, 3)
                ]
                rows, columns = (slice(127 + place - near, 129 + place + near) for place in (y, x))
                strength = abs(response[rows, columns]).max() / 127.5
                assert 0.8 * max(gains) <= strength <= 1.1 * max(gains) + 0.05


def test_a_color_picture_becomes_gray_as_with_opencv(edit_kernel):
    colors = np.random.default_rng(0).integers(0, 256, size=(20, 20, 4), dtype=np.uint8)
    with edit_kernel() as opened:
        found = opened.page.evaluate(
            """async ([address, values]) =>
                Array.from((await import(address)).gray(Uint8ClampedArray.from(values)))""",
            [opened.script.replace("edit-kernel.js", "edit-kernel/filters.js"), colors.flatten().tolist()],
        )
    expected = cv2.cvtColor(colors[:, :, :3], cv2.COLOR_RGB2GRAY)
    assert abs(np.reshape(found, expected.shape) - expected.astype(int)).max() <= 1


def test_the_sum_is_taken_where_the_reader_presses(edit_kernel, photographs, kernels):
    with edit_kernel() as opened:
        camera = cv2.filter2D(photographs["camera"], cv2.CV_64F, kernels["Sobel x"])
        canvas = opened.element.get_by_label("The photograph in gray levels")
        box = canvas.bounding_box()
        assert box
        canvas.click(position={"x": box["width"] * 100.5 / 256, "y": box["width"] * 60.5 / 256})
        row, column = place_said(opened)
        assert (row, column) == (pytest.approx(60, abs=1), pytest.approx(100, abs=1))
        assert sum_shown(opened) == pytest.approx(camera[row, column], abs=1e-3)
        canvas.press("ArrowRight")
        canvas.press("Shift+ArrowDown")
        assert place_said(opened) == (row + 10, column + 1)
        assert sum_shown(opened) == pytest.approx(camera[row + 10, column + 1], abs=1e-3)
        for _ in range(20):
            canvas.press("Shift+ArrowUp")
            canvas.press("Shift+ArrowRight")
        assert place_said(opened) == (0, 255)
        assert sum_shown(opened) == pytest.approx(camera[0, 255], abs=1e-3)
        assert opened.errors == []


def test_a_finger_presses_a_place(edit_kernel):
    with edit_kernel(width=390, has_touch=True) as opened:
        canvas = opened.element.get_by_label("The photograph in gray levels")
        box = canvas.bounding_box()
        assert box
        first = json.dumps(opened.status)
        canvas.tap(position={"x": box["width"] * 0.25, "y": box["height"] * 0.75})
        # A tap becomes a press only later.
        opened.wait_for(f"document.querySelector('edit-kernel .foot [role=status]').innerText !== {first}")
        assert place_said(opened) == (pytest.approx(192, abs=2), pytest.approx(64, abs=2))


def test_weights_are_typed_turned_and_transposed(edit_kernel, kernels):
    with edit_kernel() as opened:
        menu = opened.element.get_by_role("combobox", name="Kernel")
        assert menu.input_value() == "Sobel x"
        opened.element.get_by_role("button", name="Transpose").click()
        assert menu.input_value() == "Sobel y"
        opened.element.get_by_role("button", name="Turn 45°").click()
        assert weights_shown(opened) == kernels["diagonal down"].flatten().tolist()
        for _ in range(4):
            opened.element.get_by_role("button", name="Turn 45°").click()
        assert weights_shown(opened) == (-kernels["diagonal down"]).flatten().tolist()
        assert menu.input_value() == "your own"
        menu.select_option("box blur")
        assert "add up to 1:" in opened.status
        weight(opened, 2, 2).fill("1.5")
        weight(opened, 2, 2).press("Enter")
        assert "add up to 2.389: evenly gray areas come out 2.389 times as bright" in opened.status
        weight(opened, 1, 1).fill("")  # an empty field is 0
        weight(opened, 1, 1).press("Tab")
        assert "add up to 2.278" in opened.status


def pixels_of(opened, label) -> np.ndarray:
    """Return what a canvas shows, (rows, columns, 4)."""
    values, width = opened.element.get_by_label(label).evaluate(
        """canvas => {
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return [Array.from(data), canvas.width];
        }"""
    )
    return np.reshape(values, (-1, width, 4))


def test_relu_leaves_nothing_blue(edit_kernel):
    with edit_kernel() as opened:
        red, _, blue, _ = np.moveaxis(pixels_of(opened, "What the kernel makes of it"), 2, 0)
        assert ((blue > red + 100).mean(), (red > blue + 100).mean()) > (0.005, 0.005)
        opened.element.get_by_label("ReLU").check()
        opened.drawn()
        red, _, blue, _ = np.moveaxis(pixels_of(opened, "What the kernel makes of it"), 2, 0)
        assert (blue > red + 100).sum() == 0
        assert (red > blue + 100).mean() > 0.005


def test_a_link_leads_back_to_what_was_set(edit_kernel):
    with edit_kernel() as opened:
        opened.element.get_by_role("combobox", name="Photograph").select_option("cat")
        opened.element.get_by_role("combobox", name="Kernel").select_option("Sobel y")
        weight(opened, 2, 2).fill("0.25")
        weight(opened, 2, 2).press("Enter")
        opened.wait_for("location.hash.includes('0.25')")
        fragment = opened.fragment
    with edit_kernel(fragment=fragment) as opened:
        assert opened.element.get_by_role("combobox", name="Photograph").input_value() == "cat"
        assert weights_shown(opened) == [-1, -2, -1, 0, 0.25, 0, 1, 2, 1]
        opened.element.get_by_role("button", name="Reset").click()
        assert opened.element.get_by_role("combobox", name="Photograph").input_value() == "camera"
        assert weights_shown(opened) == [-1, 0, 1, -2, 0, 2, -1, 0, 1]
    with edit_kernel(fragment="edit-kernel?photo=none&kernel=1_x&at=-5_900&relu=yes") as opened:
        assert weights_shown(opened) == [-1, 0, 1, -2, 0, 2, -1, 0, 1]
        assert place_said(opened) == (255, 0)


def test_a_picture_of_the_readers_own_stays_here(edit_kernel, kernels):
    picture = np.random.default_rng(0).integers(0, 256, size=(90, 120), dtype=np.uint8)
    png = {"name": "own.png", "mimeType": "image/png", "buffer": cv2.imencode(".png", picture)[1].tobytes()}
    with edit_kernel() as opened:
        sent = len(opened.asked)
        opened.element.locator("input[type=file]").set_input_files(png)
        opened.element.get_by_text("row 52, column 119").wait_for()
        expected = cv2.filter2D(picture, cv2.CV_64F, kernels["Sobel x"])
        assert sum_shown(opened) == pytest.approx(expected[52, 119], abs=1e-3)
        broken = {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture"}
        opened.element.locator("input[type=file]").set_input_files(broken)
        opened.element.get_by_text("broken.png is no picture").wait_for()
        assert len(opened.asked) == sent
        assert opened.errors == []


def test_a_camera_is_shown_and_let_go(edit_kernel):
    with edit_kernel() as opened:
        opened.page.evaluate(
            """() => {
                const canvas = document.createElement("canvas");
                const context = canvas.getContext("2d");
                let level = 0;
                setInterval(() => {
                    context.fillStyle = `rgb(${level = 255 - level} 0 0)`;
                    context.fillRect(0, 0, 320, 240);
                }, 50);
                self.stream = canvas.captureStream();
                const value = {getUserMedia: async () => self.stream};
                Object.defineProperty(navigator, "mediaDevices", {value});
            }"""
        )
        camera = opened.element.get_by_role("button", name="Camera")
        camera.click()
        opened.hear("The camera is on. What it sees stays on this machine.")
        assert camera.get_attribute("aria-pressed") == "true"
        assert opened.element.get_by_role("combobox", name="Photograph").input_value() == "your own"
        camera.click()
        assert opened.page.evaluate("self.stream.getTracks()[0].readyState") == "ended"
        opened.page.evaluate(
            """() => {
                navigator.mediaDevices.getUserMedia = async () => { throw new Error("no permission"); };
            }"""
        )
        camera.click()
        opened.element.get_by_text("The camera cannot be used: no permission.").wait_for()
        assert opened.errors == []


def test_memory_stays_flat(edit_kernel):
    use = """async times => {
        const field = document.querySelector("edit-kernel .weights input");
        for (let k = 0; k < times; k++) {
            field.value = k;
            field.dispatchEvent(new Event("input"));
            field.dispatchEvent(new Event("change"));
            await new Promise(requestAnimationFrame);
        }
    }"""
    with edit_kernel() as opened:
        opened.page.evaluate(use, 20)
        heap = opened.heap()
        opened.page.evaluate(use, 200)
        assert opened.heap() < heap + 500_000


@pytest.mark.slow
def test_it_answers_at_once(edit_kernel):
    with edit_kernel() as opened:
        weigh = "(element, run) => { element.weights[2].value = run; element.weigh(2); }"
        assert opened.response(weigh) <= 50
        assert opened.response("(element, run) => element.move(10 * run, 20)") <= 50
        choose = "(element, run) => element.choose(Object.keys(element.photos)[run % 2])"
        assert opened.response(choose) <= 50
