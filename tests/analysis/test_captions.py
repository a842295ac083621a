from small_suite import toy_suite

from weckd.analysis.captions import closing


def test_classes_left_out_are_named():
    suite = toy_suite(exclude_classes={"toy_two": ("maybe", "rare"), "not_in_the_suite": ("x",)})
    assert closing(suite, ["toy_copy seed 3"]) == (
        f"MISSING: toy_copy seed 3. Classes left out: toy_two: maybe, rare. Plan {suite.plan_hash}."
    )
    assert closing(toy_suite()) == f"Plan {suite.plan_hash}."
