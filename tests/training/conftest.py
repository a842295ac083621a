from dataclasses import replace

import pytest
import torch
from toy_cell import TRAINING, toy_networks

from weckd.training import captured
from weckd.training import fit as fit_module

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.fixture(scope="module", params=DEVICES)
def networks(request):
    """The toy cell's networks, built once for the tests of a module, on the CPU and on a GPU where there is one."""
    return toy_networks(torch.device(request.param))


@pytest.fixture
def capturing(networks, monkeypatch):
    """Settings under which steps are captured; on the CPU what would be captured and replayed is called."""

    def call(step, _optimiser):
        for _ in range(captured.WARM_UP):
            step()
        return step

    if networks.device.type == "cpu":
        monkeypatch.setattr(captured, "_capture", call)
        monkeypatch.setattr(fit_module, "is_capturable", lambda _: True)
    return replace(TRAINING, cuda_graph=True)
