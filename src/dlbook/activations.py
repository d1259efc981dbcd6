"""What layers put out, read by hooks that never outlive their `with` block."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn


@contextmanager
def capture(
    model: nn.Module, layers: Iterable[str], *, keep_graph: bool = False
) -> Iterator[dict[str, Tensor]]:
    """Note the outputs of some layers, while the model runs inside the ``with`` block.

    Hooks that stay behind slow a model down and hold its outputs in memory. These are removed when the
    block ends, however it ends.

    Args:
        model: the network to watch; it is not changed.
        layers: names as ``model.named_modules()`` gives them, such as ``"conv1"`` or ``"layers.0"``.
        keep_graph: False copies the outputs, so that no later in-place operation changes them. True
            keeps them differentiable; a following in-place layer, such as ``ReLU(inplace=True)``, then
            changes what was noted.

    Yields:
        Layer name → output of the layer's most recent run, in the order in which the layers ran. The
        dictionary is empty until the model runs, and keeps its content after the block.

    Raises:
        ValueError: the model has no layer of that name.
    """
    modules = dict(model.named_modules())
    wanted = list(layers)
    unknown = [name for name in wanted if name not in modules]
    if unknown:
        known = ", ".join(name for name in modules if name)
        raise ValueError(f"no layer {unknown[0]!r} in this model: it has {known}")
    outputs: dict[str, Tensor] = {}

    def note(name: str, output: Tensor) -> None:
        outputs[name] = output if keep_graph else output.detach().clone()

    with ExitStack() as hooks:
        for name in wanted:
            hook = modules[name].register_forward_hook(
                lambda module, inputs, output, name=name: note(name, output)
            )
            hooks.callback(hook.remove)
        yield outputs
