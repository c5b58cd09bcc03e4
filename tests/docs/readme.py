"""The README read as a program: its command table and its console blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.source_tree import ROOT

PROMPT = "$ "
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Shown:
    """One command of the README and the output printed below it."""

    command: str
    output: str


def console_blocks(text: str = TEXT) -> list[list[Shown]]:
    """The commands of each ```console block, in order; commands of one block share a folder."""
    return [_shown(block) for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def command_table(text: str = TEXT) -> dict[str, str]:
    """The README's table of commands: name and what it does."""
    rows = re.findall(r"^\| `gaelp ([^`]*)` \| (.*?) \|$", text, re.MULTILINE)
    return {re.sub(r"\s+[\[A-Z-].*", "", usage): about for usage, about in rows}


def normalised(text: str) -> str:
    """The text with what differs from run to run replaced: run ids, seconds, dates of the wall clock."""
    text = re.sub(r"\b[0-9a-f]{12}\b", "<run id>", text)
    text = re.sub(r"\b\d+(\.\d+)? s\b", "<time> s", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", "<moment>", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _shown(block: str) -> list[Shown]:
    parts = re.split(rf"^{re.escape(PROMPT)}", block, flags=re.MULTILINE)[1:]
    return [Shown(part.partition("\n")[0].strip(), part.partition("\n")[2]) for part in parts]
