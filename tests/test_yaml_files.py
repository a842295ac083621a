"""YAML means to the package what it means to a person, and a file that cannot be that is refused with its place."""

from pathlib import Path

import pytest

from weckd.errors import UserError
from weckd.yaml_files import parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", "010"),
        ("08", "08"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        (".nan", ".nan"),
        ("-.inf", "-.inf"),
        ("2024-01-01", "2024-01-01"),
        ("!!str 10", "10"),
        ("10", 10),
        ("+10", 10),
        ("-3", -3),
        ("0", 0),
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("1.5e+3", 1500.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("'null'", "null"),
        ("{2019: a}", {2019: "a"}),
    ],
)
def test_a_value_is_what_a_person_reads(text, value):
    found = parse_yaml(text, "here")
    assert (type(found), found) == (type(value), value)


def test_aliases_and_merged_keys_are_read():
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {<<: *b, x: 4}\nd: *a\n"
    assert parse_yaml(text, "here") == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"x": 4, "y": 3},
        "d": {"x": 1, "y": 2},
    }


TENFOLD = "\n".join(
    ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))]
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {}\nseeds: [1]\ntraining: {}", "key 'training' is given twice (line 3)"),
        ("a: {1: x, '1': y}", "key '1' is given twice (line 1)"),
        ("{{a: 1}: 2}", "a key must be a word (line 1)"),
        ("[" * 100_000, "nested deeper than 40 (line 1)"),
        ("{a: " * 100_000, "nested deeper than 40 (line 1)"),
        (TENFOLD, "more than 100,000 values, aliases written out (line 6)"),
        ("a: &a [*a]", "more than 100,000 values, aliases written out (line 1)"),
        ('a: 1\nb: "x\\0y"', "the character \\0 is not read (line 2)"),
        ("a: !!int 010", "the tag tag:yaml.org,2002:int is not read (line 1)"),
        ("a: [1", "while parsing a flow sequence, expected ',' or ']', but got '<stream end>' (line 1)"),
        ("a: 1\n---\nb: 2", "expected a single document in the stream, but found another document (line 2)"),
        (
            "a: \tb",
            "while scanning for the next token, found character '\\t' that cannot start any token (line 1)",
        ),
    ],
)
def test_what_is_refused_is_told_with_its_line(text, message):
    with pytest.raises(UserError) as refused:
        parse_yaml(text, "here")
    assert str(refused.value) == f"here: not valid YAML: {message}"


def test_files_that_are_not_read_are_told_by_name(tmp_path):
    file = tmp_path / "a.yaml"
    with pytest.raises(UserError) as refused:
        read_yaml(file, "name a suite file")
    assert str(refused.value) == f"{file}: cannot be read (No such file or directory); name a suite file"
    file.write_bytes("größe: 1".encode("latin-1"))
    with pytest.raises(UserError) as refused:
        read_yaml(file, "name a suite file")
    assert str(refused.value) == f"{file}: not UTF-8 text (byte 2); save it as UTF-8"
    file.write_text("\ufeffa: 1\r\n# of Windows\r\n", encoding="utf-8")
    assert read_yaml(file, "") == {"a": 1}
    with pytest.raises(UserError, match=r"^/dev/zero: more than 4,000,000 characters; name a suite file$"):
        read_yaml(Path("/dev/zero"), "name a suite file")
    file.write_text("# nothing\n")
    assert (read_yaml(file, ""), read_yaml(file, "", {})) == (None, {})
