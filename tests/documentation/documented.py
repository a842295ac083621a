"""The shell commands of the documents: where they stand, and their text.

A command is a line of a block of shell, or a span of code in the prose that begins with a program and says what it is
to do. A block without a language is shell where any of its lines calls a program. Other languages, lists of files and
names of programs are no commands.
"""

import re
from dataclasses import dataclass

from engine import REPOSITORY
from markdown_it import MarkdownIt

DOCUMENTS = (
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *sorted((REPOSITORY / "profiles").glob("*/README.md")),
    REPOSITORY / "config" / "README.md",
    REPOSITORY / "results" / "README.md",
)
SHELLS = ("bash", "sh", "shell", "console")
# What a command of the prose may begin with; a file of the repository that can be executed is one too.
PROGRAMS = ("apptainer", "docker", "git", "make", "python", "snakemake", "source", "weckd")
# And a line of an indented block.
WORDS = (*PROGRAMS, "cd", "cp", "curl", "export", "kubectl", "mkdir", "pip", "sbatch", "tar", "wget")
ALONE = ("make",)  # other programs' names are names, as `weckd` of the method


@dataclass(frozen=True)
class Command:
    """A command as a document has it, on one line and without its remark."""

    text: str
    document: str
    line: int


def commands():
    """Return the commands of all documents, in their order."""
    return [
        command
        for file in DOCUMENTS
        for command in commands_in(file.read_text(encoding="utf-8"), str(file.relative_to(REPOSITORY)))
    ]


def commands_in(markdown, document):
    """Return the commands of a document."""
    found, line = [], 1
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        line = token.map[0] + 1 if token.map else line  # a table's cells have that of their row
        if token.type in ("fence", "code_block") and is_shell(token):
            found += numbered(token.content, line + (token.type == "fence"))
        elif token.type == "inline":
            spans = [child.content for child in token.children if child.type == "code_inline"]
            found += [(span, line) for span in spans if is_command(span)]
    return [Command(text, document, number) for text, number in found]


def is_shell(block):
    """Tell whether a block holds commands: by its language, or else by what its lines begin with."""
    if language := block.info.split(" ")[0]:
        return language in SHELLS
    return any(begins(text, WORDS) for text, _ in numbered(block.content, 1))


def numbered(block, first):
    """Return the commands of a block with the numbers of their lines: continued ones joined, remarks removed."""
    found, begun, start = [], "", first
    for number, line in enumerate(block.splitlines(), start=first):
        start = start if begun else number
        text = f"{begun} {line.strip()}".strip()
        if text.endswith("\\"):
            begun = text.removesuffix("\\").strip()
            continue
        begun = ""
        if text := re.sub(r"(^|\s+)#( .*)?$", "", text).removeprefix("$ "):
            found.append((text, start))
    return found


def is_command(span):
    """Tell a command from a name."""
    return span in ALONE or (" " in span and begins(span, PROGRAMS))


def begins(text, programs):
    """Tell whether a text begins with a program, perhaps behind settings of variables."""
    words = [word for word in text.split() if not re.match(r"\w+=", word)]
    return bool(words) and (words[0] in programs or is_script(words[0]))


def is_script(word):
    """Tell whether a word is a file of the repository that can be executed."""
    file = REPOSITORY / word
    return "/" in word and file.is_file() and bool(file.stat().st_mode & 0o100)
