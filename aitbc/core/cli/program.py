"""The name by which this program was started, for the commands that examples and hints show."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

WRITTEN = "manage.py"  # how examples in the code name it


def name() -> str:
    """Return aitbc or manage.py."""
    path = Path(sys.argv[0])
    installed = path.name == "aitbc" or (path.name == "__main__.py" and path.parent.name == "aitbc")
    return "aitbc" if installed else WRITTEN


def line(words: str) -> str:
    """Return the command line of these words."""
    return f"{name()} {words}"


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of examples, and shows them with the program's name."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return super()._fill_text(text.replace(f"{WRITTEN} ", line("")), width, indent)
