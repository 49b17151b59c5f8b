"""The folders of every domain, and what import-linter (pyproject.toml: the layers) cannot say."""

from __future__ import annotations

import ast

import pytest

from aitbc.domains import LABELS
from tests.architecture.code import ROOT, sources, tree

pytestmark = pytest.mark.no_db

ROOT_MODULES = {"__init__", "apps", "states", "errors", "events", "interface", "handlers", "tasks", "urls"}
FOLDERS = {
    "models", "services", "selectors", "logic", "serializers", "views", "admin", "invariants", "legacy", "management",
    "management/commands", "management/subcommands", "management/tables", "migrations",
}  # fmt: skip
PAGES = {"pages", "templates"}
# What a domain exists for may have a folder of its own.
OWN_FOLDERS = {"gpu": {"miner", "data"}, "marketplace": {"search", "constraints"}, "trading": {"verifier"}}
# Packages whose __init__ has a job: models are imported from it, Django's autodiscover imports the admin through it.
SPEAKING_INITS = {"models", "admin", "miner", "engines"}
TEST_FOLDERS = {
    "api",
    "selectors",
    "services",
    "logic",
    "invariants",
    "admin",
    "shell",
    "legacy",
    "pages",
    "probes",
} | {"miner"}
HARD_LIMIT = 400
SHAPELESS = {"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common", "data"}


@pytest.mark.parametrize("label", LABELS)
def test_every_domain_has_the_same_folders_and_root_modules(label):
    folder = ROOT / "apps" / label
    found = {path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"}
    top = {name for name in FOLDERS if "/" not in name}

    assert {name for name in FOLDERS if not (folder / name / "__init__.py").exists()} == set()
    assert found - top - PAGES - OWN_FOLDERS.get(label, set()) == set()
    assert {path.stem for path in folder.glob("*.py")} == ROOT_MODULES


@pytest.mark.parametrize("label", LABELS)
def test_packages_hide_nothing_in_their_init(label):
    speaking = [
        str(file.relative_to(ROOT))
        for _, file in sources(f"apps/{label}")
        if file.name == "__init__.py" and file.parent.name not in SPEAKING_INITS and tree(file).body[1:]
    ]

    assert speaking == []


@pytest.mark.parametrize("label", LABELS)
def test_tests_mirror_the_domain(label):
    folder = ROOT / "tests" / label
    if not folder.exists():
        pytest.skip("the domain has no code of its own yet")
    folders = {path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"}

    assert folders - TEST_FOLDERS == set()
    assert [path.name for path in folder.glob("test_*.py")] == []


def test_files_are_short_and_named_for_what_is_in_them():
    found = {name: len(file.read_text().splitlines()) for name, file in sources("aitbc", "apps")}

    assert {name: lines for name, lines in found.items() if lines > HARD_LIMIT} == {}
    assert [name for name in found if set(name.split(".")) & SHAPELESS] == []


@pytest.mark.parametrize("label", LABELS)
def test_models_have_no_logic_in_save(label):
    wrong = [
        f"{name}.{node.name}"
        for name, file in sources(f"apps/{label}")
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef) and node.name in ("save", "delete") and ".models" in name
    ]

    assert wrong == []


def test_references_stay_inside_the_repository():
    """What code needs of a design is in docs/: nobody outside can read another file."""
    outside = ("design/", "spec/", "wire.md", "claim.md", "core.md", "reliability.md", "hot-path.md")
    wrong = [
        f"{name}:{number} {word}"
        for name, file in sources("aitbc", "apps", "tests", "bench")
        if file.name != "test_layers.py"
        for number, line in enumerate(file.read_text().splitlines(), 1)
        for word in outside
        if word in line
    ]

    assert wrong == []
