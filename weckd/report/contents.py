"""What is on the page, in order: each section with the run's files that it shows."""

from dataclasses import dataclass

from weckd.analysis.registry import TABLES


@dataclass(frozen=True)
class Pictures:
    """A picture of the run, or one a data set where the file's name has `{dataset}`."""

    file: str
    title: str
    alt: str  # what it shows; its caption too, and read out to who cannot see it
    folded: bool = False  # behind its title
    beside: bool = False  # small: two go side by side


@dataclass(frozen=True)
class Section:
    """A section of the page; pictures come before the tables, and what the page makes itself joins by `key`.

    Tables are named as in the registry, or by folder and name; `gains#families` is one of the file, by its label, and
    `gains` all of it that no earlier section shows.
    """

    key: str
    title: str
    says: str  # what a reader finds here, in plain words
    tables: tuple[str, ...] = ()
    pictures: tuple[Pictures, ...] = ()
    folded: bool = False  # each table behind its title


_CLASSES = ("accuracy", "metrics", "classes", "confusion")
_ELSEWHERE = (
    *("claims", "main", "along", "copied", "attention", *_CLASSES, "curves"),
    *("splits", "budgets", "tuned"),
)
"""Tables that a section names; all others are under "Other tables", in the order of the registry."""
SECTIONS = (
    Section(
        "claims",
        "Claims",
        "Each claim of the paper's abstract became tests, and has two verdicts of equal weight: as the paper words it, "
        "and for the chain, against controls that we ask for. Shown here: every comparison has its interval on the "
        "right side of the threshold. Contradicted here: one lies on the wrong side, also after correction for several "
        "tests. Not shown here: neither. The second table says at which margins a verdict holds, and how probable "
        "“shown here” was if the truth were as claimed. What was changed of the plan is told under Environment.",
        tables=("claims",),
    ),
    Section(
        "main",
        "Main results",
        "How accurate the chain is on each data set, beside one model alone, the best control and a model that "
        "learns from all labels; then what it gains over them, with intervals. Beside that, what more labels "
        "and steps give one model, and how far the chain is from a model of all labels and as many steps.",
        tables=("main",),
        pictures=(
            Pictures(
                "figures/summary.svg",
                "Gains at a glance",
                "A row for each method that the chain is compared with: the mean gain over the data sets with its "
                "interval, also in numbers, the plan's verdict, and the gain on each data set as a dot.",
            ),
            Pictures(
                "figures/forest.svg",
                "Gains over each reference",
                "Forest plot: a panel for each method that the chain is compared with, a row for each data set, with "
                "the gain of every seed, their mean and its interval, and the mean over data sets as a diamond.",
            ),
            Pictures(
                "figures/specification.svg",
                "Readings of the paper",
                "Specification curve: the gain under every reading of what the paper leaves open, sorted.",
            ),
        ),
    ),
    Section(
        "controls",
        "Is it the chain?",
        "The last model of the chain has seen more labels and more training steps than a single model. Each "
        "control gets the same labels or the same steps without a chain. Only a gain over the controls speaks for "
        "the chain.",
        tables=("gains#families", "gains#gains-chain-over-controls", "curves"),
        pictures=(
            Pictures(
                "figures/equivalence.svg",
                "What may be as good",
                "A row for each method that the plan asks to be like the chain: the chain's mean gain over it with its "
                "interval, also in numbers, beside the margin of equivalence, and the plan's verdict.",
            ),
            Pictures(
                "figures/labels.svg",
                "Label efficiency",
                "Line plots: accuracy against the number of labels, for the chain stage by stage and for methods "
                "without a chain, a panel for each data set and one for their mean.",
            ),
            Pictures(
                "figures/curves.svg",
                "More labels, more steps",
                "Line plots: mean accuracy of the chain and of one model on the same labels at as many steps, against "
                "the share of the labels and against the number of steps, with intervals and the gain at each point.",
            ),
        ),
    ),
    Section(
        "along",
        "Along the chain",
        "Whether each model of the chain is better than the one before it, and whether it repeats its errors.",
        tables=(
            "along",
            "gains#gains-along-the-chain",
            "gains#gains-links-of-the-chain",
            "copied",
            "attention",
        ),
        pictures=(
            Pictures(
                "figures/chain.svg",
                "Gains along the chain",
                "Line plots: the gain at each stage of the chain over its own first stage and over methods with as "
                "many stages, a column for each data set, with a thin line for each seed and the mean with its band.",
            ),
            Pictures(
                "figures/copied.svg",
                "Errors that the next model repeats",
                "A row for each method whose models follow one another: of the test images that a model gets wrong, "
                "what percentage the next one calls the same wrong class, as a mean over the data sets with its "
                "interval, also in numbers, and on each data set as a dot; models without a teacher are open.",
            ),
            Pictures(
                "figures/attention.svg",
                "Attention maps",
                "Test images with the map of where each model of the chain looks, and how much the maps sharpen and "
                "agree along the chain, for each data set.",
            ),
        ),
    ),
    Section(
        "classes",
        "Methods and classes",
        "Which classes are taken for which, how well each is told from the others at every threshold, how far the "
        "probabilities can be trusted, and how accurate each method is. Open a title to see its table.",
        tables=_CLASSES,
        pictures=(
            Pictures(
                "figures/confusion-{dataset}.svg",
                "Confusion of classes: {dataset}",
                "Confusion matrices of {dataset}: a panel for each method, true classes in rows, predicted classes in "
                "columns, and in each cell what percentage of the true class's test images is called so, all seeds "
                "pooled.",
                beside=True,
            ),
            Pictures(
                "figures/roc-{dataset}.svg",
                "ROC curves: {dataset}",
                "ROC curves of {dataset}: true positive rate against false positive rate, for each method the mean "
                "over seeds with a band from the lowest to the highest seed, and the area under the curve; a panel for "
                "the mean over classes and for each class against all others, or one where there are two classes.",
                beside=True,
            ),
            Pictures(
                "figures/reliability.svg",
                "Reliability",
                "Reliability diagrams: accuracy against confidence, before and after temperature scaling, a row for "
                "each method and a column for each data set.",
            ),
            Pictures(
                "figures/ranks.svg",
                "Mean ranks",
                "Critical-difference diagram: mean ranks of all methods over the data sets. Description only.",
            ),
        ),
        folded=True,
    ),
    Section(
        "limits",
        "What this cannot show",
        "Made from the facts of this run. Beyond them: the paper's own data sets, network and settings could not be "
        "read, so no run of this suite says whether its numbers would come out again.",
    ),
    Section(
        "tables",
        "Other tables",
        "Open a title to see its table.",
        tables=(*(name for name in TABLES if name not in _ELSEWHERE), "selfcheck/selfcheck"),
        pictures=(
            Pictures(
                "figures/variance.svg",
                "More seeds or more images?",
                "Bars: the share of each gain's variance that is due to seeds and to test images.",
            ),
        ),
        folded=True,
    ),
    Section(
        "audit",
        "Audit of the images",
        "Made before anything was trained: images that occur twice, copies with contradicting labels, test images "
        "with a copy in the training part, copies across data sets, and sheets of example pairs for the eye to judge "
        "(open a title to see its sheet).",
        tables=("audit/audit", "audit/across"),
        pictures=(
            Pictures(
                "audit/thresholds.svg",
                "Clusters by threshold",
                "Line plot: how many clusters of near-duplicates remain, as a share of the images, by the correlation "
                "above which two images count as near-duplicates, a line for each data set.",
            ),
            Pictures(
                "audit/{dataset}.png",
                "Example pairs: {dataset}",
                "Up to twelve pairs of images of {dataset} that are identical or nearly so, and as many suspected "
                "variants, each with the names of its images, their classes and the pair's correlation.",
                folded=True,
            ),
        ),
    ),
    Section(
        "data",
        "Data and licences",
        "Where the images come from and what their owners allow, and how they were divided.",
        tables=("splits",),
    ),
    Section(
        "environment",
        "Environment and settings",
        "What the models were trained on, and with which settings. No setting is the paper's: those are not "
        "public.",
    ),
    Section(
        "cost",
        "Cost",
        "What was trained for this page, and what each method was given.",
        tables=("budgets", "tuned"),
    ),
    Section("reading", "How to read this", ""),
)

MORE = Section("more", "More", "Other tables and figures of this run.", folded=True)
TABLE_FOLDERS = ("tables", "audit", "selfcheck")
"""Where a run's tables lie, as .json."""
PICTURE_FOLDERS = ("figures", "audit")
"""Where a run's pictures lie, as .svg and .png or as .png alone."""
OPTIONAL = (
    *("attention", "curves", "tuned", "selfcheck/selfcheck"),
    *("figures/attention.svg", "figures/curves.svg", "figures/specification.svg"),
)
"""What only some runs have: the page does not say that it is missing."""
