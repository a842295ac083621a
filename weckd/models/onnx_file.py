"""An exported network as one ONNX file, for runtimes without torch."""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weckd.errors import UserError
from weckd.training.networks import THREADS, Backbone

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
"""What writes the file, and what runs it, before it is handed out."""
_INPUT, _OUTPUT = "image", "logits"


def require_packages() -> None:
    """Look for what writes and runs an ONNX file.

    Raises:
        UserError: a package is missing.
    """
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        remedy = "install them with pip install -e '.[onnx]', or with all that the lock names: make setup"
        raise UserError(f"--onnx: needs {', '.join(missing)}; {remedy}; or leave --onnx out")


def write_onnx(network: Backbone, image_size: int, file: Path) -> None:
    """Write a network, weights included: `image` (N, 3, S, S), float32, normalised, to `logits` (N, C).

    Args:
        network: in evaluation mode, on the CPU.
        image_size: S.
        file: to write; the same network gives the same bytes.

    Raises:
        UserError: torch cannot write such a network.
    """
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass  # noqa: PLC0415 - need not be there

    images = (torch.zeros(2, 3, image_size, image_size),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch, at its own calls
        try:
            program: Any = torch.onnx.export(
                network.network,
                images,
                input_names=[_INPUT],
                output_names=[_OUTPUT],
                dynamic_shapes=({0: "batch"},),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as problem:
            why = str(problem).splitlines()[0].rstrip(".")
            raise UserError(
                f"--onnx: torch cannot write this network as ONNX ({why}); leave it out"
            ) from problem
    ClearMetadataAndDocStringPass()(program.model)  # which has the paths of this machine's Python files
    program.save(file, external_data=False)


def onnx_network(file: Path, normalised: Backbone) -> Callable[[Tensor], Tensor]:
    """Return an ONNX file as a network that takes images in [0, 1], run by onnxruntime on the CPU.

    Args:
        file: that `write_onnx` wrote.
        normalised: the network that it was made of, which has mean and deviation.
    """
    import onnxruntime  # noqa: PLC0415 - need not be there

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def logits(images: Tensor) -> Tensor:
        given = (images.cpu() - normalised.mean) / normalised.std
        return torch.from_numpy(session.run([_OUTPUT], {_INPUT: given.numpy()})[0])

    return logits
