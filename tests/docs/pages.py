"""The documentation's pages and the fenced blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<language>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: the word after its fence, and its lines."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [Block(found["language"], found["text"]) for found in BLOCK.finditer(page.read_text())]


def commands(page: Path) -> str:
    """Return the commands of a page as one script; without `make up`, which is running, and `make test`."""
    text = "\n".join(block.text for block in blocks(page) if block.language == "sh")
    return "\n".join(line for line in text.splitlines() if not line.startswith(("make up", "make test")))
