"""A study: what it asks, that a stop or a longer search changes nothing, and what it makes of a damaged file."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from weckd.errors import UserError
from weckd.files import with_sum
from weckd.methods.tunables import Tunable
from weckd.tuning.study import Outcome, Trial, asked, best_trial, finalists, over_seeds, run_study

TUNABLES = (
    Tunable("learning_rate", 0.001, 0.064, log=True, default=0.008),
    Tunable("alpha", 0.05, 0.95, log=False, default=0.5),
)
KEY = ("toy", "weckd")


def outcome(accuracy, nll=1.0, diverged=False):
    return Outcome(accuracy, None if diverged else nll, diverged, 48, 384)


def peak(values):
    """Best at a rate of 0.03 and an alpha of 0.8."""
    distance = math.log(values["learning_rate"] / 0.03) ** 2 + (values["alpha"] - 0.8) ** 2
    return outcome(math.exp(-distance))


def study(file, trials, evaluate=peak, key=KEY):
    told = []
    ask = partial(asked, key, TUNABLES)
    return run_study(file, ask, TUNABLES, trials, evaluate, told.append), told


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    file = tmp_path_factory.mktemp("undisturbed") / "study.jsonl"
    trials, told = study(file, 16)
    return file.read_bytes(), trials, told


def test_the_first_trial_is_the_committed_settings_and_a_better_one_is_found(undisturbed):
    _, trials, _ = undisturbed
    assert [trial.number for trial in trials] == list(range(16))
    assert trials[0].values == {"learning_rate": 0.008, "alpha": 0.5}
    best = best_trial(trials)
    assert best.outcome.accuracy > 0.8
    assert trials[0].outcome.accuracy < 0.2
    assert len({tuple(trial.values.items()) for trial in trials}) == 16  # none is asked twice
    for trial in trials:
        assert 0.001 <= trial.values["learning_rate"] <= 0.064
        assert 0.05 <= trial.values["alpha"] <= 0.95


def test_a_line_tells_each_trial_and_the_best_so_far(undisturbed):
    _, trials, told = undisturbed
    assert len(told) == 16
    assert told[0] == (
        "trial 1 of 16: learning_rate 0.008, alpha 0.5: 15.9 % of validation images; best so far 15.9 % (trial 1)"
    )
    best = best_trial(trials)
    assert told[-1].endswith(f"best so far {100 * best.outcome.accuracy:.1f} % (trial {best.number + 1})")


def test_the_sampler_learns_from_what_it_is_shown(undisturbed, tmp_path):
    _, trials, _ = undisturbed
    flat, _ = study(tmp_path / "flat.jsonl", 16, lambda _: outcome(0.5))
    values = [[trial.values for trial in found] for found in (trials, flat)]
    assert values[0][:5] == values[1][:5]  # drawn at random
    assert values[0][5] != values[1][5]


@pytest.mark.parametrize("finished", range(8))
def test_a_stopped_study_goes_on_as_if_undisturbed(undisturbed, tmp_path, finished):
    whole, _, _ = undisturbed
    file, done = tmp_path / "study.jsonl", []

    def stopping(values):
        if len(done) == finished:
            raise KeyboardInterrupt
        done.append(values)
        return peak(values)

    with pytest.raises(KeyboardInterrupt):
        study(file, 16, stopping)
    _, told = study(file, 16)
    assert file.read_bytes() == whole
    assert len(told) == 16 - finished + (finished > 0)
    assert (f"{finished} of 16 trials are there" in told) == (finished > 0)


def test_a_longer_study_begins_where_a_shorter_one_ended_and_a_shorter_one_needs_no_trial(
    undisturbed, tmp_path
):
    whole, trials, _ = undisturbed
    file = tmp_path / "study.jsonl"
    for count in (2, 9, 16):
        found, _ = study(file, count)
        assert found == trials[:count]
    assert file.read_bytes() == whole
    found, told = study(file, 4, lambda _: pytest.fail("a trial was made again"))
    assert found == trials[:4]
    assert told == ["4 of 4 trials are there"]


def test_another_method_or_set_asks_other_values(undisturbed, tmp_path):
    _, trials, _ = undisturbed
    for key in (("toy", "pooled"), ("other", "weckd")):
        found, _ = study(tmp_path / key[0] / f"{key[1]}.jsonl", 3, key=key)
        assert found[0].values == trials[0].values
        assert found[1].values != trials[1].values


def test_a_torn_last_line_is_cut_off_and_its_trial_made_again(undisturbed, tmp_path):
    whole, _, _ = undisturbed
    file = tmp_path / "study.jsonl"
    last = len(whole.splitlines(keepends=True)[-1])
    for cut in (1, 30, last - 1):
        file.write_bytes(whole[:-cut])
        study(file, 16)
        assert file.read_bytes() == whole
    file.write_bytes(whole[:-30])
    study(file, 15)
    assert file.read_bytes() == whole[:-last]


def summed(line):
    return json.dumps(with_sum(json.loads(line)), sort_keys=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines: [lines[0], lines[1][:-9], *lines[2:]], r"line 2: not a trial \(.*\)"),
        (lambda lines: [lines[0], "[1]", *lines[2:]], r"line 2: not a trial \(.*\)"),
        (lambda lines: [lines[0], '{"number": 1}', *lines[2:]], r"line 2: not a trial \(.*\)"),
        (lambda lines: [lines[0], "\0" * len(lines[1]), *lines[2:]], r"line 2: not a trial \(.*\)"),
        (
            lambda lines: [summed(lines[0].replace("alpha", "beta")), *lines[1:]],
            "line 1: has values of beta, learning_rate, not of what is tuned",
        ),
        (
            lambda lines: [summed(lines[0].replace('"alpha": 0.5', '"alpha": 5.5')), *lines[1:]],
            r"line 1: alpha 5.5 is not in 0.05 .. 0.95",
        ),
        (
            lambda lines: [lines[0].replace('"accuracy": 0.1', '"accuracy": 0.9'), *lines[1:]],
            r"line 1: not a trial \(edited, its sum is another one\)",
        ),
        (lambda lines: [lines[0], *lines[2:]], "line 2: holds trial 2, not 1"),
        (lambda lines: [lines[0], lines[0], *lines[1:]], "line 2: holds trial 0, not 1"),
    ],
)
def test_a_damaged_file_is_refused_by_line(undisturbed, tmp_path, damage, message):
    whole, _, _ = undisturbed
    file = tmp_path / "study.jsonl"
    file.write_text("\n".join(damage(whole.decode().splitlines())) + "\n")
    remedy = "delete the file to have the search made again, or restore it"
    with pytest.raises(UserError, match=rf"^{file}, {message}; {remedy}$"):
        study(file, 16)


def test_values_are_kept_exactly(undisturbed):
    whole, trials, _ = undisturbed
    lines = [json.loads(line) for line in whole.splitlines()]
    assert [line["values"] for line in lines] == [trial.values for trial in trials]


def test_a_diverged_trial_counts_as_nothing_right(tmp_path):
    def fragile(values):
        return outcome(0.0, diverged=True) if values["learning_rate"] > 0.008 else outcome(0.4)

    trials, told = study(tmp_path / "study.jsonl", 12, fragile)
    assert {trial.outcome.diverged for trial in trials} == {True, False}
    assert not best_trial(trials).outcome.diverged
    lost = [number for number, trial in enumerate(trials) if trial.outcome.diverged]
    assert [
        number for number, line in enumerate(told) if ": diverged; best so far 40.0 % (trial " in line
    ] == lost
    all_lost, _ = study(tmp_path / "lost.jsonl", 3, lambda _: outcome(0.0, diverged=True))
    assert best_trial(all_lost).number == 0


def test_the_sampler_takes_a_diverged_trial_for_the_worst_whatever_its_accuracy(tmp_path):
    def ending(accuracy):
        return lambda values: outcome(accuracy, diverged=True) if values["alpha"] > 0.5 else outcome(0.4)

    flattered, _ = study(tmp_path / "flattered.jsonl", 12, ending(0.9))
    plain, _ = study(tmp_path / "plain.jsonl", 12, ending(0.0))
    assert [trial.values for trial in flattered] == [trial.values for trial in plain]


@pytest.mark.parametrize(
    ("outcomes", "best"),
    [
        ([outcome(0.5), outcome(0.7), outcome(0.6)], 1),
        ([outcome(0.5, 1.2), outcome(0.5, 0.9), outcome(0.5, 1.0)], 1),
        ([outcome(0.5, 1.0), outcome(0.5, 1.0)], 0),
        ([outcome(0.5), outcome(0.9, diverged=True)], 0),
        ([outcome(0.0, diverged=True), outcome(0.0, 3.0)], 1),
    ],
)
def test_the_best_trial_has_the_highest_accuracy_then_the_lower_loss_then_the_smaller_number(outcomes, best):
    trials = [Trial(number, {}, found) for number, found in enumerate(outcomes)]
    assert best_trial(trials).number == best
    assert best_trial(trials[::-1] if not trials[0].outcome.diverged else trials).number == best


def test_finalists_are_the_committed_settings_and_the_best_others_in_their_order():
    found = [outcome(0.1), outcome(0.7), outcome(0.6), outcome(0.9, diverged=True), outcome(0.7, nll=0.9)]
    trials = [Trial(number, {}, each) for number, each in enumerate(found)]
    assert [[trial.number for trial in finalists(trials, count)] for count in (1, 2, 3, 4, 9)] == [
        *([0], [0, 4], [0, 1, 4], [0, 1, 2, 4]),
        [0, 1, 2, 3, 4],
    ]
    lost = [Trial(number, {}, outcome(0.0, diverged=True)) for number in range(3)]
    assert [trial.number for trial in finalists(lost, 2)] == [0, 1]


def test_an_outcome_over_seeds_weighs_every_seed_alike():
    one, two = Outcome(0.5, 1.0, False, 48, 384), Outcome(0.8, 0.4, False, 96, 768)
    both = over_seeds(one, two, 3)  # of one seed, and the mean of two
    assert (both.accuracy, both.nll) == (pytest.approx(0.7), pytest.approx(0.6))
    assert (both.diverged, both.steps, both.images) == (False, 144, 1152)
    assert over_seeds(one, outcome(0.0, diverged=True), 2) == Outcome(0.0, None, True, 96, 768)


def test_a_full_disk_is_told_and_a_study_goes_on_from_what_was_kept(undisturbed, tmp_path, monkeypatch):
    whole, _, _ = undisturbed
    file = tmp_path / "study.jsonl"
    study(file, 3)

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UserError) as refusal:
            study(file, 16)
    assert str(refusal.value) == (
        f"{file}: cannot be written (No space left on device); free some space, or choose another disk"
    )
    study(file, 16)
    assert file.read_bytes() == whole


def test_the_sampler_logs_and_warns_of_nothing(tmp_path):
    child = started(tmp_path / "study.jsonl", "pass", "print(len(calls), 'trials')")
    assert child.communicate() == ("16 trials\n", "")


def test_finished_studies_are_read_without_the_sampler(undisturbed, tmp_path):
    whole, _, _ = undisturbed
    (tmp_path / "study.jsonl").write_bytes(whole)
    loaded = "print({'optuna', 'torch'} & set(sys.modules))"
    child = started(tmp_path / "study.jsonl", "raise AssertionError", f"import sys; {loaded}")
    assert child.communicate() == ("set()\n", "")


CHILD = """
import os, signal, sys
sys.path.insert(0, {folder!r})
from functools import partial
from pathlib import Path
from weckd.methods.tunables import Tunable
from weckd.tuning.study import asked, run_study

