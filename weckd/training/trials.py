"""Tuning one method on one data set: trials are trained on seeds of their own and judged on validation images alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from weckd.config import Suite
from weckd.files import digest
from weckd.methods.catalogue import find_method
from weckd.methods.chain import trial_budget
from weckd.methods.fits import Fit, Method
from weckd.methods.tunables import tunables_of, with_values
from weckd.run_files import RunFiles
from weckd.training.fit import FitResult, train_fit
from weckd.training.gather import probabilities_of
from weckd.training.identity import code_beyond_core
from weckd.training.job import Progress, open_cells
from weckd.training.limits import deterministic
from weckd.training.optimisation import Cell
from weckd.tuning.chosen import Chosen, write_chosen
from weckd.tuning.study import Outcome, Trial, asked, best_trial, finalists, over_seeds, run_study

JUDGED_ON = ("validation",)
"""A trial never predicts a test image."""
_JUDGES = ("weckd.tuning.study", "weckd.training.trials:_outcome", "weckd.training.gather:probabilities_of")
"""The code that asks for trials and judges them, beside that of their fits."""


def tune_method(suite: Suite, run: RunFiles, dataset: str, name: str) -> None:
    """Search for a method's settings on one data set and write what was chosen, see `weckd.tuning.chosen`.

    Every trial is trained on the first seed, then the finalists on the others (one round of successive halving,
    Jamieson and Talwalkar 2016), so that every method has as many fits. Finished trials are kept in files of their own,
    so that a stopped search goes on where it was and a longer one begins where a shorter one ended. Their names hold
    the hash of all that determines a trial. Read are prepared images, splits of the tuning seeds and fetched weights.

    Raises:
        UserError: the images, a split or the weights are not what was written, or do not fit the suite.
    """
    tuning = suite.tuning
    method = find_method(name)(trial_budget(suite))
    tunables = tunables_of(method, suite.training.learning_rate)
    fits = method.fits()
    opened = [*open_cells(suite, run, dataset, fits, tuning.seeds, JUDGED_ON, tuning=True)]
    cells = [cell for cell, *_ in opened]
    identity = digest(
        {
            "fits": [each for *_, identities in opened for each in identities.values()],
            "result": [fits.index(member) for member in method.stages[-1] if isinstance(member, Fit)],
            "knobs": [asdict(each) for each in tunables],
            "tuned": [
                with_values(method, {each.name: each.high}).fits()[-1].ingredients() for each in tunables
            ],
            "search": [version("optuna"), code_beyond_core(*_JUDGES)],
        }
    )
    label = f"{dataset} {name}"
    steps = sum(fit.steps for fit in fits)

    def evaluate(on: Sequence[Cell], values: Mapping[str, float]) -> Outcome:
        return _outcome(with_values(method, values), on, Progress(label, len(on) * steps))

    def study(
        what: str,
        of: str,
        on: Sequence[Cell],
        ask: Callable[[Sequence[Trial]], Mapping[str, float]],
        count: int,
    ) -> tuple[Trial, ...]:
        file = run.studies / dataset / f"{name}-{identity[:20]}{of}.jsonl"
        return run_study(file, ask, tunables, count, partial(evaluate, on), Progress(label, 0).tell, what)

    trials = judged = study("trial", "", cells[:1], partial(asked, (dataset, name), tunables), tuning.trials)
    if len(cells) > 1:
        last = finalists(trials, tuning.finalists)
        of = f"-finalists-{digest([trial.values for trial in last])[:8]}"
        again = study("finalist", of, cells[1:], lambda done: last[len(done)].values, len(last))
        judged = tuple(
            replace(trial, outcome=over_seeds(trial.outcome, other.outcome, len(cells)))
            for trial, other in zip(last, again, strict=True)
        )
        trials = (*trials, *again)
    best, default = best_trial(judged), judged[0]
    write_chosen(
        Chosen(
            dataset=dataset,
            method=name,
            trials=tuning.trials,
            seeds=tuning.seeds,
            values=best.values,
            defaults=default.values,
            best=best.number,
            accuracy=best.outcome.accuracy,
            default_accuracy=default.outcome.accuracy,
            steps=sum(trial.outcome.steps for trial in trials),
            images=sum(trial.outcome.images for trial in trials),
        ),
        run.tuned(dataset, name),
    )


def _outcome(method: Method, cells: Sequence[Cell], progress: Progress) -> Outcome:
    """Train a method in every cell; return its last stage's mean validation accuracy and negative log-likelihood."""
    scores = []
    results: list[tuple[Fit, FitResult]] = []
    for cell in cells:
        trained = _train(method, replace(cell, on_step=progress.step))
        results.extend(trained.items())
        members = [trained[member] for member in method.stages[-1] if isinstance(member, Fit)]
        scores.append(_score(members, cell))
    diverged = any(result.state is None for _, result in results)
    accuracy, nll = np.mean(scores, axis=0)
    return Outcome(
        accuracy=0.0 if diverged else float(accuracy),
        nll=None if diverged else float(nll),
        diverged=diverged,
        steps=sum(result.record["steps_run"] * fit.networks for fit, result in results),
        images=sum(result.record["images"] for _, result in results),
    )


def _train(method: Method, cell: Cell) -> dict[Fit, FitResult]:
    results: dict[Fit, FitResult] = {}
    for fit in method.fits():
        with deterministic(cell.networks.settings(fit), cell.networks.image_size):
            results[fit] = train_fit(fit, cell, lambda parent: results[parent].state)
    return results


def _score(members: Sequence[FitResult], cell: Cell) -> tuple[float, float]:
    labels = cell.data.labels[cell.data.parts["validation"]]
    probabilities: NDArray[np.float64] = np.mean(
        [probabilities_of(member.logits["validation"]) for member in members], axis=0
    )
    true = np.clip(probabilities[np.arange(len(labels)), labels], np.finfo(np.float64).tiny, None)
    return float((probabilities.argmax(axis=1) == labels).mean()), float(-np.log(true).mean())
