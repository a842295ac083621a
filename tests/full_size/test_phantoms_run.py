"""What must hold in a finished run of the phantoms: `make phantoms-check` after `make phantoms`."""

from pathlib import Path

import pandas as pd
import pytest

from weckd.cli import main

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "results" / "phantoms"

pytestmark = pytest.mark.phantoms


@pytest.fixture(scope="module")
def macro():
    """Return macro balanced accuracy, in percent, by method (its last stage)."""
    accuracy = pd.read_csv(RUN / "tables" / "accuracy.csv")
    rows = accuracy[(accuracy["dataset"] == "macro") & (accuracy["metric"] == "balanced_accuracy")]
    return rows.sort_values("stage").groupby("method")["mean"].last()


def test_every_cell_is_there():
    assert len(list(RUN.glob("predictions/*/seed*.parquet"))) == 30
    for name in ("main", "gains", "claims", "accuracy", "metrics", "classes"):
        assert "missing" not in (RUN / "tables" / f"{name}.md").read_text(), name


def test_phantoms_are_hard_enough_and_not_too_hard(macro):
    assert 45 <= macro["single"] <= 75
    assert macro["full-converged"] >= 90
    assert macro["full-converged"] - macro["single-long"] >= 15


def test_checks_pass():
    checks = pd.read_csv(RUN / "tables" / "checks.csv")
    assert {"permuted", "weckd", "pooled", "full"} <= set(checks["subject"])
    assert checks["passed"].tolist() == ["yes"] * len(checks)


def test_every_table_says_phantom():
    for file in [*RUN.glob("tables/*.md"), *RUN.glob("tables/*.tex"), *RUN.glob("figures/*.svg")]:
        assert "phantom" in file.read_text(encoding="utf-8").lower(), file


def test_the_run_agrees_with_the_committed_reference(capsys):
    lock = str(ROOT / "requirements.lock")
    assert main(["agree", str(RUN), str(ROOT / "results" / "reference" / "phantoms"), "--lock", lock]) == 0
    assert "Reproduced: " in capsys.readouterr().out


def test_the_page_shows_every_claim():
    page = (RUN / "report.html").read_text(encoding="utf-8")
    claims = pd.read_csv(RUN / "tables" / "claims.csv")
    assert claims["claim"].nunique() == 5
    assert all(claim in page for claim in claims["claim"])
    assert set(claims["claim_verdict"]) <= {"shown here", "contradicted here", "not shown here"}
