"""What the columns of the tables mean: said here once, for the tables' JSON and LaTeX, the page and the documents.

`GLOSSARY` has for each table, by its label, what its headers mean. A `*` in either matches any text. A header that
says by itself what it is is listed in `PLAIN`; names of methods and data sets need no entry.
"""

import re
from collections.abc import Iterable, Mapping

EVERY = "*"
POINTER = "Columns: docs/reading-the-tables.md."
"""The line below a table that says where they are explained."""

GLOSSARY: Mapping[str, Mapping[str, str]] = {
    "claims": {
        "verdict as worded": "is what the paper's words say shown?",
        "verdict for the chain": "is it the chain? Against controls without one, which we ask for; both "
        "verdicts have equal weight",
        "as worded *": "gain in percentage points of accuracy of the comparison that decides or is the "
        "least favourable",
        "for the chain *": "the same, of the verdict for the chain",
    },
    "claims-why": {
        "effect *": "gain in percentage points of accuracy of the comparison that decides or is the least "
        "favourable",
        "comparisons": "how many decide, and of how many, or in brackets what else is asked for, where not all "
        "were run",
        "holds at any margin": "the margins, in points, at which the verdict is the same: against a method, "
        "of the loss that is tolerated; over a method, of the least gain that is asked for (contradicted: "
        "of the least loss). Contradicted: by Bonferroni over the family",
        "chance of shown": 'how probable "shown here" was if the gain were as claimed, which is told beside '
        'it: equal where the chain is to match; where the words are "up to", that much on one of the data sets '
        "and nothing on the others, their mean in brackets; else the margin. By a noncentral t with this run's "
        "own standard error and df; of several comparisons between what Bonferroni's inequality leaves and the "
        "smallest",
    },
    "published": {
        "paper says": "percentage points",
        "here": "the same comparison in this run, with its two-way interval, not adjusted; nothing is tested",
        "on": "largest: the data set with the largest gain here, chosen on these test images and so "
        "flattered",
        "paper's number is": "inside or outside the interval of this run",
    },
    "main": {
        "best control": "the control with the highest mean in the row, chosen on these test images and so "
        "flattered; in no test",
        "a new data set": "mean of the independent data sets, and prediction interval of the gain that one "
        "more would show (t over data sets)",
        "p (Holm), *": "by Holm in the family that is decided there, on the mean or on a data set that is alone in "
        "its modality; others are not tested",
        "verdict, *": "non-inferiority at the plan's margin, by Holm too, where a family is decided",
    },
    "families": {
        "data set": "what decides the comparison: macro is the mean over all independent data sets; a data set "
        "with its modality in brackets is the only one of it, and takes the place of its mean",
        "p (adjusted)": "corrected within the family, each of which is decided at alpha of its own",
        "correction": "over how many tests p is corrected. What is one test by algebra, or is held by "
        "several families, belongs to the first of them and counts once: its correction names that family",
        "detectable": "the gain found with 80 % power, where not significant",
        "seed share": "part of the variance due to seeds, the rest is due to cases; cases below 0: the "
        "estimate of their part is below zero and counts as 0; it may not be small",
        "verdict": "over: gain, loss, or undecided. against: non-inferior, inferior, or inconclusive at the "
        "plan's margin. like: equivalent within the margin at both ends, different beyond one, or open",
    },
    "along": {
        "M*": "Mi: mean of the chain's stage i, percent ± half-width of its interval; Mi - Mj: a link, the "
        "gain of a stage over the one before, in points",
        "p, *": "adjusted: on all independent data sets in the family that the note names; on those of a modality by "
        "Benjamini-Hochberg, secondary, unless another family asks the same. Differences that are one test by "
        "algebra count once, in the family that the plan names first",
    },
    "same-stage": {
        "stage *": "gain of the chain over a method with as many stages, read at the same stage, in "
        "percentage points. Secondary, not tested: the gains at the last stage that the plan tests are in "
        "the tables of gains, with p. identical: the predictions are the same",
    },
    "copied": {
        "link": "Mi to Mj: errors of Mi that Mj repeats, and behind their share how many errors of Mi it is of, a "
        "seed; mean of links: of their shares, unweighted",
        "never met": "members of `ensemble`, Mi is the one that is trained on the labels of stage i: each from an "
        "initial state of its own, without a teacher",
        "sequential": "without a teacher too: each model starts from the weights of the one before",
        "* - *": "difference of the shares, percentage points, with its interval",
        "p, *": "that the shares do not differ; exploratory, Benjamini-Hochberg over this table",
    },
    "panel*": {
        "* minus it *": "the chain minus the method of the row, percentage points",
        "at * point*": "verdict at that margin. Non-inferior: significantly above minus the margin; "
        "inferior: significantly below it; else inconclusive. Other margins than the plan's are sensitivity",
        "p (adjusted)": "that the difference is minus the plan's margin, adjusted within the family beside "
        "it",
        "family": "of the plan, or exploratory: not in the plan, no p",
    },
    "*accuracy*": {
        "majority class": "share of the test images that are of their most frequent class, percent",
        "chance": "one divided by the number of classes, percent",
        "smallest class": "of the test images, and how many it has",
    },
    "metrics-gains": {
        "better": "which values are better; where it is the lower, a gain below 0 is an improvement",
        "against *": "gain against what is named, percentage points, with its interval; here p is of no gain, as "
        "for the others",
        "p, *": "that there is no gain, adjusted; secondary, Benjamini-Hochberg over all of the plan's "
        "tests on these metrics and on means that decide nothing, each counted once",
    },
    "metrics-both": {
        "comparison": "over and against alike: here p is for a gain of 0",
        "accuracy": "gain in it, percentage points, with its interval",
        "balanced accuracy": "gain in it, percentage points, with its interval",
        "p, *": "adjusted: of the primary metric in its family; of the other secondary, Benjamini-Hochberg over all of "
        "the plan's tests on other metrics and on means that decide nothing, each counted once",
    },
    "classes-*": {
        "images (groups)": "test images of the class, and the groups that they form",
        "sensitivity": "share of the class's images that are found",
        "precision": "share of the images called so that are of the class; 0 where none is",
        "F1": "harmonic mean of sensitivity and precision",
    },
    "confusion-*": {
        "images": "test images of the class; a row adds up to so many times the number of seeds",
        "as *": "how many predictions, over all seeds, are of that class",
    },
    "across": {
        "these: *": "gain for new seeds and cases on the same data sets, which is what the plan decides by",
        "p (adjusted)": "in the family of the comparison on these data sets",
        "new: t over means *": "gain with the data sets as a sample of such, t over the data-set means; in "
        "no family",
        "p, t over means": "not adjusted",
        "new: random effects *": "the same by random effects: Paule-Mandel tau, modified "
        "Hartung-Knapp-Sidik-Jonkman interval; in no family",
        "p, random effects": "not adjusted",
        "tau": "standard deviation of the gain between data sets",
        "* prediction, true gain": "where the gain lies that one more data set has (random effects)",
        "* prediction, measured gain": "where the gain lies that a test on one more data set would measure "
        "(t over means)",
    },
    "modality": {
        "p, *": "adjusted, in families of their own and secondary ones, which a note names",
        "macro * of *": "gain on the mean over the modality's independent data sets, percentage points",
        "* (*)": "gain on the only independent data set of the modality, percentage points",
    },
    "leave-one-out": {
        "* CI]": "gain on all independent data sets, percentage points",
        "smallest": "of the means over the other independent data sets, and which one is left out",
        "largest": "of the means over the other independent data sets, and which one is left out",
        "side": "whether the interval of each mean, not adjusted, lies above or below its null, or neither: "
        "no verdict, which the tables of gains have",
    },
    "sensitivity-*": {
        "question": "what the test asks",
        "p": "not adjusted",
        "robust": "whether the four tests of Q3 agree: all significant on the same side, or none",
    },
    "variance-*": {
        "SE": "standard error of the gain",
        "seeds": "share of the variance that is due to seeds",
        "cases": "share of the variance that is due to cases; below 0: the estimate of that part is below "
        "zero and counts as 0; it may not be small",
        "detectable": "the gain found with 80 % power",
        "more of what": "the part above two thirds of the variance, else both",
        "*, 2k seeds": "what twice as many seeds would give: SE^2 = A/2 + c, with the seed part A halved "
        "and the case part c as it is",
    },
    "attention": {
        "map": "size of the attention map: mean over channels of the squared activation, deepest feature "
        "stage that attention transfer compares (Zagoruyko and Komodakis 2017)",
        "sharpness *": "mean over all test images of one minus the normalised entropy of a map, from 0 "
        "(flat) to 1 (one point)",
        "M* - M1 *": "change of sharpness from the first model to the last",
        "p": "that the sharpness does not change; in no family, not adjusted",
        "agreement *": "cosine of a model's map with that of the model before, from 0 to 1",
    },
    "checks": {
        "points *": "percentage points, with the interval of the level beside it",
        "level": "of the interval",
        "p (Holm)": "over all methods against the supervised bar; the label check is alone, and has none",
        "passed": "permuted labels: 0 lies in the interval; a method: not significantly above the bar",
    },
    "splits": {
        "images": "all that are used",
        "test": "share: of all images",
        "test with copies in training": "near-duplicates of images for training, or of the same patient; "
        "share: of the test images",
        "validation": "share: of what is not test",
        "D*": "labelled subset of a stage; share: of the training part",
        "rest": "of the training part, which no method on the labels of the chain sees",
        "labels used": "of all stages of the chain together",
        "smallest class used": "in any seed, and its images",
        "smallest in one stage": "in any seed; 0: a model of the chain learns from a subset without that "
        "class",
    },
    "budgets*": {
        "fits": "trained networks, a data set and seed. Fits that methods share are counted in each",
        "steps": "optimiser steps declared, a data set and seed",
        "steps run": "optimiser steps run, a data set and seed",
        "deployed steps": "in the weights of a network that predicts, those of its start included; where several "
        "predict, the most in any",
        "images seen": "in batches, a data set and seed",
        "labels": "different labelled images learnt from",
        "tuning trials": "a data set; in no other column",
        "diverged fits": "over all data sets and seeds",
    },
    "leakage*": {
        "grouped test part": "drawn by group, as in all other tables of the suite",
        "official test part": "the source's own, copies of training images included",
        "official - grouped": "difference in points, with its interval: other test images, taken as "
        "independent",
        "official, no copy in training": "on official test images without a copy among the source's images "
        "for training",
        "official, copy in training": "on those with one: a near-duplicate, or an image of the same "
        "patient, among the source's images for training, of which a method learns from some",
        "with - without a copy": "difference in points, with its interval",
    },
    "readings": {
        "reading *": "its changes from the reference reading",
        "over *": "gain in percentage points, with its interval, not adjusted for the number of readings",
        "pooled control": "of as many labels and steps as the reading's chain",
    },
    "curves": {
        "point": "labels in all, percent of the training part, and steps a stage; S is the suite's",
        "labels": "different labelled images, of the chain and of pooled alike; a range where data sets differ",
        "steps": "optimiser steps in all, of either",
        "weckd": "the chain's last stage, on the mean over data sets",
        "pooled": "one network on the same labels for as many steps, on the mean over data sets",
        "gain, *": "of the chain over pooled, percentage points, with its interval, not adjusted for the number of "
        "points",
    },
    "agreement": {
        "elsewhere": "a rerun that the reference holds beside its own; it decides nothing",
        "allowed": "largest difference, in percent or percentage points",
    },
    "selfcheck": {
        "value": "a fraction: a rate, a coverage, or a balanced accuracy minus chance",
        "allowed": "range of the value, ends included",
    },
    "audit-copies": {
        "distinct": "images, of identical ones one; identical: the same pixels",
        "clusters (largest)": "connected components of copies, identical or near, and the images of the "
        "largest",
        "groups": "clusters, joined with patients; a group stays together in every split",
        "conflicts: identical": "sets of identical images that carry more than one class",
        "conflicts: near": "clusters of near copies that carry more than one class",
        "copied in other sets": "images with a copy in another data set of the run",
        "recorded": "whether the prepared images are those of datasets.lock",
    },
    "audit-leaks": {
        "test part": "the official one where there is one, else images drawn at random, by image",
        "identical": "test images with the same pixels in training",
        "identical or near": "test images with a copy in training",
        "1-NN, *": "accuracy of one nearest neighbour (Euclidean, thumbnails) on test images without and "
        "with a copy: what memory alone reaches",
    },
    "audit-variants": {
        "pairs found": "of images of different groups that look like one photograph turned by any angle, "
        "mirrored, zoomed by 0.8 to 1.25 or shifted by up to a sixth of its side (benchmarks/variants.md: "
        "recall and precision on planted ones)",
        "sources": "what remains of the groups where such pairs are joined, as `groups: suspected` in a "
        "data set's entry does",
        "test images": "of the official test part where there is one, else of a share of the groups, drawn "
        "at random",
        "with one in training": "test images of such a pair whose other image is in training",
    },
    "audit-patients": {
        "1-NN, folds by image": "accuracy of one nearest neighbour (by correlation of thumbnails) on all "
        "images, each looked for in the other folds, drawn at random by image. What it has above that by "
        "patient is memory of patients",
        "1-NN, folds by patient": "the same with as many folds of whole patients, the source's own where it "
        "tells them",
    },
    "audit-across": {
        "images with a copy": "in the other data set: of one modality, or identical across modalities",
        "finding": "declared: the catalogue derives one from the other. Only a set that shares no image "
        "with the others is independent in a test across data sets: of two that share images, undeclared, "
        "the smaller is left out of every mean",
    },
    EVERY: {
        "p, *": "adjusted in its family; in its place a verdict where the comparison has a margin",
        "data set": "macro: the unweighted mean over the independent data sets, in which seeds are paired",
        "images (groups)": "test images, and the groups that they form: images of one patient, or copies of "
        "one another",
        "wins / ties / losses": "data sets, derived ones too, whose interval lies above the null, holds it, "
        "or lies below it; the null is 0 and, against a method, minus the margin",
        "gain *": "percentage points, with the interval for new seeds, new subset draws from this training "
        "pool and new test cases, not for a new pool",
        "M* over M*": "gain of a model of the chain over an earlier one, percentage points, with its interval; "
        "Mi is the model of stage i",
        "*over *": "gain over what is named, percentage points, with its interval",
        "against *": "gain against what is named, percentage points, with its interval; where it is tested, for "
        "non-inferiority",
        "like *": "gain over what is named, percentage points, with its interval; where it is tested, for "
        "equivalence",
        "slope per stage": "least squares over the stages, percentage points a stage",
        "last - first": "the last stage minus the first, percentage points",
        "comparison": "over: superiority, p for a gain of 0. against: non-inferiority, p for a gain of "
        "minus the plan's margin. like: equivalence by two one-sided tests, p for the nearer end of the "
        "margin",
        "balanced accuracy": "mean of the classes' sensitivities",
        "macro-F1": "mean of the classes' F1",
        "MCC": "Matthews' correlation coefficient, times 100",
        "macro-AUROC": "mean over classes of the area under the ROC curve of one class against the others",
        "Brier": "squared error of the probabilities",
        "NLL": "negative log-likelihood, in nats",
        "ECE*": "expected calibration error, 15 bins of equal mass; after temperature scaling: with the "
        "temperature that validation images choose",
        "accuracy at 80 % coverage": "on the 80 % of the images that the method is surest of",
        "macro*": "unweighted mean over the independent data sets, in which seeds are paired",
    },
}
PLAIN = frozenset(
    (
        *("method", "over", "what", "where", "of", "class", "classes", "claim", "question", "why", "note"),
        *(
            "source",
            "check",
            "subject",
            "compared",
            "metric",
            "family",
            "reference",
            "rerun",
            "agrees",
            "true class",
        ),
        *("outcome", "what it shows", "copies in", "images", "groups", "patients", "p", "test", "verdict"),
        *("test images (groups)", "leaked share", "images in them", "folds by patient"),
        *("copies (across patients)", "gain of the chain over", "accuracy", "test images", "data set"),
        *("learning rate", "alpha", "beta"),
    )
)
"""Headers that need no words."""
BELOW = (
    *("a new data set", "wins / ties / losses", "majority class", "chance", "smallest class"),
    *("best control", "on"),
)
"""What a note below the table explains: rows of no method or data set, and what could mislead a reader."""


def meaning(label: str, header: str) -> str:
    """Return what a header of a table means; empty where nothing is said of it.

    What is said of that table goes before what is said of all, and of both the first pattern that fits.
    """
    found = (
        text
        for table, terms in GLOSSARY.items()
        if fits(table, label)
        for pattern, text in terms.items()
        if fits(pattern, header)
    )
    return next(found, "")


def terms_of(label: str, headers: Iterable[object]) -> dict[str, str]:
    """Return what the headers of a table mean, of those that need it."""
    return {name: text for name in map(str, headers) if (text := meaning(label, name))}


def glossary() -> str:
    """Return what the columns mean as a Markdown table, for docs/reading-the-tables.md."""
    lines = ["| table | column | what it means |", "| --- | --- | --- |"]
    for table, terms in GLOSSARY.items():
        where = "every other" if table == EVERY else f"`{table}`"
        lines += [f"| {where} | `{header}` | {text} |" for header, text in terms.items()]
    return "\n".join(lines) + "\n"


def fits(pattern: str, text: str) -> bool:
    """Say whether a pattern fits a text; a `*` in it matches any text."""
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text))
