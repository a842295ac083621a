"""docs/use-a-model.md: its Python runs as it is written, on an exported network."""

import re
import sys
from subprocess import run

import numpy as np
from engine import REPOSITORY
from PIL import Image

WITH_TIMM, WITH_ONNX = re.findall(
    r"```python\n(.*?)```", (REPOSITORY / "docs" / "use-a-model.md").read_text("utf-8"), re.DOTALL
)


def answer(example, absent, folder):
    """Return the class that an example prints in a folder, where some packages cannot be imported, and its logits."""
    without = f"import sys; sys.modules.update(dict.fromkeys({absent}))"
    code = "\n".join([without, example, "print(*logits.ravel().tolist())"])
    done = run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    name, *logits = done.stdout.split()
    return name, np.array(logits, dtype=float)


def test_the_examples_need_timm_or_onnxruntime_alone_and_agree(with_onnx, tmp_path):
    for name in ("blood-model", "blood-onnx"):
        (tmp_path / name).symlink_to(with_onnx)
    Image.effect_noise((40, 30), 60).save(tmp_path / "image.png")
    by_timm, logits = answer(WITH_TIMM, ["weckd", "onnxruntime"], tmp_path)
    by_onnx, again = answer(WITH_ONNX, ["weckd", "torch", "timm"], tmp_path)
    assert by_timm in ("effusion", "normal", "tube")
    assert (by_onnx, len(again)) == (by_timm, 3)
    np.testing.assert_allclose(again, logits, rtol=0, atol=1e-5)
