"""Every command line that README and docs/ tell readers to run is one that the two programs take."""

from __future__ import annotations

import re
import shlex

import pytest
import typer

import catdog.__main__
import train.__main__
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TRAIN = typer.main.get_command(train.__main__.app)
# Lines of a block of code, and code in a sentence unless it shows the usage, whose brackets mean choices.
COMMAND = re.compile(
    r"^(?:[A-Z_]+=\S+ )*python -m (catdog|train) (.+)$|`python -m (catdog|train) ([^`\[|]+)`", re.MULTILINE
)


def commands() -> set[tuple[str, str]]:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES).replace("\\\n", " ")
    found = (match.groups() for match in COMMAND.finditer(text))
    return {(a or c, b or d) for a, b, c, d in found}


def test_commands_are_found():
    assert len(commands()) > 25
    assert {"predict", "classify", "fit", "distill", "average", "publish"} < {line.split()[0] for _, line in commands()}


@pytest.mark.parametrize(("program", "line"), sorted(commands()))
def test_a_command_is_understood(program, line):
    words = shlex.split(line.replace("\n", " "), comments=True)
    if len(words) == 1:  # by itself, a command in a sentence is only named
        return
    if program == "catdog":
        assert catdog.__main__._parser().parse_args(words)
    else:
        assert TRAIN.commands[words[0]].make_context(words[0], words[1:])
