"""docs/use-a-model.md: its Python runs as it stands, on an exported network."""

import re
import sys
from subprocess import run

from engine import REPOSITORY
from PIL import Image

(EXAMPLE,) = re.findall(
    r"```python\n(.*?)```", (REPOSITORY / "docs" / "use-a-model.md").read_text("utf-8"), re.DOTALL
)


def test_the_example_needs_timm_alone(exported, tmp_path):
    (tmp_path / "blood-model").symlink_to(exported)
    Image.effect_noise((40, 30), 60).save(tmp_path / "image.png")
    *lines, last = EXAMPLE.strip().splitlines()
    code = "\n".join(["import sys; sys.modules['weckd'] = None", *lines, f"print({last})"])
    done = run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() in ("effusion", "normal", "tube"), done.stderr
