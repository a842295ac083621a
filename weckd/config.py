"""The settings of one run as frozen dataclasses; `config/README.md` says what each key means and why."""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from weckd.errors import UserError


@dataclass(frozen=True)
class DatasetFacts:
    """What the analysis needs to know of a data set, so that it reads files only."""

    key: str
    title: str
    modality: str
    phantom: bool
    derived_from: tuple[str, ...]
    classes: tuple[str, ...]  # kept classes, in the order of y


@dataclass(frozen=True)
class SplitSettings:
    """Sizes of the split's parts (see method.md's words) and the seed of the test part."""

    seed: int
    test: float = 0.20  # share of the images
    validation: float = 0.15  # share of what is not test
    stage: float = 0.10  # share of the training part, each stage
    stages: int = 3
    protocol: Literal["grouped", "official"] = (
        "grouped"  # who chose the test part: the suite by group, or the source
    )


@dataclass(frozen=True)
class BackboneSettings:
    """A timm model name and where its initial weights come from."""

    name: str
    init: str  # "random", "imagenet" (a locked package) or the tag of timm weights, fetched

    @property
    def fetched(self) -> str | None:
        """Return timm's name of the weights that have to be fetched, such as `resnet50.a1_in1k`."""
        return None if self.init in ("random", "imagenet") else f"{self.name}.{self.init}"


@dataclass(frozen=True)
class PanelSettings:
    """The supervised panel: every backbone on every share of the labels."""

    backbones: tuple[BackboneSettings, ...]
    labels: tuple[int, ...]  # percent of the training part


@dataclass(frozen=True)
class TuningSettings:
    """How each method's settings are searched for; the same for all methods."""

    trials: int  # of each method on each data set; the first is the committed defaults
    seeds: tuple[int, ...]  # none of the suite's own; a trial counts by its mean over them


@dataclass(frozen=True)
class TrainingSettings:
    """The optimiser's settings, the same for every fit."""

    steps: int  # optimiser steps a stage (S)
    converged_factor: int  # `full-converged` trains this many times S
    batch_size: int
    learning_rate: float  # peak of the one-cycle schedule
    weight_decay: float
    warmup: float  # share of the steps before the peak
    batchnorm_momentum: float  # weight of a new batch in BatchNorm's running statistics


@dataclass(frozen=True)
class AugmentationSettings:
    """Half-widths of the uniform draws; 0 switches a part off."""

    flip: bool  # left-right, with probability one half
    rotation: float  # degrees
    shift: float  # share of the image's side
    zoom: float  # share
    brightness: float  # share of the full range
    contrast: float  # share


@dataclass(frozen=True)
class DistillationSettings:
    """The reference reading's weights and temperatures (our choice, not the paper's)."""

    alpha: float
    beta: float
    temperature_max: float
    temperature_min: float
    temperature_constant: float


@dataclass(frozen=True)
class Family:
    """A family of tests, fixed before the run."""

    name: str
    kind: Literal["superiority", "non-inferiority", "trend", "links"]
    method: str
    references: tuple[str, ...] = ()  # methods, or patterns such as panel-*-100; none for trend and links
    over: str = (
        "all"  # the mean that decides: over all data sets, over one modality's, or each modality in turn
    )


@dataclass(frozen=True)
class Evidence:
    """Some comparisons of a family."""

    family: str
    references: tuple[str, ...] = ()  # of the family's; none: all
    over: tuple[str, ...] = ()  # of the modalities that the family is decided on; none: all


@dataclass(frozen=True)
class Claim:
    """A claim of the paper as a stated test."""

    name: str
    says: str  # the paper's words, shortened
    source: str  # where they stand
    decided_by: tuple[Evidence, ...]
    beside: tuple[Evidence, ...]  # the comparison that the paper makes itself


@dataclass(frozen=True)
class AnalysisPlan:
    """What is tested and how; its hash stands in every analysis output."""

    alpha: float
    margin_pp: float  # non-inferiority margin, percentage points
    other_margins_pp: tuple[float, ...]  # the same question at other margins
    minimum_seeds: int  # fewer: descriptive only
    stage: Literal["last"]  # a method's result is its last stage, never the best
    metrics: tuple[str, ...]  # the first is primary
    families: tuple[Family, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Suite:
    """One run: a suite file with the command line's changes, checked and complete."""

    name: str
    run: str  # folder below results/: the name, or the name and a hash where the run is narrowed
    datasets: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    seeds_per_job: int
    image_size: int  # pixels a side
    data_root: str | None  # folder of the user's own copies, a folder or archive each data set
    catalogue: str | None  # file of the user's own data sets
    skip_bad: bool  # leave out images that cannot be read
    exclude_classes: dict[str, tuple[str, ...]]
    groups_threshold: float  # correlation of thumbnails above which two images are near-duplicates
    split: SplitSettings
    readings: Literal["changes", "full"]  # one change each and some combinations, or the whole grid
    readings_datasets: tuple[str, ...]
    chain_length: int  # N, models in the chain
    backbone: BackboneSettings
    backbone_sizes: tuple[BackboneSettings, ...]  # from small to large, the suite's among them; may be empty
    panel: PanelSettings
    tuning: TuningSettings
    tuned: bool  # training uses what tuning chose, in place of the settings below
    training: TrainingSettings
    augmentation: AugmentationSettings
    distillation: DistillationSettings
    analysis: AnalysisPlan
    facts: dict[str, DatasetFacts]
    roles: dict[str, str]  # what each method is there for, see `weckd.methods.recipe.Role`
    plan_hash: str
    # Data sets that the audit found to share images with others, undeclared, and these (see `weckd.data.overlap`):
    # a finding, not a setting, so not in suite.json.
    undeclared: dict[str, tuple[str, ...]] = field(default_factory=dict)


def load_suite(path: Path) -> Suite:
    """Read a `suite.json` that `suite_json` made.

    Raises:
        UserError: the file is not there or not such a file.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        suite = build(Suite, values)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UserError(
            f"{path}: not a readable suite.json ({problem}); make it with `weckd suite`"
        ) from problem
    assert isinstance(suite, Suite)  # noqa: S101 - tells the type checker what build was asked for
    return suite


def suite_json(suite: Suite) -> str:
    """Return the suite as indented JSON with sorted keys."""
    settings = dataclasses.asdict(suite)
    del settings["undeclared"]
    return json.dumps(settings, indent=2, sort_keys=True) + "\n"


def build(kind: Any, value: Any) -> Any:
    """Build a (nested) dataclass from plain JSON values, following its type hints."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: build(hints[name], item) for name, item in value.items()})  # type: ignore[operator]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return tuple(build(arguments[0], item) for item in value)
    if origin is dict:
        return {key: build(arguments[1], item) for key, item in value.items()}
    if origin is types.UnionType:
        return value
    return float(value) if kind is float else value
