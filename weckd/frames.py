"""A run's results as pandas frames, for those who go on with them: `weckd.load(run)`.

The tables' frames have the columns and numbers of their CSV files. What each column is, is said here once: the types
that frames have, and docs/results.md, are made of it.
"""

import shutil
import tempfile
import weakref
from functools import cached_property
from io import StringIO
from itertools import product
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from weckd.agreement.freeze import unfreeze
from weckd.analysis.imported import imported_files, with_imported
from weckd.analysis.predictions import KEYS, cell_predictions
from weckd.config import Suite, load_suite
from weckd.data.splits import read_split
from weckd.errors import UserError, counted, unreadable
from weckd.files import FOLDER_SUMS, refuse_changed
from weckd.run_files import FACTS, RunFiles, no_run
from weckd.runs import DRAW

TEXT, NUMBER, WHOLE, FLAG = "string", "float64", "int64", "bool"
WHOLE_OR_NONE, FLAG_OR_NONE = "Int64", "boolean"
"""Types of columns; what is not there, as in a claim of which nothing was compared, is <NA>, of a number with a point
NaN."""
COLUMNS = {
    "suite": (TEXT, "name of the run"),
    "phantom": (FLAG_OR_NONE, "whether the images are drawn; of a mean, whether any are"),
    "dataset": (TEXT, "data set; in tables also a mean over data sets, such as `macro`"),
    "seed": (WHOLE, "seed of the run"),
    "method": (TEXT, "method, as `weckd methods` lists it"),
    "stage": (WHOLE_OR_NONE, "model of the chain, or step of a method, from 1"),
    "final": (FLAG, "whether it is the method's last stage, the one that is compared"),
    "metric": (TEXT, "such as `accuracy`"),
    "k": (WHOLE_OR_NONE, "number of seeds"),
    "n_images": (WHOLE_OR_NONE, "number of test images"),
    "n_groups": (WHOLE_OR_NONE, "number of groups of test images"),
    "unit": (TEXT, "percent, points, or nats (of NLL)"),
    "ci_low": (NUMBER, "lower end of the interval"),
    "ci_high": (NUMBER, "upper end of the interval"),
    "se": (NUMBER, "standard error"),
    "df": (NUMBER, "degrees of freedom of the t distribution"),
    "plan_hash": (TEXT, "hash of the analysis plan"),
    # Of predictions and splits.
    "split": (TEXT, "`test`, or `validation`"),
    "image_id": (TEXT, "image, unique in its data set"),
    "group_id": (TEXT, "group of images that splits keep together, unique in its data set"),
    "y": (WHOLE, "true class, from 0"),
    "predicted": (
        WHOLE_OR_NONE,
        "class of the highest probability, the first of equal ones; `<NA>` where the fit diverged",
    ),
    "correct": (FLAG_OR_NONE, "whether it is the true one; `<NA>` where the fit diverged"),
    "class": (TEXT, "key of the true class"),
    "part": (TEXT, "`test`, `validation`, `D1`, `D2`, .. of the stages, or `rest`"),
    "draws": (TEXT, "overlapping draws that the image is in, such as `E2+E3`"),
    # Of gains and claims.
    "reference": (TEXT, "what the method is compared with: a method, or its own earlier stage"),
    "gain": (NUMBER, "mean over the seeds of method minus reference"),
    "test": (TEXT, "the test"),
    "family": (TEXT, "family of the plan, `secondary`, `exploratory` or `single data set`"),
    "correction": (TEXT, "how p is adjusted, and over how many tests"),
    "alpha": (NUMBER, "level of the tests, and 1 minus that of the intervals"),
    "p": (NUMBER, "two-sided, not adjusted"),
    "p_adjusted": (NUMBER, "adjusted within the family"),
    "verdict": (TEXT, "gain, loss or undecided; interval only; why it is not tested"),
    "non_inferiority": (TEXT, "the same of non-inferiority: non-inferior, inferior or inconclusive"),
    "non_inferiority_p": (NUMBER, "its p, adjusted within its family"),
    "non_inferiority_family": (TEXT, "its family"),
    "equivalence": (TEXT, "the same of equivalence: equivalent, different or open"),
    "equivalence_p": (NUMBER, "its p, adjusted within its family"),
    "equivalence_family": (TEXT, "its family"),
    "min_detectable": (NUMBER, "gain that such a run finds with 80 % power"),
    # Of claims alone.
    "claim": (TEXT, "number and name of the paper's claim"),
    "source": (TEXT, "where the paper says so"),
    "verdict as worded": (TEXT, "verdict on the claim as the paper words it"),
    "verdict for the chain": (TEXT, "verdict on whether it is the chain"),
    "question": (TEXT, "which of the two this row's comparison belongs to"),
    "reading": (TEXT, "where the words allow several readings, which one"),
    "claim_verdict": (TEXT, "verdict on the question under that reading"),
    "claim_reason": (TEXT, "why there is none"),
    "absent": (TEXT, "comparisons of the question that this run does not have"),
    "holds_up_to_margin": (NUMBER, "largest margin at which the verdict is the same"),
    "holds_from_margin": (NUMBER, "smallest margin at which the verdict is the same"),
    "true_gain": (NUMBER, "gain that the claim speaks of"),
    "chance_shown_least": (NUMBER, "least chance of *shown here* if that gain is true"),
    "chance_shown_most": (NUMBER, "largest chance of *shown here* if that gain is true"),
    # Of accuracy.
    "mean": (NUMBER, "mean over the seeds"),
    "half_width": (NUMBER, "half the width of the interval"),
    "seed_share": (NUMBER, "share of the variance of the mean that is due to seeds"),
    "majority_pct": (NUMBER, "percent of the test images that are of the largest class"),
    "chance_pct": (NUMBER, "100 over the number of classes"),
    "smallest_class": (TEXT, "class with the fewest test images"),
    "smallest_class_n": (WHOLE_OR_NONE, "number of its test images"),
    "missing": (TEXT, "what keeps the mean from being computed"),
}
"""Column -> its type, and what it holds."""
PROBABILITIES = (
    "p_0, p_1, ..",
    "float32",
    "probability of each class; NaN beyond the classes of the data set",
)
_WHERE = ("suite", "phantom", "dataset")
_GAINS = (
    *(*_WHERE, "method", "stage", "reference", "metric", "k", "n_images", "n_groups", "unit"),
    *("gain", "ci_low", "ci_high", "se", "df", "test", "family", "correction", "alpha", "p", "p_adjusted"),
    *("verdict", "non_inferiority", "non_inferiority_p", "non_inferiority_family"),
    *("equivalence", "equivalence_p", "equivalence_family", "min_detectable", "plan_hash"),
)
FRAMES = {
    "predictions": (*KEYS, "predicted", "correct", "final"),
    "gains": _GAINS,
    "claims": (
        *("claim", "source", "verdict as worded", "verdict for the chain", "question", "reading"),
        *("claim_verdict", "claim_reason", "absent", "holds_up_to_margin", "holds_from_margin"),
        *("true_gain", "chance_shown_least", "chance_shown_most"),
        *_GAINS,
    ),
    "accuracy": (
        *(*_WHERE, "method", "stage", "final", "metric", "k", "n_images", "n_groups", "unit", "mean"),
        *("half_width", "ci_low", "ci_high", "se", "df", "seed_share", "majority_pct", "chance_pct"),
        *("smallest_class", "smallest_class_n", "missing", "plan_hash"),
    ),
    "splits": ("dataset", "seed", "image_id", "group_id", "class", "y", "part", "draws"),
}
"""Frame -> its columns; predictions have those of the probabilities behind them."""
_GOES_ON = "finish the run with the command that `weckd runs` lists"


