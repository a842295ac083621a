"""The chain as a user would write it today: image folders, timm's loader with workers, somebody else's losses.

`side_by_side.py` runs it. Steps, batches, networks, images and what is evaluated are the suite's; augmentation is
timm's own at like strength. Losses: timm's LogitDistillationTask, or torchdistill's KDLoss and ATLoss on two stages.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import timm
import torch
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from timm.task import LogitDistillationTask
from torch import Tensor, nn
from torchdistill.losses.mid_level import ATLoss, KDLoss

Loss = Callable[[Tensor, Tensor], Tensor]


def main() -> None:
    """Train the chains of all seeds, one after another, on the whole machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="seed/part/class/image files")
    parser.add_argument("--settings", type=json.loads, required=True)
    parser.add_argument("--losses", choices=["timm", "torchdistill"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for seed in sorted(options.folder.iterdir()):
        train_chain(seed, options.settings, options.losses, options.workers, device)


def train_chain(
    folder: Path, settings: dict, losses: str, workers: int, device: torch.device
) -> list[list[Tensor]]:
    """Train M1, M2, M3 on the folders D1, D2, D3; return the logits of each on validation and test."""
    torch.manual_seed(int(folder.name.removeprefix("seed")))
    model = timm.create_model(settings["network"], num_classes=settings["classes"]).to(device)
    teacher: nn.Module | None = None
    found = []
    for part in ("D1", "D2", "D3"):
        if teacher is not None:
            model = timm.create_model(settings["network"], num_classes=settings["classes"]).to(device)
            model.load_state_dict(teacher.state_dict())
        loss = loss_function(model, teacher, losses, device)
        optimiser = create_optimizer_v2(model, opt="adamw", lr=settings["learning_rate"], weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, settings["learning_rate"], total_steps=settings["steps"], cycle_momentum=False
        )
        model.train()
        batches = endless(loader(folder / part, settings, workers, device, training=True))
        for _ in range(settings["steps"]):
            images, labels = next(batches)
            value = loss(images, labels)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            schedule.step()
        found.append(
            [predict(model, folder / name, settings, workers, device) for name in ("validation", "test")]
        )
        teacher = model.eval().requires_grad_(False)
    return found


def loss_function(model: nn.Module, teacher: nn.Module | None, losses: str, device: torch.device) -> Loss:
    """Return the loss of a batch: cross-entropy without a teacher."""
    if teacher is None:
        criterion = nn.CrossEntropyLoss()
        return lambda images, labels: criterion(model(images), labels)
    if losses == "timm":
        task = LogitDistillationTask(
            model,
            teacher,
            criterion=nn.CrossEntropyLoss(),
            task_loss_weight=0.5,
            temperature=4.0,
            device=device,
            verbose=False,
        )
        return lambda images, labels: task(images, labels)["loss"]
    places = {name: {"io": "output", "path": name} for name in ("a", "b")}
    attention = ATLoss({name: {"student": at, "teacher": at, "weight": 1} for name, at in places.items()})
    divergence = KDLoss("logits", "output", "logits", "output", temperature=4.0, alpha=0.5)

    def distilled(images: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            taught = seen(teacher, images)
        student = seen(model, images)
        return divergence(student, taught, labels) + attention(student, taught)

    return distilled


def seen(model: nn.Module, images: Tensor) -> dict[str, dict[str, Tensor]]:
    """Return logits and two deep feature maps as torchdistill's losses read them."""
    last, maps = model.forward_intermediates(images, indices=[-3, -2])
    values = {"a": maps[0], "b": maps[1], "logits": model.forward_head(last)}
    return {name: {"output": value} for name, value in values.items()}


def loader(
    folder: Path, settings: dict, workers: int, device: torch.device, *, training: bool
) -> timm.data.loader:
    """Return timm's loader of a folder of class folders."""
    size = settings["batch_size"] if training else 256
    return create_loader(
        create_dataset("", root=str(folder), class_map=settings["class_map"]),
        input_size=(3, settings["image_size"], settings["image_size"]),
        batch_size=size,
        is_training=training,
        scale=(0.8, 1.0),
        ratio=(0.9, 1.1),
        color_jitter=0.1,
        num_workers=workers,
        crop_pct=1.0,
        device=device,
        pin_memory=device.type == "cuda",
    )


def endless(batches: timm.data.loader) -> Iterator[tuple[Tensor, Tensor]]:
    """Return epoch after epoch."""
    while True:
        yield from batches


def predict(model: nn.Module, folder: Path, settings: dict, workers: int, device: torch.device) -> Tensor:
    """Return logits of all images of a folder."""
    model.eval()
    with torch.no_grad():
        return torch.cat(
            [model(images) for images, _ in loader(folder, settings, workers, device, training=False)]
        )


if __name__ == "__main__":
    main()
