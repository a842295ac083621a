"""A step as torch makes it, with freed memory kept, and with layers exchanged besides (`weckd/training/layers.py`).

A step is forward, cross-entropy, backward and AdamW of one network on one resident batch of 16; a pass is that of a
teacher on the same batch; an evaluation is a pass of a batch of 256, told for 16 images of it. Each way has a process
of one thread of its own, as memory is kept for a whole process; the processes work in turns, one at a time. Times are
CPU times, so that others who use the machine count little. A speed is the median over the turns of the bare time over
the other one.

Run: python benchmarks/layers.py [--networks NAME ..] [--sizes PX ..]; it writes benchmarks/layers.md.
"""

import argparse
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median, quantiles

import pandas as pd
import timm
import torch
import torch.nn.functional as F
from tabulate import tabulate
from torch import Tensor, nn
from workplace import FOLDER, machine

from weckd.training import networks
from weckd.training.layers import exchange_layers

WAYS = ("bare", "memory kept", "and layers exchanged")
NETWORKS = ("tf_efficientnet_lite0", "mobilenetv3_small_100", "convnext_atto", "mixnet_s", "mobilenetv2_100")
SIZES = (48, 64, 128)  # pixels a side
WARM = 3  # turns that are not counted


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--turns", type=int, default=20)
    options = parser.parse_args()
    rows = []
    for name in options.networks:
        for px in options.sizes:
            rows += measured(name, px, options.turns)
            print(*rows[-3:], sep="\n", flush=True)
    table = tabulate(pd.DataFrame(rows), "keys", "pipe", showindex=False, disable_numparse=True)
    text = (
        f"# A step with layers exchanged\n\nBatch of 16, {options.turns} turns, CPU time of one thread; {machine()}. "
        "Made by `python benchmarks/layers.py`. Speed: of the bare one, median and middle half of the turns. "
        f"[docs/performance.md](../docs/performance.md) says what was kept.\n\n{table}\n"
    )
    (FOLDER / "layers.md").write_text(text, encoding="utf-8")


def measured(name: str, px: int, turns: int) -> list[dict[str, str]]:
    """Return a row for each step, pass and evaluation."""
    context = get_context("spawn")
    ends = []
    for way in WAYS:
        ours, theirs = context.Pipe()
        context.Process(target=work, args=(theirs, way, name, px), daemon=True).start()
        ends.append(ours)
    rows = []
    for what in ("step", "pass", "evaluation"):
        count = turns if what != "evaluation" else max(3, turns // 4)
        times = [[asked(end, what) for end in ends] for _ in range(count + WARM)][WARM:]
        row = {"network": name, "px": str(px), "what": what}
        for number, way in enumerate(WAYS):
            ratios = [each[0] / each[number] for each in times]
            low, middle, high = quantiles(ratios)
            row[f"{way}, ms"] = f"{median(each[number] for each in times):.1f}"
            if number:
                row[f"{way}: speed"] = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        rows.append(row)
    for end in ends:
        end.send("")
    return rows


def asked(end: Connection, what: str) -> float:
    """Return the milliseconds that a process took for one step, pass or evaluation."""
    end.send(what)
    took: float = end.recv()
    return took


def work(end: Connection, way: str, name: str, px: int) -> None:
    """Make what is asked for in one way, until nothing is."""
    if way == "bare":
        networks.keep_memory = lambda: False  # type: ignore[assignment]
    networks.prepare_device()
    torch.manual_seed(0)
    network: nn.Module = timm.create_model(name, num_classes=4).to(memory_format=torch.channels_last)
    if way == WAYS[-1]:
        exchange_layers(network)
    images = torch.rand(256, 3, px, px).to(memory_format=torch.channels_last)
    made = {
        "step": step_of(network, images[:16]),
        "pass": lambda: predicted(network, images[:16]),
        "evaluation": lambda: predicted(network, images),
    }
    while what := end.recv():
        began = time.process_time()
        made[what]()
        end.send(1000 * (time.process_time() - began) / (16 if what == "evaluation" else 1))


def step_of(network: nn.Module, views: Tensor) -> Callable[[], object]:
    """Return a function that makes a supervised step."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    labels = torch.arange(len(views)) % 4

    def step() -> None:
        network.train()
        loss = F.cross_entropy(network(views), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


@torch.no_grad()
def predicted(network: nn.Module, views: Tensor) -> Tensor:
    """Return logits as of a teacher."""
    logits: Tensor = network.eval()(views)
    return logits


if __name__ == "__main__":
    main()