class Run:
    """A finished run, a reference that was drawn, or a frozen one, by its folder; each frame is read when asked for.

    A frozen reference has predictions and splits; its tables are those of what is drawn of it.
    """

    def __init__(self, folder: Path) -> None:
        """Read the run's settings.

        Raises:
            UserError: the folder holds no run, or a file of it is not what was written.
        """
        if not RunFiles(folder).suite.exists():
            raise no_run(folder, folder.parent)
        self.folder = folder
        self._frozen = (folder / FACTS).exists()

    @cached_property
    def suite(self) -> Suite:
        """The run's settings, with imported methods behind the suite's own."""
        return with_imported(load_suite(self._files.suite), self._files.folder)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Every prediction of a test or validation image: a row a data set, seed, method, stage and image.

        Raises:
            UserError: a file is missing, or not what was written.
        """
        imported = imported_files(self._files.folder)
        frames = []
        for key, seed in product(self.suite.datasets, self.suite.seeds):
            file = self._files.prediction(key, seed)
            if not file.exists():
                raise UserError(f"{file}: missing; {_GOES_ON}")
            frames.append(_judged(cell_predictions(file, self.suite, key, seed, imported)))
        whole = pd.concat(frames, ignore_index=True)
        whole["final"] = whole["stage"] == whole.groupby("method")["stage"].transform("max")
        classes = max(len(self.suite.facts[key].classes) for key in self.suite.datasets)
        return _typed(whole[[*FRAMES["predictions"], *(f"p_{position}" for position in range(classes))]])

    @cached_property
    def splits(self) -> pd.DataFrame:
        """Which part of its data set each image is in: a row a data set, seed and image.

        Raises:
            UserError: a file is missing, or no split file.
        """
        frames = []
        for key, seed in product(self.suite.datasets, self.suite.seeds):
            file = self._files.split(key, seed)
            if not file.exists():
                raise UserError(f"{file}: missing; {_GOES_ON}")
            frames.append(read_split(file).replace("", pd.NA).assign(dataset=key, seed=seed))
        return _typed(pd.concat(frames, ignore_index=True)[[*FRAMES["splits"]]])

    @cached_property
    def gains(self) -> pd.DataFrame:
        """Every gain: a row a data set or mean, method, stage, reference and metric (tables/gains.csv).

        Raises:
            UserError: it was not drawn, or is not what was written.
        """
        return self._table("gains")

    @cached_property
    def claims(self) -> pd.DataFrame:
        """The comparisons that decide the paper's claims: a row each of a claim and question (tables/claims.csv).

        Raises:
            UserError: it was not drawn, or is not what was written.
        """
        return self._table("claims")

    @cached_property
    def accuracy(self) -> pd.DataFrame:
        """Accuracy and balanced accuracy: a row a data set or mean, method, stage and metric (tables/accuracy.csv).

        Raises:
            UserError: it was not drawn, or is not what was written.
        """
        return self._table("accuracy")

    def __repr__(self) -> str:
        suite = self.suite
        sizes = zip(("data set", "method", "seed"), (suite.datasets, suite.methods, suite.seeds), strict=True)
        facts = ", ".join(counted(len(values), noun) for noun, values in sizes)
        here = [name for name in FRAMES if self._frozen <= (name in ("predictions", "splits"))]
        kind = "frozen run" if self._frozen else "run"
        return f"{kind} {suite.run} ({self.folder}): {facts}; plan {suite.plan_hash}; {', '.join(here)}"

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"{self.folder}: no {name}; there are {', '.join(FRAMES)} and suite; a trained network "
            "is written by `weckd export`"
            if not name.startswith("_")
            else name
        )

    @cached_property
    def _files(self) -> RunFiles:
        if not self._frozen:
            return RunFiles(self.folder)
        laid_out = Path(tempfile.mkdtemp(prefix="weckd-"))
        weakref.finalize(self, shutil.rmtree, laid_out)
        unfreeze(self.folder, laid_out)
        return RunFiles(laid_out)

    def _table(self, name: str) -> pd.DataFrame:
        file = self.folder / "tables" / f"{name}.csv"
        if self._frozen:
            drawn = f"results/{self.suite.run}-reference"
            raise UserError(f"{self.folder}: a frozen reference has no {name}; {DRAW}, and load {drawn}")
        if not file.exists():
            raise UserError(f"{file}: not drawn; {_GOES_ON}")
        refuse_changed(file, file.with_name(FOLDER_SUMS))
        text = file.read_text(encoding="utf-8")
        with unreadable(file, "not the table that this version draws", "draw it again"):
            # Of nothing, a table may have no columns either.
            given = (
                pd.read_csv(StringIO(text), keep_default_na=False, na_values=[""]) if text.strip() else None
            )
            if given is None or given.empty:
                return _typed(pd.DataFrame(columns=[*FRAMES[name]]))
            if tuple(given) != FRAMES[name]:
                raise ValueError(f"columns {', '.join(map(str, given))}")
            return _typed(given)


def _judged(frame: pd.DataFrame) -> pd.DataFrame:
    """Return predictions with what was predicted, and whether it was right."""
    values = frame.iloc[:, len(KEYS) :].to_numpy(dtype=np.float32)
    highest = pd.Series(np.where(np.isnan(values), -1, values).argmax(axis=1), dtype=WHOLE_OR_NONE)
    predicted = highest.mask(np.isnan(values).any(axis=1))
    return frame.assign(predicted=predicted, correct=predicted == frame["y"])


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({name: COLUMNS[name][0] for name in map(str, frame) if name in COLUMNS})


def columns_table(name: str) -> str:
    """Return the Markdown table of a frame's columns: type and meaning of each."""
    rows = [(column, *COLUMNS[column]) for column in FRAMES[name] if name != "claims" or column not in _GAINS]
    rows += [PROBABILITIES] if name == "predictions" else []
    return "\n".join(
        [
            "| column | type | meaning |",
            "| --- | --- | --- |",
            *(f"| `{c}` | {t} | {m} |" for c, t, m in rows),
        ]
    )
