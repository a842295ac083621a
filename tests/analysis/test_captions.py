from dataclasses import replace

from small_suite import every_block, toy_suite

from weckd.config import SplitSettings, TuningSettings
from weckd.tables.captions import closing, run_note, tuning_sentence


def test_classes_left_out_are_named():
    suite = toy_suite(exclude_classes={"toy_two": ("maybe", "rare"), "not_in_the_suite": ("x",)})
    assert closing(suite, ["toy_copy seed 3"]) == (
        f"MISSING: toy_copy seed 3. Classes left out: toy_two: maybe, rare. Plan {suite.plan_hash}."
    )
    assert closing(toy_suite()) == f"Plan {suite.plan_hash}."


def test_who_is_tuned_is_said():
    assert tuning_sentence(toy_suite()) == "No method is tuned: committed settings."
    assert tuning_sentence(every_block()) == (
        "Tuned: all methods but majority and permuted, 16 trials each on every data set, "
        "scored on validation images of seed 1001, the best 4 also on seed 1002."
    )
    narrowed = every_block(methods=("weckd", "full-converged"), tuning=TuningSettings(4, (7,)))
    assert tuning_sentence(narrowed) == (
        "Tuned: all methods, 4 trials each on every data set, scored on validation images of seed 7."
    )


def test_official_test_parts_are_named_under_every_table_and_figure():
    suite = toy_suite(split=SplitSettings(2025, protocol="official"))
    assert closing(suite) == (
        "Official test parts: test images may have copies among the images for training (the table of splits counts "
        f"them). Plan {suite.plan_hash}."
    )
    assert run_note(suite).endswith("; official test parts, copies in training included")
    assert "official" not in run_note(toy_suite())


def test_small_copies_are_named_under_every_table_and_figure():
    suite = toy_suite()
    facts = suite.facts["toy_two"]
    suite = replace(
        suite, facts={**suite.facts, "toy_two": replace(facts, title="Toys, small copy at 64 px")}
    )
    assert closing(suite) == f"Small copies, not the data sets themselves: toy_two. Plan {suite.plan_hash}."
    assert run_note(suite).endswith("; small copies, not the data sets themselves: toy_two")
    assert "small" not in run_note(toy_suite())
