"""The settings of one run as frozen dataclasses, which declare the keys of a suite file: bounds, and what each means.

`config/README.md` has the same as a table, made of these declarations.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from weckd.analysis_plan import AnalysisPlan, Fraction, MethodName
from weckd.declared import NOT_EMPTY, UNIQUE, Bounds, Declared, marked, pattern
from weckd.errors import UserError, unreadable

LONGEST_NAME = 100
"""Characters of a name: folders and files are called by it, with up to 40 more, and a file system takes 255."""
_RESERVED = r"(?!(data|fits|reference|studies)\Z)(?!.*-(official|readings|readings-full|reference)\Z)"
NEUTRAL = "changes no result"
"""Marks a key that says how or from where a run is made, not what it computes."""

Seed: TypeAlias = Annotated[int, Bounds(ge=0, le=2**32 - 1)]
Key: TypeAlias = Annotated[
    str,
    pattern(
        rf"[a-z0-9][a-z0-9_-]{{0,{LONGEST_NAME - 1}}}",
        f"at most {LONGEST_NAME} lower-case letters, digits, _ and -",
    ),
]
_TimmName: TypeAlias = Annotated[
    str, pattern(f"[a-z0-9_]{{1,{LONGEST_NAME}}}", "a name of timm: lower-case letters, digits and _")
]
_Keys: TypeAlias = Annotated[tuple[Key, ...], NOT_EMPTY, UNIQUE]
_Seeds: TypeAlias = Annotated[tuple[Seed, ...], NOT_EMPTY, UNIQUE]


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
class GroupSettings(Declared):
    """What stays together in a split."""

    threshold: Fraction
    """correlation of two thumbnails, over flips and rotations, above which two images are near-duplicates and
    stay together"""


@dataclass(frozen=True)
class SplitSettings(Declared):
    """Sizes of the split's parts (see method.md's words) and the seed of the test part."""

    seed: Seed
    """draws the test part, the same for all seeds"""
    test: Annotated[float, Bounds(gt=0, le=0.5)] = 0.20
    """share of the images in the test part (0.2); with more than half of them too few are left to learn
    from"""
    validation: Annotated[float, Bounds(gt=0, le=0.5)] = 0.15
    """share of the rest in the validation part (0.15); what remains is the training part"""
    stage: Annotated[float, Bounds(gt=0, le=0.5)] = 0.10
    """share of the training part in each of the disjoint subsets D1 .. DN (0.1); all together at most 1"""
    stages: Annotated[int, Bounds(ge=2, le=9)] = 3
    """disjoint subsets of the training part (3)"""
    halves: bool = False
    """`true`: each subset has a half too, H1 .. HN, by group and class, for the curves' points of half the labels,
    such as `weckd-15`; default `false`"""
    protocol: Literal["grouped", "official"] = "grouped"
    """`grouped` (default): the test part is drawn by group. `official`: it is the source's own, with the
    copies of training images that it holds; `split.test` then plays no part. `snakemake leakage` runs both
    and compares them"""


@dataclass(frozen=True)
class BackboneSettings(Declared):
    """A timm model name and where its initial weights come from."""

    name: _TimmName
    """a timm network, the same for every fit but those of the panel and of `backbone_sizes`"""
    init: _TimmName
    """`random`; `imagenet` where a locked package holds the weights (`tf_efficientnet_lite0`, `1` and `2`); or the
    tag of timm weights, such as `a1_in1k`, which are fetched and verified (see docs/data-sets.md). Each network is
    fed the normalisation that its weights were made for"""

    @property
    def fetched(self) -> str | None:
        """Return timm's name of the weights that have to be fetched, such as `resnet50.a1_in1k`."""
        return None if self.init in ("random", "imagenet") else f"{self.name}.{self.init}"


@dataclass(frozen=True)
class PanelSettings(Declared):
    """The supervised panel: every backbone on every share of the labels."""

    backbones: tuple[BackboneSettings, ...]
    """networks of the supervised panel, as `[{name: resnet18, init: a1_in1k}, ...]`"""
    labels: Annotated[tuple[Annotated[int, Bounds(ge=1, le=100)], ...], NOT_EMPTY, UNIQUE]
    """shares of the training part in percent: whole numbers of subsets, at N * S steps, or 100, at as many
    steps as `full-converged`"""


@dataclass(frozen=True)
class TuningSettings(Declared):
    """How each method's settings are searched for; the same for all methods."""

    trials: Annotated[int, Bounds(ge=2, le=10_000)]
    """trials that `snakemake tune` gives to each method on each data set, judged on validation images alone;
    the first is the committed settings"""
    seeds: _Seeds
    """what trials are trained on, none of the suite's own: every trial on the first of them, the finalists on the
    others too; a finalist counts by its mean over them"""
    finalists: Annotated[int, Bounds(ge=2, le=10_000)] = 4
    """how many trials are trained on all of `seeds`: the committed settings, and the best others on the first seed"""
    share_of_steps: Annotated[float, Bounds(gt=0, le=1)] = 1.0
    """what part of `training.steps` a trial has"""


