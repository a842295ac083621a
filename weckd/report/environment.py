"""What the run was trained on, and its settings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from weckd import __version__
from weckd.config import BackboneSettings, Suite
from weckd.errors import named
from weckd.manifests import TrainedCell
from weckd.report.blocks import Block, text_block


def machines_block(suite: Suite, cells: Sequence[TrainedCell]) -> Block:
    """Return a row for each device, versions and thread count that cells were trained with."""
    libraries = sorted({library for cell in cells for library in cell.versions})
    counts = Counter(
        (cell.device, cell.threads, *(cell.versions.get(library, "-") for library in libraries))
        for cell in cells
    )
    rows = [(*kind, count) for kind, count in sorted(counts.items())]
    caption = (
        "Cells: one data set and one seed each. The same device kind gives the same bytes; another one agrees within "
        "the intervals."
    )
    header = ("device", "threads", *libraries, f"cells, of {len(suite.datasets) * len(suite.seeds)}")
    return text_block("Machines and libraries", caption, header, rows)


def missing_cells(suite: Suite, cells: Sequence[TrainedCell]) -> tuple[str, ...]:
    """Return a name for each data set that lacks the manifest of a seed."""
    found = {(cell.dataset, cell.seed) for cell in cells}
    lacking = {key: [seed for seed in suite.seeds if (key, seed) not in found] for key in suite.datasets}
    return tuple(f"manifests/{key}, {named('seed', seeds)}" for key, seeds in lacking.items() if seeds)


def settings_block(suite: Suite) -> Block:
    """Return the settings that decide the numbers."""
    left_out = {key: suite.exclude_classes.get(key) for key in suite.datasets}
    excluded = "; ".join(f"{key}: {_listed(names)}" for key, names in left_out.items() if names)
    tuning = f"{suite.tuning.trials} trials each, on seeds {_listed(suite.tuning.seeds)}"
    rows: list[tuple[str, str]] = [
        ("suite", suite.run),
        ("seeds", _listed(suite.seeds)),
        ("methods", _listed(suite.methods)),
        ("models in the chain", str(suite.chain_length)),
        ("backbone", _backbone(suite.backbone)),
        ("image size", f"{suite.image_size} px"),
        ("classes left out", excluded or "none"),
        ("near-duplicates", f"correlation above {suite.groups_threshold:g}"),
        ("split", _parts(suite.split)),
        ("training", _parts(suite.training)),
        ("augmentation", _parts(suite.augmentation)),
        ("distillation", _parts(suite.distillation)),
        (
            "settings of each method",
            f"searched for: {tuning}" if suite.tuned else "committed, no method is tuned",
        ),
        ("alpha", f"{suite.analysis.alpha:g}"),
        ("margin of non-inferiority", f"{suite.analysis.margin_pp:g} points"),
        ("metrics, the first is primary", _listed(suite.analysis.metrics)),
        ("plan (hash)", suite.plan_hash),
        ("made by", f"weckd {__version__}"),
    ]
    caption = "All settings stand in suite.json of the run; config/README.md says what each one means."
    return text_block("Settings", caption, ("setting", "value"), rows)


def _backbone(settings: BackboneSettings) -> str:
    return f"{settings.name}, initial weights: {settings.init}"


def _parts(settings: Any) -> str:
    return ", ".join(f"{key} {_value(value)}" for key, value in asdict(settings).items())


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))
