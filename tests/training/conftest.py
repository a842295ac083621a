import pytest
import torch
from toy_cell import toy_networks

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.fixture(scope="module", params=DEVICES)
def networks(request):
    """The toy cell's networks, built once for the tests of a module, on the CPU and on a GPU where there is one."""
    return toy_networks(torch.device(request.param))
