"""The photographs that installed packages carry."""

import numpy as np
import pytest
import skimage
from sklearn.datasets import load_sample_image

from dlbook.data import DataError, bundled


@pytest.mark.parametrize("name", bundled.NAMES)
def test_every_photograph_is_there_in_gray(name):
    pixels = bundled.grayscale(name)
    assert pixels.ndim == 2
    assert pixels.dtype == np.uint8
    assert pixels.std() > 20


def test_gray_is_the_usual_mixture_of_the_colors():
    mixture = load_sample_image("china.jpg") @ np.array([0.299, 0.587, 0.114])
    assert abs(bundled.grayscale("china") - mixture).max() <= 0.51
    assert (bundled.grayscale("camera") == skimage.data.camera()).all()


def test_color_is_as_the_package_has_it_and_becomes_its_gray():
    pixels = bundled.color("cat")
    assert (pixels == skimage.data.chelsea()).all()
    mixture = pixels @ np.array([0.299, 0.587, 0.114])
    assert abs(bundled.grayscale("cat") - mixture).max() <= 0.51


def test_a_gray_photograph_has_no_color():
    with pytest.raises(DataError, match="coins"):
        bundled.color("coins")


def test_the_provenance_knows_every_pixel_and_credits_everyone():
    photographs = {name: bundled.grayscale(name) for name in ("coins", "china")}
    source = bundled.source(photographs)
    assert not source.is_standin
    assert "danielbuechele, CC BY 2.0" in source.license
    assert "scikit-image and scikit-learn" in source.description
    assert bundled.source(dict(reversed(photographs.items()))) == source
    changed = photographs | {"coins": photographs["coins"].copy()}
    changed["coins"][5, 5] ^= 1
    assert bundled.source(changed).sha256 != source.sha256


def test_an_unknown_photograph_is_refused():
    with pytest.raises(DataError, match="camera"):
        bundled.grayscale("lena")