calls = []

def evaluate(values):
    calls.append(values)
    {body}
    from test_study import peak
    return peak(values)

ask = partial(asked, {key!r}, {tunables!r})
run_study(Path({file!r}), ask, {tunables!r}, 16, evaluate, lambda line: None)
{after}
"""


def started(file, body, after):
    """Start another process on the same study: `body` runs in each of its trials, `after` at its end."""
    folder = str(Path(__file__).parent)
    code = CHILD.format(folder=folder, file=str(file), key=KEY, tunables=TUNABLES, body=body, after=after)
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("finished", [0, 3, 7])
def test_a_killed_study_goes_on_as_if_undisturbed(undisturbed, tmp_path, finished):
    whole, _, _ = undisturbed
    file = tmp_path / "study.jsonl"
    body = f"if len(calls) == {finished + 1}: os.kill(os.getpid(), signal.SIGKILL)"
    child = started(file, body, "")
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    kept = file.read_bytes() if file.exists() else b""
    assert kept == b"".join(whole.splitlines(keepends=True)[:finished])
    study(file, 16)
    assert file.read_bytes() == whole


def test_a_second_process_waits_and_finds_the_trials_of_the_first(undisturbed, tmp_path):
    whole, _, _ = undisturbed
    file = tmp_path / "study.jsonl"
    children = []

    def with_a_second(values):
        if not children:
            children.append(started(file, "pass", "print(len(calls), 'trials of its own')"))
            assert children[0].stderr.readline().startswith("waiting for another process that holds")
        return peak(values)

    study(file, 16, with_a_second)
    assert children[0].communicate() == ("0 trials of its own\n", "")
    assert file.read_bytes() == whole
