"""How much of the input one output value sees: by formula, and measured by gradients."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Images whose maps are held at once, for their gradients.
_BATCH = 50
# Layers whose output at a place depends on the input at that place alone, in evaluation mode.
_POINTWISE = (nn.ReLU, nn.BatchNorm2d, nn.Identity, nn.Dropout, nn.Dropout2d, nn.GELU, nn.SiLU, nn.Tanh)


@dataclass(frozen=True)
class ReceptiveField:
    """The input pixels that output values depend on, along one axis.

    Attributes:
        size: number of neighboring input pixels from the first to the last that one output value sees.
        stride: how many input pixels lie between the fields of two neighboring output values.
        start: the first input pixel that output value 0 sees; below 0 it lies in the padding.
    """

    size: int = 1
    stride: int = 1
    start: int = 0

    def after(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> "ReceptiveField":
        """Return the field behind one more window that slides over the output (Araujo et al., 2019).

        Args:
            kernel: values that the window reads.
            stride: its step.
            padding: values added at the front.
            dilation: distance between two values that it reads.

        Raises:
            ValueError: kernel, stride or dilation is below 1, or padding below 0.
        """
        if min(kernel, stride, dilation) < 1 or padding < 0:
            raise ValueError(f"not a window: {kernel=}, {stride=}, {padding=}, {dilation=}")
        return ReceptiveField(
            size=self.size + (kernel - 1) * dilation * self.stride,
            stride=self.stride * stride,
            start=self.start - padding * self.stride,
        )

    def pixels(self, index: int) -> range:
        """Return the input pixels, padding included, from the first to the last that an output sees."""
        first = self.start + index * self.stride
        return range(first, first + self.size)


def by_formula(layers: Iterable[nn.Module]) -> list[ReceptiveField]:
    """Return the receptive field behind each layer of a chain.

    Args:
        layers: convolutions and poolings with square windows, and pointwise layers, in order.

    Returns:
        One field for each layer, the same along both axes.

    Raises:
        ValueError: a layer is of another kind, or its window is not square.
    """
    fields, field = [], ReceptiveField()
    for layer in layers:
        if not isinstance(layer, _POINTWISE):
            field = field.after(*_window(layer))
        fields.append(field)
    return fields


def _window(layer: nn.Module) -> tuple[int, int, int, int]:
    """Return kernel, stride, padding and dilation of a sliding layer."""
    if not hasattr(layer, "kernel_size"):
        raise ValueError(f"no window is known for {layer}: give convolutions, poolings and pointwise layers")
    names = ("kernel_size", "stride", "padding", "dilation")
    sizes = [getattr(layer, name, 1) for name in names]
    pairs = [(size, size) if isinstance(size, int) else size for size in sizes]
    if any(isinstance(pair, str) or pair[0] != pair[1] for pair in pairs):
        raise ValueError(f"the window of {layer} must be square, and its padding a number")
    kernel, stride, padding, dilation = (int(pair[0]) for pair in pairs)
    return kernel, stride, padding, dilation


def influence(layers: Callable[[Tensor], Tensor], images: Tensor, row: int, column: int) -> Tensor:
    """Measure how strongly each input pixel acts on the output at one place.

    The gradient of a random mix of the channels there, squared, and averaged over images and input
    channels. Where it is exactly zero for every image, the pixel is not seen. A max pooling passes
    gradient to one of its inputs only, so a network with such layers needs many images.

    Args:
        layers: from images to maps (N, K, h, w); a module should be in evaluation mode.
        images: (N, C, H, W) floating point; float64 keeps small gradients from vanishing.
        row: place in the output map.
        column: likewise.

    Returns:
        (H, W), of the images' dtype, at least 0.
    """
    with torch.no_grad():
        channels = layers(images[:1]).shape[1]
    # A plain sum over channels would cancel where two filters are each other's negative.
    generator = torch.Generator().manual_seed(0)
    mixes = torch.randn((len(images), channels), generator=generator)
    gradients = []
    for part, mix in zip(images.detach().split(_BATCH), mixes.split(_BATCH), strict=True):
        part = part.clone().requires_grad_()
        outputs = layers(part)[:, :, row, column]
        gradients += torch.autograd.grad((outputs * mix.to(outputs)).sum(), part)
    return torch.cat(gradients).square().mean(dim=(0, 1))


def support(influence: Tensor) -> tuple[range, range]:
    """Return the rows and the columns, from the first to the last, where an influence is not zero.

    Args:
        influence: (H, W), as the function of that name returns it.

    Raises:
        ValueError: it is zero everywhere.
    """
    seen = influence > 0
    if not seen.any():
        raise ValueError("the influence is zero everywhere: no gradient reached the input")
    rows, columns = (seen.any(dim=axis).nonzero().squeeze(1).tolist() for axis in (1, 0))
    return range(rows[0], rows[-1] + 1), range(columns[0], columns[-1] + 1)


def effective_size(influence: Tensor, share: float = 0.95) -> int:
    """Return the side of the smallest square that holds a share of the influence.

    After Luo et al. (2016), who call the part of the field that matters the effective receptive field.

    Args:
        influence: (H, W), not zero everywhere.
        share: of the whole, above 0 and at most 1.

    Returns:
        The side in pixels; the square lies around the middle of the support.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share lies above 0 and not above 1, not at {share}")
    rows, columns = support(influence)
    inside = influence[rows.start : rows.stop, columns.start : columns.stop]
    total, longest = inside.sum(), max(inside.shape)
    for trim in range((longest - 1) // 2, -1, -1):
        top, left = (min(trim, (length - 1) // 2) for length in inside.shape)
        square = inside[top : inside.shape[0] - top, left : inside.shape[1] - left]
        if square.sum() >= share * total * (1 - 1e-12):
            break
    return max(square.shape)
