"""How many threads a page should compute with: images a second, on a quiet machine and on a busy one.

Run by `make benchmark`, on a machine where nothing else runs. Each row is measured in processes of its own,
as PyTorch's threads start once in a process. What is timed are training steps of the CIFAR-10 page's network
on random images, forward, backward and the optimizer's step, in batches of 128.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import time

BATCH, SECONDS = 128, 8.0


def measure() -> float:
    """Return the images a second that this process trains on."""
    import torch

    from dlbook.models.cnn import CNN

    torch.manual_seed(0)
    model = CNN()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    images, labels = torch.randn(BATCH, 3, 32, 32), torch.randint(10, (BATCH,))
    images = images.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    for _ in range(3):  # the first steps lay out memory
        step()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        step()
        steps += 1
    return steps * BATCH / (time.perf_counter() - start)


def busy() -> None:
    """Keep a core busy until this process is ended."""
    while True:
        pass


def rate(processes: int, threads: int, beside: int) -> float:
    """Return the images a second of all processes together.

    Args:
        processes: that train at the same time.
        threads: of each.
        beside: how many busy loops run at the same time.
    """
    loops = [multiprocessing.Process(target=busy, daemon=True) for _ in range(beside)]
    for loop in loops:
        loop.start()
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, __file__, "--measure"]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        return sum(float(each.communicate()[0]) for each in running)
    finally:
        for loop in loops:
            loop.terminate()


def main() -> None:
    """Print a row for each way to share the cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure in this process, and print the rate")
    if parser.parse_args().measure:
        print(measure())
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    rows = [(1, cores), (1, 1), (cores, 1)]
    print(f"{'processes':>9} {'threads':>7} {'quiet':>8} {'beside a busy loop':>19}   images/s together")
    for processes, threads in dict.fromkeys(rows):
        quiet, loaded = rate(processes, threads, beside=0), rate(processes, threads, beside=1)
        print(f"{processes:>9} {threads:>7} {quiet:>8,.0f} {loaded:>19,.0f}")


if __name__ == "__main__":
    main()
