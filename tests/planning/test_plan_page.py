"""Counts against the declarations by hand, and the page with speeds that are given."""

import re
from dataclasses import replace

import pytest
from engine import REPOSITORY

from weckd.cli import main
from weckd.config import BackboneSettings
from weckd.planning.cost import Speed, disk_bytes, plan_page, seconds, state_bytes
from weckd.planning.first_second import Passes, cell_work, total_tuning, total_work
from weckd.planning.power import power_page
from weckd.suite_file import resolve_suite

NETWORK = BackboneSettings("test_resnet", "random")


@pytest.fixture
def suite():
    changes = {
        "datasets": ["phantom_ear_ohio", "phantom_brain_mri"],
        "methods": ["weckd", "single", "sequential", "majority"],
        "seeds": [1, 2, 3],
        "analysis": {"families": [], "claims": []},
        "tuning": {"trials": 4, "seeds": [1001, 1002]},
    }
    return resolve_suite([REPOSITORY / "config/phantoms.yaml"], changes)


def test_shared_fits_are_counted_once_and_teachers_passes_apart(suite):
    work = cell_work(suite)  # M1; M2, M3 taught; M2, M3 of the sequential control: 16 steps each
    assert (work.fits, work.steps) == (5, 80)
    assert work.passes == {NETWORK: Passes(training=80, teaching=32)}
    whole = total_work(suite)  # 2 data sets, 3 seeds
    assert (whole.fits, whole.steps, whole.passes[NETWORK].teaching) == (30, 480, 192)


def test_the_search_trains_every_method_by_itself(suite):
    # weckd 3 fits, single 1, sequential 3, of 16 steps; 4 trials, 2 seeds, 2 data sets
    work = total_tuning(suite)
    assert (work.fits, work.steps) == (7 * 16, 7 * 16 * 16)
    assert sum(work.kept.values()) == 0


def test_mutual_learning_counts_both_networks(suite):
    both = cell_work(replace(suite, methods=("mutual",)))
    assert both.steps == 48  # at the equal budget of 3 * 16 steps of networks, 24 steps of each of the two
    assert both.passes == {NETWORK: Passes(training=48, teaching=0)}


def test_an_untrained_teacher_and_one_that_is_shown_two_images_make_their_passes(suite):
    random = cell_work(replace(suite, methods=("chain-random",)))
    assert random.passes == {NETWORK: Passes(training=48, teaching=32)}
    shuffled = cell_work(replace(suite, methods=("chain-shuffled",)))
    assert shuffled.passes == {NETWORK: Passes(training=48, teaching=64)}


def test_seconds_are_passes_times_their_speed_and_a_tenth(suite):
    speeds = {NETWORK: Speed(training=0.5, teaching=0.25)}
    assert seconds(cell_work(suite), speeds) == pytest.approx(1.1 * (80 * 0.5 + 32 * 0.25))


def test_the_page_says_all_of_it(suite):
    page = plan_page(suite, {NETWORK: Speed(3.6, 1.8)}, {NETWORK: 2_000_000}, "a device")
    rows = [re.split(r"\s{2,}", line.strip()) for line in page.splitlines()]
    begin = rows.index(["work", "fits", "steps", "device-hours", "kept, GB"])
    assert rows[begin + 2 : begin + 5] == [
        ["a cell (one data set, one seed)", "5", "80", "0.11", "0.01"],
        ["all 6 cells", "30", "480", "0.63", "0.05"],
        ["search for settings (if asked for)", "112", "1,792", "2.25", "0.00"],
    ]
    assert "test_resnet: a training pass 3,600.0 ms, a teacher's 1,800.0 ms" in page
    narrow = plan_page(suite, {NETWORK: Speed(3.6, 1.8)}, {NETWORK: 2_000_000}, "a device " * 20, 80)
    assert max(map(len, narrow.splitlines())) <= 80
    assert next(line for line in page.splitlines() if "cell" in line) in narrow.splitlines()


def test_disk_is_images_kept_weights_and_a_little_a_fit(suite):
    # 600 images a phantom of 32 x 32 x 3 bytes; M1 .. M3 and the sequential control's M2 are kept, in 6 cells
    kept = sum(total_work(suite).kept.values())
    assert kept == 6 * 4
    images = 2 * 600 * 32 * 32 * 3
    assert disk_bytes(suite, {NETWORK: 1000}) == images + kept * 1000 + 30 * 50_000


def test_the_size_of_a_network_is_that_of_its_stored_weights(suite):
    import timm

    state = timm.create_model("test_resnet", num_classes=3).state_dict()
    assert state_bytes(suite) == {NETWORK: sum(v.numel() * v.element_size() for v in state.values())}


def test_the_command_measures_and_prints(capsys):
    assert main(["plan", "--suite", str(REPOSITORY / "tests/workflow/tiny.yaml")]) == 0
    output = capsys.readouterr()
    assert "suite tiny: 2 data sets x 2 seeds, 6 methods, 32 px, batches of 8" in output.out
    assert "\nall 4 cells " in output.out
    assert max(map(len, output.out.splitlines())) <= 80
    assert "measuring test_resnet at 32 px" in output.err


@pytest.mark.parametrize(
    ("over", "steps", "search"),
    [((), 558_000, None), (("paper-panel",), 2_772_000, None), (("paper-tuned",), 558_000, 720_000)],
)
def test_what_the_papers_suites_cost_is_as_the_documents_say(over, steps, search):
    folder = REPOSITORY / "config"
    suite = resolve_suite([folder / f"{name}.yaml" for name in ("paper", *over)], {})
    assert total_work(suite).steps == steps
    assert suite.tuned == (search is not None)
    assert not suite.tuned or total_tuning(suite).steps == search
    backbones = total_work(suite).passes
    page = plan_page(
        suite, dict.fromkeys(backbones, Speed(3, 1)), dict.fromkeys(backbones, 10**9), "a GPU", 80
    )
    assert max(map(len, page.splitlines())) <= 80
    assert max(map(len, power_page(suite, None, width=80).splitlines())) <= 80
