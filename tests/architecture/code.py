"""The project's own source as the architecture tests read it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp

from aitbc.domains import LABELS

ROOT = Path(__file__).resolve().parents[2]


@cache
def graph() -> grimp.ImportGraph:
    """Who imports whom, below aitbc and apps, with the libraries as single nodes."""
    return grimp.build_graph("aitbc", "apps", include_external_packages=True, cache_dir=None)


def sources(*folders: str) -> Iterator[tuple[str, Path]]:
    """(dotted name, file) of each module below these folders; migrations are written by Django."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in file.parts:
                dotted = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                yield dotted.removesuffix(".__init__"), file


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def domain_modules(label: str) -> list[str]:
    """The modules of a domain, without the programs it carries (the miner, the stand-alone verifier)."""
    programs = (f"apps.{label}.miner", f"apps.{label}.verifier", f"apps.{label}.migrations")
    found = graph().find_descendants(f"apps.{label}")
    return sorted(name for name in found if not name.startswith(programs))


DOMAIN_MODULES = [(label, name) for label in LABELS for name in domain_modules(label)]
