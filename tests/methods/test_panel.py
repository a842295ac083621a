"""The supervised panel: what each of its methods is trained on, how long, and which of its fits others share."""

from pathlib import Path

import pytest
import timm

from weckd.config import BackboneSettings, DistillationSettings, PanelSettings
from weckd.methods.catalogue import METHODS, fetched_weights, find_method, is_panel, panel_names
from weckd.methods.chain import Budget
from weckd.methods.fits import Fit
from weckd.suite_file import resolve_suite

S = 40
OWN, RESNET = BackboneSettings("test_resnet", "random"), BackboneSettings("resnet50", "a1_in1k")
BUDGET = Budget(S, 3, 10, DistillationSettings(0.5, 2.0, 4.0, 1.0, 3.0), 4, backbone=OWN, panel=(OWN, RESNET))
CONFIG = Path(__file__).resolve().parents[2] / "config"
PAPER = [CONFIG / "paper.yaml", CONFIG / "paper-panel.yaml"]
NAMED = {"resnet50", "densenet121", "efficientnet_b0", "mobilenetv3_large_100", "convnext_tiny", "vgg16_bn"}


def fit_of(name):
    method = find_method(name)(BUDGET)
    assert method.role == "panel"
    ((fit,),) = method.stages
    return fit


def test_names_are_every_backbone_on_every_share():
    names = panel_names(PanelSettings((OWN, RESNET), (10, 100)))
    assert names == (
        "panel-test_resnet-10",
        "panel-test_resnet-100",
        "panel-resnet50-10",
        "panel-resnet50-100",
    )
    assert all(is_panel(name) for name in names)
    assert not any(is_panel(name) for name in (*METHODS, "pooled-4", "panel"))


@pytest.mark.parametrize(
    ("share", "parts", "steps"),
    [
        (10, ("D1",), 3 * S),
        (20, ("D1", "D2"), 3 * S),
        (30, ("D1", "D2", "D3"), 3 * S),
        (100, ("D1", "D2", "D3", "D4", "rest"), 10 * S),
    ],
)
def test_shares_are_whole_subsets_at_the_equal_budget_and_all_labels_to_convergence(share, parts, steps):
    assert fit_of(f"panel-resnet50-{share}") == Fit(parts, steps, backbone=RESNET)


@pytest.mark.parametrize(("share", "twin"), [(10, "single-long"), (30, "pooled"), (100, "full-converged")])
def test_the_suites_own_backbone_shares_its_fits_with_the_controls(share, twin):
    ((fit,),) = find_method(twin)(BUDGET).stages
    assert fit_of(f"panel-test_resnet-{share}") == fit


def test_the_papers_suite_names_networks_and_tags_that_timm_has():
    suite = resolve_suite(PAPER, {})
    assert {backbone.name for backbone in suite.panel.backbones} >= NAMED
    weights = fetched_weights(suite)
    assert len(weights) == len(suite.panel.backbones)
    assert set(weights) <= set(timm.list_pretrained())


def test_weights_are_fetched_for_what_the_suite_trains_alone():
    assert fetched_weights(resolve_suite(PAPER, {"methods": ["weckd", "single"]})) == ()
    one = resolve_suite(PAPER, {"methods": ["panel-vgg16_bn-10"], "analysis": {"families": [], "claims": []}})
    assert fetched_weights(one) == ("vgg16_bn.tv_in1k",)
