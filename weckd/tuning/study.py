"""The study of one method on one data set: trials that Optuna asks for, kept in a file as they finish."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from weckd.config import build
from weckd.errors import UserError, unreadable
from weckd.files import with_sum, without_sum, writing
from weckd.locks import held_lock
from weckd.methods.tunables import Tunable
from weckd.seeds import stream_seed

STARTUP_TRIALS = 5
"""Trials drawn at random before the sampler learns from them; the committed settings are the first."""
_SEEDS = 2**32
"""NumPy's old generators, which Optuna uses, take seeds below this."""


@dataclass(frozen=True)
class Outcome:
    """What a trial came to: means over its seeds, of the method's last stage on validation images."""

    accuracy: float  # 0 where a fit diverged
    nll: float | None  # mean negative log-likelihood, nats; None where a fit diverged
    diverged: bool
    steps: int  # optimiser steps of all its fits
    images: int  # views that they saw


@dataclass(frozen=True)
class Trial:
    """One set of values and what they came to."""

    number: int
    values: dict[str, float]
    outcome: Outcome


def run_study(
    file: Path,
    ask: Callable[[Sequence[Trial]], Mapping[str, float]],
    tunables: Sequence[Tunable],
    trials: int,
    evaluate: Callable[[Mapping[str, float]], Outcome],
    tell: Callable[[str], None],
    what: str = "trial",
) -> tuple[Trial, ...]:
    """Return the first `trials` trials, running those that the file lacks.

    Args:
        file: finished trials, one JSON object a line; written after each trial.
        ask: returns the values of the next trial, shown those before it.
        tunables: what is searched.
        trials: how many, at least 1.
        evaluate: trains and scores one set of values.
        tell: takes a line of progress.
        what: what a trial is called in it.

    Raises:
        UserError: the file holds something else than trials of these tunables, or cannot be written.
    """
    with held_lock(file.with_name(f".{file.name}.lock")):
        done = _read(file, tunables)
        if done:
            tell(f"{min(len(done), trials)} of {trials} {what}s are there")
        while len(done) < trials:
            values = dict(ask(done))
            trial = Trial(len(done), values, evaluate(values))
            _append(file, trial)
            done.append(trial)
            tell(_line(what, trial, trials, best_trial(done)))
    return tuple(done[:trials])


def best_trial(trials: Sequence[Trial]) -> Trial:
    """Return the trial of the highest accuracy; ties go to the lower likelihood loss, then to the earlier trial.

    Where every trial diverged it is the first, the committed settings.
    """
    finished = [trial for trial in trials if not trial.outcome.diverged] or [trials[0]]
    return min(finished, key=lambda t: (-t.outcome.accuracy, t.outcome.nll or 0.0, t.number))


def finalists(trials: Sequence[Trial], count: int) -> tuple[Trial, ...]:
    """Return the committed settings and the best of the other trials, `count` in all, in the order of their numbers."""
    found = [trials[0]]
    while len(found) < min(count, len(trials)):
        found.append(best_trial([trial for trial in trials if trial not in found]))
    return tuple(sorted(found, key=lambda trial: trial.number))


def over_seeds(first: Outcome, others: Outcome, seeds: int) -> Outcome:
    """Return a trial's outcome over `seeds` seeds: of the first one, and of all others together."""
    diverged = first.diverged or others.diverged
    one, many = 1 / seeds, 1 - 1 / seeds
    return Outcome(
        accuracy=0.0 if diverged else one * first.accuracy + many * others.accuracy,
        nll=None if first.nll is None or others.nll is None else one * first.nll + many * others.nll,
        diverged=diverged,
        steps=first.steps + others.steps,
        images=first.images + others.images,
    )


def asked(key: tuple[str | int, ...], tunables: Sequence[Tunable], done: Sequence[Trial]) -> dict[str, float]:
    """Return the values of the next trial: the committed settings, then what the search asks for.

    That is Optuna's tree-structured Parzen estimator. Each trial is asked from a sampler of its own, seeded by key
    (what the random stream belongs to, such as data set and method) and number, that is shown the trials before it: a
    study that was stopped, and one that is made longer, asks what an undisturbed one would.
    """
    if not done:
        return {each.name: each.default for each in tunables}
    # Imported here, for a second or two that reading finished studies need not wait.
    import optuna  # noqa: PLC0415
    from optuna.samplers import TPESampler  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ranges: dict[str, optuna.distributions.BaseDistribution] = {
        each.name: optuna.distributions.FloatDistribution(each.low, each.high, log=each.log)
        for each in tunables
    }
    seed = stream_seed("tuning", *key, len(done)) % _SEEDS
    sampler = TPESampler(n_startup_trials=STARTUP_TRIALS, seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in done:
        score = 0.0 if trial.outcome.diverged else trial.outcome.accuracy
        study.add_trial(optuna.trial.create_trial(params=trial.values, distributions=ranges, value=score))
    return {name: float(value) for name, value in study.ask(ranges).params.items()}


def _read(file: Path, tunables: Sequence[Tunable]) -> list[Trial]:
    """Return the finished trials, without a last line that was torn by the end of its writer."""
    try:
        text = file.read_bytes() if file.exists() else b""
        *lines, torn = text.split(b"\n")
        if torn:
            os.truncate(file, len(text) - len(torn))
    except OSError as problem:
        raise UserError(
            f"{file}: cannot be read ({problem.strerror}); give yourself the right to"
        ) from problem
    return [_parsed(file, number, line, tunables) for number, line in enumerate(lines)]


def _parsed(file: Path, number: int, line: bytes, tunables: Sequence[Tunable]) -> Trial:
    where = f"{file}, line {number + 1}"
    remedy = "delete the file to have the search made again, or restore it"
    with unreadable(where, "not a trial", remedy):
        trial: Trial = build(Trial, without_sum(line))
    if trial.number != number:
        raise UserError(f"{where}: holds trial {trial.number}, not {number}; {remedy}")
    if set(trial.values) != {each.name for each in tunables}:
        raise UserError(f"{where}: has values of {', '.join(trial.values)}, not of what is tuned; {remedy}")
    for tunable in tunables:
        value = trial.values[tunable.name]
        if not tunable.low <= value <= tunable.high:
            raise UserError(
                f"{where}: {tunable.name} {value} is not in {tunable.low} .. {tunable.high}; {remedy}"
            )
    return trial


def _append(file: Path, trial: Trial) -> None:
    line = json.dumps(with_sum(asdict(trial)), sort_keys=True, allow_nan=False) + "\n"
    with writing(file), file.open("ab") as stream:
        stream.write(line.encode())
        stream.flush()
        os.fsync(stream.fileno())


def _line(what: str, trial: Trial, trials: int, best: Trial) -> str:
    values = ", ".join(f"{name} {value:.4g}" for name, value in trial.values.items())
    outcome = trial.outcome
    score = "diverged" if outcome.diverged else f"{100 * outcome.accuracy:.1f} % of validation images"
    return (
        f"{what} {trial.number + 1} of {trials}: {values}: {score}; best so far "
        f"{100 * best.outcome.accuracy:.1f} % ({what} {best.number + 1})"
    )
