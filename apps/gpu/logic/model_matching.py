"""Which model of the catalogue is the card that a driver calls so and so? Pure: names and memory in, the model out.

Drivers, vendors and people write one card in many ways ("NVIDIA A100-SXM4-80GB", "A100 SXM4 80GB", "rtx4090"). What
tells two cards apart are the numbers and a few words (Ti, SUPER, XT, Laptop …): those must be the same; the rest may
differ a little (rapidfuzz, at least 90 of 100), and the memory by a tenth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rapidfuzz import fuzz

LEAST_LIKENESS = 90.0
MEMORY_TOLERANCE = 0.10
GIB_MB = 1024
# Words that do not tell one card from another.
NOISE = {
    "nvidia", "amd", "ati", "intel", "apple", "corporation", "inc", "geforce", "radeon", "instinct", "tesla",
    "graphics", "gpu", "card", "r", "tm", "series", "generation", "edition", "with", "hbm2", "hbm2e", "hbm3", "hbm3e",
    "oem", "cuda", "dgx", "spark", "founders", "workstation", "server", "core", "40",
}  # fmt: skip
# Words that make another card of the same number.
TELLING = {
    "ti", "super", "xt", "xtx", "gre", "d", "s", "laptop", "mobile", "max", "q", "pro", "ultra", "ada", "blackwell",
    "pcie", "sxm", "sxm2", "sxm4", "sxm5", "nvl", "quadro", "titan", "nx", "nano", "agx", "jetson", "arc", "mig",
}  # fmt: skip
OPTIONAL = {"pcie", "sxm", "sxm2", "sxm4", "sxm5", "quadro", "blackwell", "nvl"}  # drivers often leave these out
SYNONYMS = ((re.compile(r"\bh100 .*hbm3\b"), "h100 sxm5"),)  # the driver names the SXM card by its memory
MEMORY = re.compile(r"\b\d+\s*(?:gb|gib|g)\b")
WORD = re.compile(r"[a-z]+\d+[a-z]*|\d+[a-z]*|[a-z]+")
GLUED = re.compile(r"\b(rtx|gtx|rx|mi|arc)(?=\d)")
TRAILING = re.compile(r"(\d{3,})(ti|super|xtx|xt|s|d)\b")

T = TypeVar("T")


@dataclass(frozen=True)
class Model(Generic[T]):
    """A model of the catalogue; `row` is returned to the caller unchanged.

    `unified`: its memory is the machine's, and `memory_gb` the largest that it is sold with.
    """

    name: str
    memory_gb: float
    row: T
    unified: bool = False


@dataclass(frozen=True)
class Match(Generic[T]):
    """The model, and how well the name fits (90 to 100)."""

    row: T
    likeness: float


def normalise(name: str) -> str:
    """Return the words of a name that matter, in order, lower case, without the memory size."""
    text = MEMORY.sub(" ", name.casefold().replace("-", " ").replace("_", " "))
    for pattern, meant in SYNONYMS:
        text = pattern.sub(meant, text)
    text = TRAILING.sub(r"\1 \2", GLUED.sub(r"\1 ", text))
    words = [word for word in WORD.findall(text) if word not in NOISE]
    return " ".join(words)


def best_match(name: str, memory_mb: int, models: Iterable[Model[T]]) -> Match[T] | None:
    """Return the model whose name is most like this one, of about this memory (MB); None when none is alike enough.

    Memory 0 means unknown: then the name alone decides. Equal likeness: the nearer memory wins.
    """
    words = normalise(name)
    best: tuple[float, float, T] | None = None
    for model in models:
        apart = _memory_apart(memory_mb, model)
        likeness = _likeness(words, normalise(model.name))
        if apart > MEMORY_TOLERANCE or likeness < LEAST_LIKENESS:
            continue
        if best is None or (likeness, -apart) > best[:2]:
            best = (likeness, -apart, model.row)
    return None if best is None else Match(best[2], round(best[0], 1))


def _memory_apart(memory_mb: int, model: Model[T]) -> float:
    """By which share the memory differs; less than the largest option of a unified memory is no difference."""
    if not memory_mb or (model.unified and memory_mb <= model.memory_gb * GIB_MB):
        return 0.0
    return abs(memory_mb / GIB_MB - model.memory_gb) / model.memory_gb


def _likeness(reported: str, known: str) -> float:
    """0 to 100; 0 where a number or a telling word differs, less where one is only left out."""
    mine, theirs = set(reported.split()), set(known.split())
    if not mine or _numbers(mine) != _numbers(theirs):
        return 0.0
    odd = (mine ^ theirs) & TELLING
    if odd - OPTIONAL or _both_sided(odd, mine, theirs):
        return 0.0
    core = [" ".join(word for word in text.split() if word not in OPTIONAL) for text in (reported, known)]
    return max(fuzz.ratio(*core) - 2 * len(odd), 0.0)


def _numbers(words: set[str]) -> set[str]:
    return {word for word in words if any(c.isdigit() for c in word) and word not in OPTIONAL}


def _both_sided(odd: set[str], mine: set[str], theirs: set[str]) -> bool:
    """Whether one name has PCIe and the other SXM: then they are two cards."""
    forms = {"pcie", "sxm", "sxm2", "sxm4", "sxm5", "nvl"}
    return bool(odd & mine & forms) and bool(odd & theirs & forms) and not _same_socket(mine & forms, theirs & forms)


def _same_socket(one: set[str], other: set[str]) -> bool:
    """SXM without its number is any SXM."""
    return all(word.startswith("sxm") for word in one | other) and "sxm" in one | other
