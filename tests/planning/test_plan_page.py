"""Counts against the declarations by hand, and the page with speeds that are given."""

import re
from dataclasses import replace

import pytest
from engine import REPOSITORY

from weckd.cli import main
from weckd.config import BackboneSettings
from weckd.methods.catalogue import suite_methods
from weckd.planning.cost import CARD_RATES, Speed, card_hours, disk_bytes, plan_page, seconds, state_bytes
from weckd.planning.first_second import Passes, cell_work, total_tuning, total_work
from weckd.planning.power import power_page
from weckd.study_suites import readings_suite
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
    ("files", "steps", "search"),
    [
        ("paper", 558_000, None),
        ("paper paper-panel", 2_772_000, None),
        ("paper paper-tuned", 558_000, 720_000),
        ("real", 40 * 6_800, None),
        ("real real-curves", 20 * 5_760, None),
        ("real real-backbones", 20 * 2_320, None),  # of which real has trained all but 160 a cell
        ("real real-backbones real-lite1", 12 * 2_160, None),
        ("real real-backbones real-lite2", 12 * 800, None),
        ("real real-backbones real-regnet", 12 * 5_040, None),
    ],
)
def test_what_committed_suites_cost_is_as_the_documents_say(files, steps, search):
    suite = of_files(files)
    assert total_work(suite).steps == steps
    assert suite.tuned == (search is not None)
    assert not suite.tuned or total_tuning(suite).steps == search
    backbones = total_work(suite).passes
    page = plan_page(
        suite, dict.fromkeys(backbones, Speed(3, 1)), dict.fromkeys(backbones, 10**9), "a GPU", 80
    )
    assert max(map(len, page.splitlines())) <= 80
    assert max(map(len, power_page(suite, None, width=80).splitlines())) <= 80


def of_files(names, **changes):
    return resolve_suite([REPOSITORY / f"config/{name}.yaml" for name in names.split()], changes)


def test_readings_on_real_images_are_a_run_of_five_seeds_with_growing_networks():
    readings = readings_suite(of_files("real"))
    assert (readings.run, len(readings.seeds), len(readings.methods)) == ("real-readings", 5, 42)
    assert "start=fresh,sizes=growing" in readings.methods
    assert total_work(readings).steps == 20 * 6_480


def test_what_real_has_trained_serves_its_backbones_run():
    def fits(name):
        return {fit for method in suite_methods(of_files(name)) for fit in method.fits()}

    new = fits("real real-backbones") - fits("real")
    assert sorted((fit.backbone.name, fit.steps) for fit in new) == [
        ("tf_efficientnet_lite1", 80),
        ("tf_efficientnet_lite2", 80),
    ]


def test_hours_on_a_card_are_those_of_a_committed_measurement_and_are_said_to_be():
    medium = of_files("real-small", image_size=128, seeds=[*range(1, 11)])
    told = (  # 96,000 steps
        "On a card: 0.08 hours for all cells, not measured here but by 314 steps a second that docs/performance.md "
        "tells of (one NVIDIA H200, sixteen jobs at once).\n"
    )
    assert card_hours(medium) == told
    measured = "195,680 steps, searches included, in 623 s with all\nstart-ups, 314 steps a second"
    assert measured in (REPOSITORY / "docs/performance.md").read_text()
    assert [rate.steps for rate in CARD_RATES] == [round(195_680 / 623), round(7_360 / 18)]
    speeds, sizes = {medium.backbone: Speed(3, 1)}, {medium.backbone: 10**9}
    assert told in plan_page(medium, speeds, sizes, "cpu x86_64")
    assert "On a card" not in plan_page(medium, speeds, sizes, "cuda 13.0 NVIDIA H200")


def test_hours_are_by_the_rate_of_the_suites_own_image_size():
    assert card_hours(of_files("real real-curves")) == (  # 115,200 steps
        "On a card: 0.08 hours for all cells, not measured here but by 409 steps a second that docs/performance.md "
        "tells of (one NVIDIA H200, sixteen jobs at once).\n"
    )
    measured = "| one by one, as `cuda_graph: false` has it | 409: 7,360 steps in 18 s |"
    assert measured in (REPOSITORY / "docs/performance.md").read_text()


@pytest.mark.parametrize(
    ("files", "changes", "networks", "size", "batch"),
    [
        ("real real-backbones real-lite1", {}, "tf_efficientnet_lite1", 64, 16),
        ("real-small", {"image_size": 128, "training": {"batch_size": 8}}, "tf_efficientnet_lite0", 128, 8),
        (
            "real",
            {"image_size": 128},
            *("tf_efficientnet_lite1, tf_efficientnet_lite2", 128, 16),
        ),
    ],
)
def test_where_none_is_committed_of_a_network_and_size_no_hours_are_made_up(
    files, changes, networks, size, batch
):
    assert card_hours(of_files(files, **changes)) == (
        f"On a card: not known. No measurement is committed of {networks} at {size} px in batches of {batch}; those "
        "there are (docs/performance.md): tf_efficientnet_lite0 at 128 px in batches of 16; "
        "tf_efficientnet_lite0 at 64 px in batches of 16.\n"
    )
