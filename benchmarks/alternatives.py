"""A distilled step made in other ways, each against the way it is made: what was kept, and what was not, and why.

A step is student forward and backward, teacher forward, cross-entropy and divergence, and AdamW, on one resident batch
of 16. Each way is measured in turns with the way that was kept, in one process; a number is the median over the turns.

Run: python benchmarks/alternatives.py; it writes benchmarks/alternatives.md. `--compile` adds torch.compile (a minute).
"""

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import pandas as pd
import timm
import torch
import torch.nn.functional as F
from tabulate import tabulate
from timm.optim import param_groups_weight_decay
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from workplace import FOLDER, machine

from weckd.training.networks import prepare_device
from weckd.training.objectives.distillation import divergence

NETWORKS = (("test_resnet", 32), ("tf_efficientnet_lite0", 64))  # pixels a side
TURNS = 20


@dataclass(frozen=True)
class Way:
    """One way to make a step."""

    channels_last: bool = True
    optimiser: str = "fused"
    teacher: str = "evaluation, without gradients"
    fill: bool = False  # deterministic filling of new tensors
    threads: int = 1
    bf16: bool = False
    compiled: bool = False


KEPT = Way()
WAYS = {
    "as it is": KEPT,
    "AdamW as it comes": replace(KEPT, optimiser="default"),
    "AdamW, foreach": replace(KEPT, optimiser="foreach"),
    "AdamW, fused, on one flat tensor a group": replace(KEPT, optimiser="flat"),
    "memory format contiguous": replace(KEPT, channels_last=False),
    "new tensors filled": replace(KEPT, fill=True),
    "teacher with gradients": replace(KEPT, teacher="with gradients"),
    "teacher with BatchNorm in its convolutions": replace(KEPT, teacher="fused"),
    "two threads": replace(KEPT, threads=2),
    "bf16": replace(KEPT, bf16=True),
}


def main() -> None:
    """Measure all ways and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    ways = {**WAYS, **({"compiled": replace(KEPT, compiled=True)} if options.compile else {})}
    columns: dict[str, dict[str, tuple[float, float]]] = {}
    for name, px in NETWORKS:
        columns[f"{name}, {px} px"] = {key: against_kept(way, name, px) for key, way in ways.items()}
        print(columns, flush=True)
    rows = [
        [
            way,
            *(
                text
                for times in columns.values()
                for text in (f"{times[way][0]:.1f}", f"{times[way][1]:.2f}")
            ),
        ]
        for way in ways
    ]
    headers = ["way", *(f"{column}: {what}" for column in columns for what in ("ms a step", "ratio"))]
    table = tabulate(
        pd.DataFrame(rows, columns=headers), "keys", "pipe", showindex=False, disable_numparse=True
    )
    text = (
        f"# A distilled step, made in other ways\n\nBatch of 16, medians of {TURNS} turns with the step as it is made, "
        f"to which the ratios are; {machine()}. Made by `python benchmarks/alternatives.py --compile`. "
        f"[docs/performance.md](../docs/performance.md) says what was kept.\n\n{table}\n"
    )
    (FOLDER / "alternatives.md").write_text(text, encoding="utf-8")


def against_kept(way: Way, name: str, px: int) -> tuple[float, float]:
    """Return the median milliseconds of a step made in a way, and their ratio to those of the way that was kept."""
    device = prepare_device()
    pair = (KEPT, way)
    steps = [step_of(each, name, px, device) for each in pair]
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(TURNS + 3):
        for each, step, found in zip(pair, steps, times, strict=True):
            torch.set_num_threads(each.threads)
            torch.utils.deterministic.fill_uninitialized_memory = each.fill
            began = time.perf_counter()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn >= 3:
                found.append(1000 * (time.perf_counter() - began))
    kept, other = map(median, times)
    return other, other / kept


def step_of(way: Way, name: str, px: int, device: torch.device) -> Callable[[], None]:
    """Return a function that makes a step."""
    torch.manual_seed(0)
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    student = timm.create_model(name, num_classes=4).to(device, memory_format=layout).train()
    teacher = copy.deepcopy(student).eval()
    if way.teacher != "with gradients":
        teacher.requires_grad_(False)
    if way.teacher == "fused":
        fuse_batchnorms(teacher)
    views = torch.rand(16, 3, px, px, device=device).to(memory_format=layout)
    labels = torch.arange(16, device=device) % 4
    optimiser, clear = optimiser_of(student, way.optimiser)
    forward = torch.compile(student) if way.compiled else student

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=way.bf16):
            with torch.set_grad_enabled(way.teacher == "with gradients"):
                taught = teacher(views)
            logits = forward(views)
        loss = F.cross_entropy(logits.float(), labels) + divergence(logits.float(), taught.float(), 4.0)
        clear()
        loss.backward()
        optimiser.step()

    return step


def optimiser_of(network: nn.Module, kind: str) -> tuple[torch.optim.Optimizer, Callable[[], None]]:
    """Return AdamW and what clears the gradients."""
    groups = param_groups_weight_decay(network, 0.05)
    if kind == "flat":
        groups = [{**group, "params": [flat(group["params"])]} for group in groups]
        gradients = [group["params"][0].grad for group in groups]
        return torch.optim.AdamW(groups, lr=1e-3, fused=True), lambda: torch._foreach_zero_(gradients)
    chosen = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}[kind]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, **chosen)
    return optimiser, optimiser.zero_grad


def flat(parameters: list[nn.Parameter]) -> nn.Parameter:
    """Return one parameter whose memory, and whose gradient's, those of others lie in."""
    whole = nn.Parameter(
        torch.cat([parameter.detach().new_empty(parameter.numel()) for parameter in parameters])
    )
    whole.grad = torch.zeros_like(whole)
    first = 0
    for parameter in parameters:
        view = whole.detach().as_strided(parameter.shape, parameter.stride(), first)
        view.copy_(parameter.detach())
        parameter.data = view
        parameter.grad = whole.grad.as_strided(parameter.shape, parameter.stride(), first)
        first += parameter.numel()
    return whole


def fuse_batchnorms(network: nn.Module) -> None:
    """Fold each BatchNorm into the convolution before it, in networks that register the two in this order."""
    images = torch.rand(2, 3, 64, 64, device=next(network.parameters()).device)
    expected = network(images)
    places = [
        (parent, name, child) for parent in network.modules() for name, child in parent.named_children()
    ]
    before: tuple[nn.Module, str, Tensor] | None = None
    for parent, name, child in places:
        if isinstance(child, nn.Conv2d):
            before = parent, name, child
        elif isinstance(child, nn.modules.batchnorm._BatchNorm) and before and before[0] is parent:
            setattr(parent, before[1], fuse_conv_bn_eval(before[2], child))
            setattr(parent, name, getattr(child, "act", nn.Identity()))
            before = None
    torch.testing.assert_close(network(images), expected, rtol=1e-3, atol=1e-4)


if __name__ == "__main__":
    main()
