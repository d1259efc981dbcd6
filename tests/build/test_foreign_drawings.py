"""Drawings from another machine's cache: shapes and pixels that can be shown; nothing acts or asks."""

import base64
import io

import pytest
from bookbuild.render.drawings import adapt
from bookbuild.run.foreign import MOST_PIXELS, plain_drawing
from PIL import Image
from rendered_book import PNG

pytestmark = pytest.mark.quick


def in_a_drawing(inside: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<g id="figure"><path d="M 0 0 L 1 1" style="fill: #fefefe"/>{inside}</g></svg>'
    )


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<path d='M 0 0' onclick='alert(1)'/>",
        "<a href='javascript:alert(1)'><path d='M 0 0'/></a>",
        "<use xlink:href='https://example.org/evil.svg#a'/>",
        "<image href='//example.org/x.png'/>",
        "<image href='data:image/svg+xml;base64,AAAA'/>",
        "<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'>a</p></foreignObject>",
        "<path d='M 0 0' style='fill: url(https://example.org/x)'/>",
        "<style>@import 'https://example.org/x.css'</style>",
        "<style>path { fill: URL( //example.org/x ) }</style>",
        "<set attributeName='href' to='javascript:alert(1)'/>",
        "<style><g/>@import 'https://example.org/x.css'</style>",
        "<path d='M 0 0' style='fill: u\\72l(https://example.org/x)'/>",
        "<style>@\\69mport 'https://example.org/x.css'</style>",
        """<path d='M 0 0' style='background: image-set("https://example.org/x" 1x)'/>""",
        "<path d='M 0 0' clip-path='url(https://example.org/x#a)'/>",
        "<image href='data:image/png;base64,AAAA'/>",
        "<image href='data:image/png;base64,A'/>",
        f"<image href='data:image/png;base64,{PNG[:40]}!{PNG[40:]}'/>",
        f"<image href='data:image/png;base64,{PNG[:40]}&#10;{PNG[40:]}'/>",
        f"<image href='data:image/png;base64,{PNG[:40]}&#160;{PNG[40:]}'/>",
        "<use href='#data:image/png;base64,AAAA'/>",
        "<path id='data:image/png;base64,AAAA'/>",
        "<g class='data:image/png;base64,AAAA'/>",
        "<g",
    ],
)
def test_a_drawing_that_could_act_or_ask_is_none(inside):
    assert plain_drawing(in_a_drawing(inside)) is None


def test_of_a_drawing_the_shapes_remain():
    own = f"<use xlink:href='#figure' style='fill: url(#figure)'/><image href='data:image/png;base64,{PNG}'/>"
    text = "<!DOCTYPE svg SYSTEM 'file:///etc/passwd'>" + in_a_drawing(own)
    understood = plain_drawing(text)
    assert understood is not None
    assert "DOCTYPE" not in understood
    assert plain_drawing(understood) == understood
    assert understood.count("<path") == understood.count("<use") == understood.count("<image") == 1


def test_a_drawing_that_is_shown_can_be_adapted_as_matplotlib_writes_it():
    """Matplotlib begins the pixels on a line of their own."""
    lines = "\n".join(PNG[start : start + 40] for start in range(0, len(PNG), 40))
    understood = plain_drawing(in_a_drawing(f"<image href='data:image/png;base64,\n{lines}'/>"))
    assert understood is not None
    assert "data:image/" in adapt(understood)


@pytest.mark.parametrize(("more", "is_shown"), [(0, True), (1, False)])
def test_pixels_that_no_machine_should_unpack_are_not_shown(more, is_shown):
    """A few kilobytes can be of gigabytes."""
    file = io.BytesIO()
    Image.new("1", (MOST_PIXELS // 4000 + more, 4000)).save(file, "PNG")
    assert len(file.getvalue()) < 20_000
    pixels = base64.b64encode(file.getvalue()).decode()
    image = f"<image href='data:image/png;base64,{pixels}'/>"
    assert (plain_drawing(in_a_drawing(image)) is not None) is is_shown
