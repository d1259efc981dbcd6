"""Schematic drawings: that their numbers are right, and that everything can be read."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle
from scipy.signal import correlate2d

from dlbook.visualize import ORANGE, schematics
from dlbook.visualize.schematics import Block
from dlbook.visualize.schematics.canvas import pale

KERNEL = [[-1, 0, 2], [3, 1, -2], [0, -1, 1]]
PIXELS = np.random.default_rng(0).integers(0, 10, (6, 6))
DIGIT = np.eye(28)
NETWORK = [
    Block((3, 32, 32), label="photo", image=np.zeros((3, 32, 32))),
    Block((512, 4, 4), "13 conv\nlayers", "frozen"),
    Block((512,), "mean"),
    Block((5,), "linear", "trained", "flowers"),
]
DRAWINGS = {
    "network": lambda: schematics.network(
        [784, 512, 512, 10], ["input", "hidden", "hidden", "logits"], DIGIT, [str(i) for i in range(10)],
        ["ReLU", "ReLU", "softmax"],
    ),
    "small network": lambda: schematics.network([2, 3, 1], ["in\nputs", "hidden", "output"]),
    "filter": lambda: schematics.sliding_filter(PIXELS, KERNEL, (1, 2)),
    "filter, padded": lambda: schematics.sliding_filter(PIXELS, KERNEL, (2, 2), 1, 2, "all"),
    "filter of the image's size": lambda: schematics.sliding_filter(PIXELS / 7, PIXELS / 9),
    "pooling": lambda: schematics.pooling_window(PIXELS[:4, :4]),
    "pooling of everything": lambda: schematics.pooling_window(PIXELS, 6),
    "pooling, overlapping": lambda: schematics.pooling_window(PIXELS, 3, 1),
    "layers": lambda: schematics.layers(NETWORK),
    "layers in rows": lambda: schematics.layers(NETWORK * 2, width=4),
    "normalization": schematics.normalization_axes,
    "normalization, many channels": lambda: schematics.normalization_axes(2, 6, (2, 3), 0),
    "autoencoder": lambda: schematics.autoencoder([784, 256, 32, 256, 784], DIGIT, DIGIT),
    "linear autoencoder": lambda: schematics.autoencoder([784, 32, 784]),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def _texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def _number(text):
    return float(text.get_text().replace("−", "-"))


def _numbers_between(figure, left, right):
    """Return the numbers whose x lies between two places, from top to bottom and left to right."""
    found = []
    for text in figure.axes[0].texts:
        x, y = text.get_position()
        digits = text.get_text().lstrip("−").replace(".", "")
        if left < x < right and digits.isdigit() and text.get_va() == "center":
            found.append((-round(y, 6), x, _number(text)))
    return [number for _, _, number in sorted(found)]


def _place(figure, text):
    return next(t.get_position()[0] for t in figure.axes[0].texts if t.get_text() == text)


def _frames(figure):
    patches = (p for p in figure.axes[0].patches if isinstance(p, Rectangle) and not p.get_fill())
    return [patch.get_bbox() for patch in patches]


def _inside(figure, box):
    texts = [t for t in figure.axes[0].texts if box.contains(*t.get_position())]
    return [
        _number(t) for t in sorted(texts, key=lambda t: (-round(t.get_position()[1], 6), t.get_position()[0]))
    ]


def _boxes(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]


@pytest.mark.parametrize("name", DRAWINGS)
def test_texts_are_large_enough_and_nothing_leaves_the_sheet(name):
    figure = DRAWINGS[name]()
    figure.canvas.draw()
    ax = figure.axes[0]
    sheet = figure.bbox.padded(0.5)
    for artist in [*ax.texts, *ax.patches, *ax.lines, *ax.images]:
        box = artist.get_window_extent()
        where = f"{artist} {getattr(artist, 'get_text', str)()!r}: {box}"
        assert sheet.x0 <= box.x0, where
        assert sheet.y0 <= box.y0, where
        assert box.x1 <= sheet.x1, where
        assert box.y1 <= sheet.y1, where
    assert min(text.get_fontsize() for text in ax.texts) >= 9


@pytest.mark.parametrize("name", DRAWINGS)
def test_no_text_lies_on_another_or_on_a_picture(name):
    figure = DRAWINGS[name]()
    figure.canvas.draw()
    ax = figure.axes[0]
    texts = [text for text in ax.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    for index, box in enumerate(boxes):
        others = [*boxes[:index], *(image.get_window_extent() for image in ax.images)]
        shares = [other for other in others if other.shrunk(0.9, 0.9).overlaps(box.shrunk(0.9, 0.9))]
        assert not shares, f"{texts[index].get_text()!r} at {texts[index].get_position()}"


@pytest.mark.parametrize(("padding", "stride"), [(0, 1), (1, 1), (1, 2), (0, 3)])
def test_a_filter_shows_the_values_of_a_convolution(padding, stride):
    figure = schematics.sliding_filter(PIXELS, KERNEL, (1, 1), padding, stride, "all")
    times, equals = _place(figure, "∗"), _place(figure, "=")
    tensor, kernel = torch.tensor(PIXELS)[None, None].float(), torch.tensor(KERNEL)[None, None].float()
    expected = F.conv2d(tensor, kernel, padding=padding, stride=stride)[0, 0].numpy()
    padded = np.pad(PIXELS, padding)
    assert np.array_equal(expected, correlate2d(padded, KERNEL, "valid")[::stride, ::stride])
    # The sum stands below, in the middle: it is no number by itself.
    assert _numbers_between(figure, 0, times) == padded.ravel().tolist()
    assert _numbers_between(figure, times, equals) == np.ravel(KERNEL).tolist()
    assert _numbers_between(figure, equals, 7) == expected.ravel().tolist()


def test_the_frames_hold_the_window_and_its_value():
    figure = schematics.sliding_filter(PIXELS, KERNEL, (1, 2), padding=1, stride=2)
    window, value = _frames(figure)
    part = np.pad(PIXELS, 1)[2:5, 4:7]
    assert _inside(figure, window) == part.ravel().tolist()
    assert _inside(figure, value) == [np.sum(part * KERNEL)]


@pytest.mark.parametrize(("shown", "expected"), [("one", 1), ("so far", 6), ("all", 16)])
def test_an_output_is_filled_in_as_far_as_asked(shown, expected):
    figure = schematics.sliding_filter(PIXELS, KERNEL, (1, 1), shown=shown)
    assert len(_numbers_between(figure, _place(figure, "="), 7)) == expected


def test_the_products_that_are_written_out_add_up():
    figure = schematics.sliding_filter(PIXELS, KERNEL, (1, 1))
    terms, value = next(text for text in _texts(figure) if "·" in text).split(" = ")
    assert terms.count("·") == 9
    factors = [term.translate(str.maketrans("−", "-", "()")).split("·") for term in terms.split(" + ")]
    assert sum(int(a) * int(b) for a, b in factors) == int(value.replace("−", "-"))
    rounded = schematics.sliding_filter(np.ones((3, 3)) / 3, np.eye(3) / 7)
    assert any(" ≈ 0.143" in text for text in _texts(rounded))
    assert any(
        "the sum of the 36 products" in text for text in _texts(DRAWINGS["filter of the image's size"]())
    )


@pytest.mark.parametrize(("kernel", "stride"), [(2, None), (3, 3), (3, 1)])
def test_pooling_shows_the_maximum_and_the_average(kernel, stride):
    figure = schematics.pooling_window(PIXELS, kernel, stride)
    tensor = torch.tensor(PIXELS)[None].double()
    middle = _place(figure, "or")
    count = len(F.max_pool2d(tensor, kernel, stride)[0])
    cell = next(p for p in figure.axes[0].patches if isinstance(p, Rectangle)).get_width()
    left = _place(figure, "maximum") - count * cell / 2
    assert _numbers_between(figure, 0, left) == PIXELS.ravel().tolist()
    assert _numbers_between(figure, left, middle) == F.max_pool2d(tensor, kernel, stride).ravel().tolist()
    average = F.avg_pool2d(tensor, kernel, stride).ravel()
    assert _numbers_between(figure, middle, 7) == pytest.approx(average.tolist(), rel=5e-3)


def test_a_window_and_what_comes_of_it_have_one_color():
    figure = schematics.pooling_window(PIXELS[:4, :4])
    cells = [patch.get_facecolor() for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    entries, largest, average = np.array(cells[:16]).reshape(4, 4, 4), cells[16:20], cells[20:]
    assert largest == average
    assert len(set(largest)) == 4
    for index, color in enumerate(largest):
        row, column = 2 * (index // 2), 2 * (index % 2)
        assert (entries[row : row + 2, column : column + 2] == color).all()


def test_a_network_shows_its_layers_and_their_sizes():
    figure = DRAWINGS["network"]()
    texts = _texts(figure)
    assert [text for text in texts if text in ("784", "512", "10")] == ["784", "512", "512", "10"]
    assert {"input", "logits", "ReLU", "softmax", *map(str, range(10))} <= set(texts)
    assert texts.count("⋮") == 3
    assert np.allclose(figure.axes[0].images[0].get_array(), DIGIT)
    assert len(figure.axes[0].lines) == 8 * 8 + 8 * 8 + 8 * 10
    assert "⋮" not in _texts(schematics.network([10, 3]))


def test_a_unit_that_is_dropped_has_no_connections_and_a_chosen_one_orange_ones():
    figure = schematics.network([3, 4, 2], highlight=(1, 0), dropped={1: [2]})
    lines = figure.axes[0].lines
    assert len(lines) == 3 * 3 + 3 * 2
    assert sum(line.get_color() == ORANGE for line in lines) == 3
    circles = [patch for patch in figure.axes[0].patches if isinstance(patch, Circle)]
    assert [circle.get_linestyle() for circle in circles].count("--") == 1
    dashed = next(circle for circle in circles if circle.get_linestyle() == "--")
    assert all(dashed.center not in zip(*line.get_data(), strict=True) for line in lines)


def test_layers_show_shapes_operations_and_what_is_frozen():
    figure = schematics.layers(NETWORK)
    shapes = ["3 × 32 × 32", "512 × 4 × 4", "512", "5"]
    assert {*shapes, "photo", "13 conv\nlayers", "frozen", "mean", "linear", "trained", "flowers"} <= set(
        _texts(figure)
    )
    places = [_place(figure, shape) for shape in shapes]
    assert all(a < b for a, b in pairwise(places))
    trained = [box for box in _boxes(figure) if box.get_facecolor()[:3] == pale(ORANGE)]
    assert len(trained) == 1
    assert trained[0].get_window_extent().contains(*_pixel(figure, "linear"))


def _pixel(figure, text):
    found = next(t for t in figure.axes[0].texts if t.get_text() == text)
    return figure.axes[0].transData.transform(found.get_position())


def test_layers_go_on_below_where_a_row_is_full():
    wide, narrow = schematics.layers(NETWORK), schematics.layers(NETWORK, width=3.5)
    assert _texts(narrow) == _texts(wide)
    assert narrow.get_figheight() > 1.5 * wide.get_figheight()
    heights = [
        t.get_position()[1] for t in narrow.axes[0].texts if " × " in t.get_text() or t.get_text() == "5"
    ]
    assert heights == sorted(heights, reverse=True)


def test_normalization_marks_one_channel_of_all_images():
    figure = schematics.normalization_axes(3, 4, (2, 5), channel=1)
    assert any("30 numbers" in text for text in _texts(figure))
    cells = [p for p in figure.axes[0].patches if isinstance(p, Rectangle) and p.get_fill()]
    assert len(cells) == 3 * 4 * 2 * 5
    marked = [p for p in cells if p.get_facecolor()[:3] == pytest.approx(pale(ORANGE, 0.3))]
    assert len(marked) == 30
    (frame,) = _frames(figure)
    assert all(frame.contains(*p.get_center()) for p in marked)
    assert sum(frame.contains(*p.get_center()) for p in cells) == 30
    orange = [t.get_text() for t in figure.axes[0].texts if to_rgb(t.get_color()) == to_rgb(ORANGE)]
    assert orange == ["channel\n2"] or orange == ["channel 2"]


def test_an_autoencoder_is_narrowest_at_its_code():
    figure = DRAWINGS["autoencoder"]()
    heights = [box.get_window_extent().height for box in _boxes(figure)]
    assert heights[2] < heights[1] < heights[0]
    assert heights == pytest.approx(heights[::-1])
    texts = _texts(figure)
    assert [text for text in texts if text.isdigit()] == ["784", "256", "32", "256", "784"]
    assert {"encoder", "code", "decoder", "input", "output"} <= set(texts)
    assert _place(figure, "code") == _place(figure, "32")


def test_images_may_be_tensors_of_a_graph_and_of_any_scale():
    picture = torch.linspace(-1, 3, 4).reshape(1, 2, 2).requires_grad_()
    figure = schematics.autoencoder([4, 1, 4], picture, torch.full((3, 2, 2), 7, dtype=torch.uint8))
    first, second = (image.get_array() for image in figure.axes[0].images)
    assert np.allclose(first, [[0, 1 / 3], [2 / 3, 1]])
    assert second.shape == (2, 2, 3)
    assert (second == 7).all()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: schematics.network([3]), "two or more layers"),
        (lambda: schematics.network([3, 0]), "at least one unit"),
        (lambda: schematics.network([3, 2], ["input"]), "2 layers, but 1 labels"),
        (lambda: schematics.network([3, 2], between=["a", "b"]), "1 pairs of layers, but 2 between"),
        (lambda: schematics.network([3, 12], outputs=["a"] * 12), "at most 10 outputs"),
        (lambda: schematics.network([3, 2], image=np.zeros((2, 4, 4))), "expected an image"),
        (lambda: schematics.sliding_filter(np.zeros((2, 2)), KERNEL), "larger than the padded image"),
        (lambda: schematics.sliding_filter(PIXELS, KERNEL, (4, 0)), "the output is 4 × 4: it has no place"),
        (lambda: schematics.sliding_filter(PIXELS, KERNEL, stride=0), "stride must be 1 or more"),
        (lambda: schematics.sliding_filter(PIXELS, KERNEL, padding=-1), "padding must be 0 or more"),
        (lambda: schematics.sliding_filter(PIXELS, KERNEL, shown="none"), "shown must be"),
        (lambda: schematics.sliding_filter(PIXELS[None], KERNEL), "expected image"),
        (lambda: schematics.sliding_filter(np.zeros((28, 28)), KERNEL), "no room"),
        (lambda: schematics.pooling_window(PIXELS, 7), "does not fit"),
        (lambda: schematics.layers([]), "at least one block"),
        (lambda: schematics.layers([Block((3, 4))]), r"expected a shape \(C, H, W\) or \(F,\)"),
        (lambda: schematics.layers([Block((3,), "a long operation " * 9)]), "break it into lines"),
        (lambda: schematics.normalization_axes(channel=3), "no channel 3"),
        (lambda: schematics.normalization_axes(channels=20), "no room"),
        (lambda: schematics.autoencoder([4, 2]), "shrink to a code"),
        (lambda: schematics.autoencoder([4, 6, 8]), "shrink to a code"),
    ],
)
def test_what_cannot_be_drawn_is_said(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