@dataclass(frozen=True)
class TrainingSettings(Declared):
    """The optimiser's settings, the same for every fit."""

    steps: Annotated[int, Bounds(ge=2, le=1_000_000)]
    """S, optimiser steps a stage; a method at the equal budget has N * S"""
    converged_factor: Annotated[int, Bounds(ge=1, le=1000)]
    """`full-converged` trains this many times S"""
    batch_size: Annotated[int, Bounds(ge=2, le=4096)]
    """images a step; a subset may be smaller than a batch. Activations of all of them are in memory at
    once"""
    learning_rate: Annotated[float, Bounds(gt=0, le=10)]
    """peak of the one-cycle schedule (AdamW)"""
    weight_decay: Annotated[float, Bounds(ge=0, le=10)]
    """AdamW's, on weights of more than one dimension"""
    warmup: Fraction
    """share of the steps before the peak"""
    batchnorm_momentum: Fraction
    """weight of a new batch in BatchNorm's running statistics; larger for very short fits"""
    exchange_layers: bool = True
    """`true` (default): on a CPU, layers that torch computes slowly there are exchanged for others of the same values
    but for rounding (see docs/performance.md); `false`: networks stay as timm builds them"""
    cuda_graph: bool = False
    """`true`: on a GPU a fit's steps are captured once as a CUDA graph and replayed: the same bytes, and about twice
    as many steps a second on the card where it was measured (see docs/performance.md); a CPU makes the same steps one
    by one. Default `false`"""


@dataclass(frozen=True)
class AugmentationSettings(Declared):
    """Half-widths of the uniform draws; 0 switches a part off."""

    flip: bool
    """left-right, with probability one half"""
    rotation: Annotated[float, Bounds(ge=0, le=180)]
    """half-width of a uniform draw, degrees"""
    shift: Annotated[float, Bounds(ge=0, le=0.5)]
    """half-width of a uniform draw, share of the image's side"""
    zoom: Annotated[float, Bounds(ge=0, le=0.5)]
    """half-width of a uniform draw, share"""
    brightness: Annotated[float, Bounds(ge=0, le=1)]
    """half-width of a uniform draw, share of the full range"""
    contrast: Annotated[float, Bounds(ge=0, le=1)]
    """half-width of a uniform draw, share"""


_Temperature: TypeAlias = Annotated[float, Bounds(gt=0, le=1000)]


@dataclass(frozen=True)
class DistillationSettings(Declared):
    """The reference reading's weights and temperatures (our choice, not the paper's)."""

    alpha: Annotated[float, Bounds(ge=0, le=1)]
    """weight of the divergence from the teacher; cross-entropy has 1 - alpha"""
    beta: Annotated[float, Bounds(ge=0, le=1_000_000)]
    """weight of attention transfer; 0 leaves it out"""
    temperature_max: _Temperature
    """at the first step, annealed linearly"""
    temperature_min: _Temperature
    """at the last step"""
    temperature_constant: _Temperature
    """for the methods that use a constant temperature"""


@dataclass(frozen=True, kw_only=True)
class SuiteKeys(Declared):
    """The keys of a suite file that a run has as they are."""

    datasets: _Keys
    """keys that `weckd datasets` lists, or of your own `catalogue`"""
    methods: Annotated[tuple[MethodName, ...], NOT_EMPTY, UNIQUE]
    """names that `weckd methods` lists; a reading is named by what it changes, as
    `start=fresh,attention=none`; `panel` means the supervised panel, of which `panel-resnet50-30` is one
    row"""
    seeds: _Seeds
    """one cell a data set and seed; fewer than `analysis.minimum_seeds` gives descriptive tables only. At
    most 32 bits, which all files and libraries hold"""
    seeds_per_job: Annotated[int, Bounds(ge=1, le=1000), NEUTRAL]
    """seeds that one training job holds, so that imports and loading are paid once; changes no result"""
    image_size: Annotated[int, Bounds(ge=16, le=1024)]
    """pixels a side; images are resized to a square"""
    data_root: Annotated[str | None, NEUTRAL]
    """folder of your own copies, a folder or archive for each data set; never written to. What it lacks is
    downloaded into `data/`"""
    catalogue: Annotated[str | None, NEUTRAL]
    """file of your own data sets (see docs/data-sets.md). Its entries for the run's data sets count as part of
    the suite, its path does not"""
    skip_bad: bool
    """leave out images that cannot be read, listed in the index and the audit, instead of stopping"""
    exclude_classes: dict[Key, Annotated[tuple[Key, ...], UNIQUE]]
    """`{data set: [class, ...]}` left out, such as a class with fewer than eight groups; `[]` leaves out
    none. Two classes or more must be left"""
    split: SplitSettings
    readings: Annotated[Literal["changes", "full"], NEUTRAL]
    """what `snakemake readings` runs: `changes` (one at a time, and 16 combinations) or `full` (the whole
    grid)"""
    readings_datasets: Annotated[_Keys, NEUTRAL]
    """which data sets `snakemake readings` runs on (all)"""
    chain_length: Annotated[int, Bounds(ge=2, le=6)]
    """models in the chain (N); by default as many as `split.stages`"""
    backbone: BackboneSettings
    backbone_sizes: Annotated[tuple[BackboneSettings, ...], UNIQUE]
    """networks from small to large, the suite's backbone among them, as `[{name: resnet18, init: a1_in1k},
    ...]`; with them the readings `start=fresh,sizes=growing` and `sizes=shrinking` can be run. Default:
    none"""
    panel: PanelSettings
    tuning: TuningSettings
    tuned: bool
    """`true`: training uses what tuning chose (and tunes first where that is missing); `false`: the committed
    settings"""
    training: TrainingSettings
    augmentation: AugmentationSettings
    distillation: DistillationSettings
    analysis: AnalysisPlan
    quick_look: bool = False
    """`true`: a quick look, no test of the paper's claims: tables and pages say so, and show gains and
    intervals without p and verdicts. Part of the plan; default `false`"""
    keep_weights: Annotated[tuple[MethodName, ...], UNIQUE, NEUTRAL] = ()
    """methods whose networks stay in `results/fits`, so that `weckd export` need not train them again (none;
    those of the chain, and those that others start from, always stay)"""
    readings_seeds: Annotated[Annotated[int, Bounds(ge=1, le=1000)] | None, NEUTRAL] = None
    """of how many of the seeds, the first, `snakemake readings` makes its cells (all)"""


