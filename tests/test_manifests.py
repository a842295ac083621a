"""What is read of a manifest that is not one."""

import pytest

from weckd.errors import UserError
from weckd.manifests import read_manifest


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        ("{}", "'dataset'"),
        ("[]", "list indices must be integers or slices, not str"),
        (dict, "Is a directory"),
    ],
)
def test_a_manifest_that_is_missing_or_of_another_kind_is_one_message(content, problem, tmp_path):
    file = tmp_path / "seeds1-2.json"
    if content is dict:
        file.mkdir()
    elif content is not None:
        file.write_text(content)
    with pytest.raises(UserError) as told:
        read_manifest(file)
    assert str(told.value) == f"{file}: not a manifest of `weckd train` ({problem}); make it again"
