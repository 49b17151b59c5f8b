"""One word per idea (docs/architecture.md, glossary): words that were private to this project stay out."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.architecture.code import ROOT, sources

pytestmark = pytest.mark.no_db

# As a part of any identifier.
IDENTIFIERS = {
    "door", "doors", "gate", "gates", "house", "told", "said", "asked", "wanted", "given", "neighbour", "neighbours",
    "janitor", "janitors", "fare", "fares", "figures", "holding", "holdings", "keeping", "presence", "absence",
    "errand", "errands", "predecessor", "card", "cards",
}  # fmt: skip
# Members of published JSON and options of commands: clients send and read them.
PUBLISHED = {"figures", "rows_asked", "pages_asked", "asked_over_traded"}
# In comments, docstrings, messages and documentation.
TEXTS = {
    "door", "doors", "house", "neighbour", "neighbours", "predecessor", "predecessors", "janitor", "janitors", "errand",
    "errands",
}  # fmt: skip
# Said of the system that this one succeeds: `legacy`.
PHRASES = re.compile(r"\b(the seed's?|of old|old (client|route|daemon|miner|program)s?|the wire)\b", re.IGNORECASE)
# A test's name is a sentence; sentences may say so.
SENTENCE = re.compile(r"test_\w+")
TEXT_FILES = ("README.md", "docs/*.md", "deploy/*.md", "clients/README.md", "Makefile", "deploy/**/*.service")
HERE = Path(__file__).name


def names_in(source: str) -> dict[str, int]:
    """Each identifier of ours and the first line it stands in; Hypothesis's decorator is called `given`."""
    found: dict[str, int] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            found.setdefault(token.string, token.start[0])
    if "from hypothesis import" in source:
        found.pop("given", None)
    return found


def texts_in(source: str) -> list[tuple[int, str]]:
    """Comments and strings with the line they begin in."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [(token.start[0], token.string) for token in tokens if token.type in (tokenize.COMMENT, tokenize.STRING)]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


PYTHON = [file for _, file in sources("aitbc", "apps", "tests", "bench") if file.name != HERE]


def test_identifiers_use_the_fields_words():
    wrong = [
        f"{file.relative_to(ROOT)}:{line} {name}"
        for file in PYTHON
        for name, line in names_in(file.read_text()).items()
        if not SENTENCE.fullmatch(name) and name not in PUBLISHED and set(name.lower().split("_")) & IDENTIFIERS
    ]

    assert wrong == []


def test_comments_and_messages_use_them_too():
    wrong = [
        f"{file.relative_to(ROOT)}:{line} {sorted(words(text) & TEXTS)} {PHRASES.findall(text)}"
        for file in PYTHON
        for line, text in texts_in(file.read_text())
        if words(text) & TEXTS or PHRASES.search(text)
    ]

    assert wrong == []


def test_documentation_uses_them_too():
    files = [file for pattern in TEXT_FILES for file in ROOT.glob(pattern)]
    wrong = [
        f"{file.relative_to(ROOT)}:{number} {sorted(words(line) & TEXTS)}"
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if words(line) & TEXTS
    ]

    assert files and wrong == []
