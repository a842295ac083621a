"""What stands on the page, in order: each section with the run's files that it shows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tables:
    """Tables of a Markdown file of the run: those whose titles begin so, or all that no earlier section shows."""

    file: str
    titles: tuple[str, ...] = ()
    expected: bool = True  # whether the page says so where the run has no such file


@dataclass(frozen=True)
class Pictures:
    """A picture of the run, or one a data set where `{dataset}` stands in the file's name."""

    file: str
    title: str
    alt: str  # what it shows; its caption too, and read out to who cannot see it
    expected: bool = True
    folded: bool = False  # behind its title


@dataclass(frozen=True)
class Section:
    """A section of the page; what the page computes itself joins it by its key (see `page`)."""

    key: str
    title: str
    says: str  # what a reader finds here, in plain words
    tables: tuple[Tables, ...] = ()
    pictures: tuple[Pictures, ...] = ()
    folded: bool = False  # each table behind its title


CLAIMS = Section(
    key="claims",
    title="Claims",
    says="Each claim of the paper's abstract became a test that was fixed before the run. Supported: every comparison "
    "that decides the claim has its interval on the right side of the threshold. Refuted: one lies on the wrong side, "
    "also after correction for several tests. Undecided: neither. The last column is the comparison that the paper "
    "makes itself, which decides nothing here.",
    tables=(Tables("tables/claims.md"),),
)

SECTIONS = (
    CLAIMS,
    Section(
        key="main",
        title="Main results",
        says="How accurate the chain is on each data set, beside one model alone, the best control and a model that "
        "learns from all labels; then what it gains over them, with intervals.",
        tables=(Tables("tables/main.md"),),
    ),
    Section(
        key="controls",
        title="Is it the chain?",
        says="The last model of the chain has seen more labels and more training steps than a single model. Each "
        "control gets the same labels or the same steps without a chain. Only a gain over the controls speaks for "
        "the chain.",
        tables=(Tables("tables/gains.md", ("Families of the plan", "Chain over controls")),),
    ),
    Section(
        key="along",
        title="Along the chain",
        says="Whether each model of the chain is better than the one before it.",
        tables=(
            Tables("tables/along.md"),
            Tables("tables/gains.md", ("Along the chain", "Links of the chain")),
            Tables("tables/attention.md", expected=False),
        ),
    ),
    Section(
        key="tables",
        title="Other tables",
        says="Open a title to see its table.",
        tables=(
            Tables("tables/published.md"),
            Tables("tables/panel.md"),
            Tables("tables/across.md"),
            Tables("tables/modality.md"),
            Tables("tables/leave-one-out.md"),
            Tables("tables/sensitivity.md"),
            Tables("tables/variance.md"),
            Tables("tables/gains.md"),
            Tables("tables/accuracy.md"),
            Tables("tables/metrics.md"),
            Tables("tables/classes.md"),
            Tables("tables/checks.md"),
            Tables("selfcheck/selfcheck.md", expected=False),
        ),
        folded=True,
    ),
    Section(
        key="figures",
        title="Figures",
        says="Drawn from the same numbers as the tables.",
        pictures=(
            Pictures(
                "figures/forest.svg",
                "Gains over each reference",
                "Forest plot: a panel for each method that the chain is compared with, a row for each data set, with "
                "the gain of every seed, their mean and its interval, and the mean over data sets as a diamond.",
            ),
            Pictures(
                "figures/chain.svg",
                "Gains along the chain",
                "Line plots: the gain at each stage of the chain over its own first stage and over methods with as "
                "many stages, a column for each data set, with a thin line for each seed and the mean with its band.",
            ),
            Pictures(
                "figures/labels.svg",
                "Label efficiency",
                "Line plots: accuracy against the number of labels, for the chain stage by stage and for methods "
                "without a chain, a panel for each data set and one for their mean.",
            ),
            Pictures(
                "figures/variance.svg",
                "More seeds or more images?",
                "Bars: the share of each gain's variance that is due to seeds and to test images.",
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
            Pictures(
                "figures/attention.svg",
                "Attention maps",
                "Test images with the map of where each model of the chain looks, and how much the maps sharpen and "
                "agree along the chain, for each data set.",
                expected=False,
            ),
            Pictures(
                "figures/specification.svg",
                "Readings of the paper",
                "Specification curve: the gain under every reading of what the paper leaves open, sorted.",
                expected=False,
            ),
        ),
    ),
    Section(
        key="audit",
        title="Audit of the images",
        says="Made before anything was trained: images that occur twice, copies with contradicting labels, test images "
        "with a copy in the training part, copies across data sets, and sheets of example pairs for the eye to judge "
        "(open a title to see its sheet).",
        tables=(Tables("audit/audit.md"), Tables("audit/across.md")),
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
                "Up to twelve pairs of images of {dataset} that are identical or nearly so, each with the names of its "
                "images, their classes and the pair's correlation.",
                folded=True,
            ),
        ),
    ),
    Section(
        key="data",
        title="Data and licences",
        says="Where the images come from and what their owners allow, and how they were divided.",
        tables=(Tables("tables/splits.md"),),
    ),
    Section(
        key="environment",
        title="Environment and settings",
        says="What the models were trained on, and with which settings. No setting is the paper's: those are not "
        "public.",
    ),
    Section(
        key="cost",
        title="Cost",
        says="What was trained for this page, and what each method was given.",
        tables=(Tables("tables/budgets.md"), Tables("tables/tuned.md", expected=False)),
    ),
    Section(key="reading", title="How to read this", says=""),
)

MORE = Section(
    key="more",
    title="More",
    says="Other tables and figures of this run.",
    folded=True,
)

TABLE_FOLDERS = ("tables", "audit", "selfcheck")
"""Where a run's Markdown tables lie."""
PICTURE_FOLDERS = ("figures", "audit")
"""Where a run's pictures lie, as .svg and .png or as .png alone."""