@dataclass(frozen=True, kw_only=True)
class SuiteFile(SuiteKeys):
    """All keys of a suite file."""

    suite: Annotated[
        str,
        pattern(
            _RESERVED + rf"[a-z0-9][a-z0-9_-]{{0,{LONGEST_NAME - 1}}}",
            f"at most {LONGEST_NAME} lower-case letters, digits, _ and -, and no name that results/ has for something "
            "else: data, fits, reference, studies, or one that ends in -official, -readings, -readings-full or "
            "-reference",
        ),
    ]
    """name; results go to `results/<suite>/`"""
    groups: GroupSettings


@dataclass(frozen=True, kw_only=True)
class Suite(SuiteKeys):
    """One run: a suite file with the command line's changes, checked and complete."""

    name: str
    run: str  # folder below results/: the name, or the name and a hash where the run is narrowed
    groups_threshold: float  # correlation of thumbnails above which two images are near-duplicates
    facts: dict[str, DatasetFacts]
    roles: dict[str, str]  # what each method is there for, see `weckd.methods.fits.Role`
    plan_hash: str
    # Data sets that the audit found to share images with others, undeclared, and these (see `weckd.places`):
    # a finding, not a setting, so not in suite.json.
    undeclared: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # Cells that were trained under other plans, by the plan's hash, "" where it is not recorded (see
    # `weckd.committed`): a finding too.
    trained_under: dict[str, int] = field(default_factory=dict)


_LATER = {
    ("", "quick_look"): False,
    ("", "keep_weights"): (),
    ("", "readings_seeds"): None,
    ("training", "exchange_layers"): True,
    ("training", "cuda_graph"): False,
    ("split", "halves"): False,
}
"""Keys, each below another or none, that older files do not hold, and the value that leaving them out means."""


def without_later_keys(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without the keys that older files do not hold, where they say what leaving them out means."""

    def kept(above: str, values: Mapping[str, Any]) -> dict[str, Any]:
        usual = {key: value for (over, key), value in _LATER.items() if over == above}
        return {key: value for key, value in values.items() if key not in usual or value != usual[key]}

    return {
        key: kept(key, value) if isinstance(value, Mapping) else value
        for key, value in kept("", settings).items()
    }


def neutral_keys(tuned: bool) -> frozenset[str]:
    """Return the keys that change no result of a run; how to tune is one of them where nothing is tuned."""
    return marked(SuiteKeys, NEUTRAL) | (frozenset() if tuned else {"tuning"})


def load_suite(path: Path) -> Suite:
    """Read a `suite.json` that `suite_json` made.

    Raises:
        UserError: the file is not there or not such a file.
    """
    with unreadable(path, "not a readable suite.json", "make it with `weckd suite`"):
        suite: Suite = build(Suite, json.loads(path.read_text(encoding="utf-8")))
    return suite


def suite_json(suite: Suite) -> str:
    """Return the suite as indented JSON with sorted keys."""
    settings = dataclasses.asdict(suite)
    del settings["undeclared"], settings["trained_under"]
    return json.dumps(without_later_keys(settings), indent=2, sort_keys=True) + "\n"


def says_suite(file: Path, suite: Suite) -> bool:
    """Return whether a `suite.json` says what a suite says, wherever data sets and their catalogue lie by now."""
    try:
        written = load_suite(file)
    except UserError:
        return False
    moved = dataclasses.replace(suite, data_root=written.data_root, catalogue=written.catalogue)
    return file.read_bytes() == suite_json(moved).encode()


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
        return value if value is None else build(arguments[0], value)
    return float(value) if kind is float else value
