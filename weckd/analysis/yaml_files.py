"""YAML files of the analysis, checked against a schema."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from weckd.errors import UserError


def read_yaml(file: Path, schema: Mapping[str, Any], what: str) -> Any:
    """Return a file's content; None for an empty file.

    Args:
        file: to be read.
        schema: what the content must be, where there is any.
        what: the file is, for messages.

    Raises:
        UserError: the file cannot be read, or its content is not what the schema says; the message names each key.
    """
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as problem:
        raise UserError(f"{file}: not a readable {what} ({problem})") from problem
    problems = [] if values is None else list(jsonschema.Draft202012Validator(schema).iter_errors(values))
    if problems:
        lines = [f"  {'.'.join(map(str, p.path)) or 'top level'}: {p.message}" for p in problems]
        raise UserError(f"{file}: not a valid {what}\n" + "\n".join(lines))
    return values
