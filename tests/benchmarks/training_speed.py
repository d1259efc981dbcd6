"""Compare the book's training speed with the usual loop's, in one run on one machine.

The usual loop: torchvision's MNIST, ToTensor, a DataLoader, plain SGD at 0.01, batches of 20. Run it with
`make benchmark`; it needs the real MNIST, and prints ratios, as the seconds depend on the machine.
"""

import time
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor, v2

from dlbook import data, models, runtime, training
from dlbook.models.mlp import MLP
from dlbook.recipes import AdamW, CrossEntropy, Recipe

TARGET = 0.984
CHAPTER = Recipe(
    epochs=15,
    batch_size=128,
    peak_learning_rate=2e-3,
    optimizer=AdamW(weight_decay=0.05),
    loss=CrossEntropy(label_smoothing=0.1),
)
USUAL_BATCH = 20
USUAL_EPOCHS = 50
TIMED_IMAGES = 10_000
ROUNDS = 3


def train_usual(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Train for one epoch as the usual course notebook does."""
    device = models.device_of(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model.train()
    running_loss = 0.0
    for images, labels in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * len(images)


def usual_rate(batch_size: int) -> float:
    """Return the images a second of the usual loop, in PyTorch's default precision."""
    torch.set_float32_matmul_precision("highest")
    folder = MNIST(str(data.data_directory()), train=True, transform=ToTensor())
    loader = DataLoader(Subset(folder, range(TIMED_IMAGES)), batch_size, shuffle=True)
    model = MLP().to(runtime.current().device)
    start = time.perf_counter()
    train_usual(model, loader)
    return TIMED_IMAGES / (time.perf_counter() - start)


def book_rate(train: data.Split, batch_size: int) -> float:
    """Return the images a second of `dlbook.training.fit`, one small validation included."""
    torch.set_float32_matmul_precision("medium")  # as `runtime.current` sets it in every chapter
    recipe = Recipe(epochs=1, batch_size=batch_size, peak_learning_rate=1e-3)
    transform = data.standardize(train)
    start = time.perf_counter()
    training.fit(MLP(), training.Feed(train[:TIMED_IMAGES], train[:100], transform), recipe)
    return TIMED_IMAGES / (time.perf_counter() - start)


def median_rates(train: data.Split, batch_size: int) -> tuple[float, float]:
    """Return the usual loop's and the book's images a second: the medians of alternating rounds."""
    pairs = [(usual_rate(batch_size), book_rate(train, batch_size)) for _ in range(ROUNDS)]
    usual, book = zip(*pairs, strict=True)
    return sorted(usual)[ROUNDS // 2], sorted(book)[ROUNDS // 2]


def usual_epochs_to_target(train: data.Split, validation: data.Split) -> tuple[int, float]:
    """Return the epochs that the usual recipe needs, its own 50 at most, and the accuracy it reached.

    It runs on the book's batches, as only the epochs are counted here: the arithmetic is the same.
    """
    generator = runtime.seed_everything(0)
    device = runtime.current().device
    train = train.to(device)
    scale = v2.ToDtype(torch.float32, scale=True)
    model = MLP().to(device)
    epoch, reached = 0, 0.0
    while epoch < USUAL_EPOCHS and reached < TARGET:
        train_usual(model, data.batches(train, USUAL_BATCH, scale, generator))
        reached = training.evaluate(model, validation, scale).accuracy
        epoch += 1
    return epoch, reached


def book_seconds_to_target(train: data.Split, validation: data.Split) -> float:
    """Return the seconds until the chapter's recipe reached the target, validation included."""
    runtime.seed_everything(0)
    history = training.fit(MLP(), training.Feed(train, validation, data.standardize(train)), CHAPTER)
    for seconds, reached in zip(history.seconds, history.validation_score, strict=True):
        if reached >= TARGET:
            return seconds
    raise SystemExit(f"the chapter's recipe did not reach {TARGET:.1%}")


def main() -> None:
    """Print both comparisons."""
    mnist = data.load("mnist")
    if mnist.source.is_standin:
        raise SystemExit("the benchmark needs the real MNIST: set DLBOOK_DATA, or connect this machine")
    train, validation = data.random_split(mnist.train, (5 / 6, 1 / 6), seed=0)
    print(f"{runtime.device_name(runtime.current().device)}, {torch.get_num_threads()} threads")
    rates = {batch_size: median_rates(train, batch_size) for batch_size in (USUAL_BATCH, 128)}
    for batch_size, (usual, book) in rates.items():
        print(f"batch {batch_size}: usual {usual:,.0f} images/s, dlbook {book:,.0f}: {book / usual:.1f}×")
    epochs, reached = usual_epochs_to_target(train, validation)
    usual_seconds = epochs * len(train) / rates[USUAL_BATCH][0]
    book_seconds = book_seconds_to_target(train, validation)
    print(f"to {TARGET:.1%} validation accuracy:")
    print(
        f"  usual {usual_seconds:.0f} s for {reached:.2%} (extrapolated: {epochs} epochs at the rate above)"
    )
    print(f"  chapter {book_seconds:.0f} s: {usual_seconds / book_seconds:.0f}×")


if __name__ == "__main__":
    main()
