"""The analysis plan as frozen dataclasses, which declare its keys: metrics, families of tests, claims, amendments."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from weckd.declared import NOT_EMPTY, UNIQUE, Bounds, Declared, pattern

Modality: TypeAlias = Literal["otoscopy", "microscopy", "MRI", "other"]
Fraction: TypeAlias = Annotated[float, Bounds(gt=0, lt=1)]
MethodName: TypeAlias = Annotated[
    str, pattern("[a-z0-9][a-z0-9_=,-]{0,199}", "the name of a method, at most 200 characters")
]
_Words: TypeAlias = Annotated[str, NOT_EMPTY]


@dataclass(frozen=True)
class Family(Declared):
    """A family of tests, fixed before the run."""

    name: _Words
    kind: Literal["superiority", "non-inferiority", "equivalence", "trend", "links"]
    method: MethodName
    # methods, or patterns such as panel-*-100 and *=* (the readings); none for trend and links
    references: Annotated[
        tuple[
            Annotated[
                str, pattern("[a-z0-9*][a-z0-9_=,*-]{0,199}", "the name of a method, or a pattern of names")
            ],
            ...,
        ],
        UNIQUE,
    ] = ()
    # the mean that decides: over all data sets, over one modality's, or each modality in turn
    over: Literal["all", "each modality", "otoscopy", "microscopy", "MRI", "other"] = "all"


@dataclass(frozen=True)
class Evidence(Declared):
    """Some comparisons of a family."""

    family: _Words
    references: Annotated[tuple[_Words, ...], UNIQUE] = ()  # of the family's; none: all
    over: Annotated[tuple[Modality, ...], UNIQUE] = ()  # of those that the family is decided on; none: all
    reading: str = (
        ""  # of words that leave open what is compared, such as "if ..."; each has a verdict of its own
    )


@dataclass(frozen=True)
class Claim(Declared):
    """A claim of the paper as stated tests."""

    name: _Words
    says: _Words  # the paper's words, shortened
    source: _Words  # where they are said
    as_worded: Annotated[tuple[Evidence, ...], NOT_EMPTY]  # what the words say
    for_the_chain: Annotated[
        tuple[Evidence, ...], NOT_EMPTY
    ]  # is it the chain? against controls that we ask for
    up_to_pp: Annotated[float, Bounds(gt=0, le=100)] | None = None  # the largest gain that the words state


@dataclass(frozen=True)
class Amendment(Declared):
    """A change of the plan."""

    date: Annotated[str, pattern(r"\d{4}-\d\d-\d\d", "a date such as 2026-11-29")]
    says: _Words
    after_results: bool  # whether results of a run of this plan had been seen


_Margin: TypeAlias = Annotated[float, Bounds(gt=0, le=100)]
Metric: TypeAlias = Literal[
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "mcc",
    "macro_auroc",
    "brier",
    "nll",
    "ece",
    "ece_scaled",
    "accuracy_at_80",
]


MARGIN_METRICS = ("accuracy", "balanced_accuracy")
"""Metrics that margins are stated for; the first metric of a plan with families or claims is one of them."""


@dataclass(frozen=True)
class AnalysisPlan(Declared):
    """What is tested and how; every analysis output names its hash."""

    alpha: Fraction
    """level of each family of tests"""
    margin_pp: _Margin
    """margin of non-inferiority and of equivalence in percentage points"""
    other_margins_pp: Annotated[tuple[_Margin, ...], UNIQUE]
    """the same question at other margins, as sensitivity"""
    minimum_seeds: Annotated[int, Bounds(ge=5, le=1000)]
    """seeds below which nothing is tested; with fewer than 5 seeds no test holds its level"""
    stage: Literal["last"]
    """a method's result is its last stage, fixed beforehand; a stage chosen on test images gives up to 40 %
    false positives and +1 to +2 points"""
    metrics: Annotated[tuple[Metric, ...], NOT_EMPTY, UNIQUE]
    """the first is primary, the others are sensitivity"""
    families: tuple[Family, ...]
    """which gains are tested together, fixed before the run, and hashed into every table. `kind`: `superiority`,
    `non-inferiority`, `equivalence` (two one-sided tests), `trend` (slope along the method's stages, and last
    minus first) or `links` (each stage minus the one before, in fixed sequence). `references`: methods, or
    patterns (`panel-*-100`; `*=*`: the readings). `over`: the mean that decides: `all` independent data sets,
    one modality's (`otoscopy`), or `each modality`"""
    claims: tuple[Claim, ...]
    """the paper's claims, each with the comparisons that its words ask for (`as_worded`) and those that tell whether
    it is the chain (`for_the_chain`): two verdicts of equal weight"""
    amendments: tuple[Amendment, ...] = ()
    """what was changed of the plan since it was first committed: `date`, what it `says`, and whether that was
    `after_results` of a run had been seen"""
