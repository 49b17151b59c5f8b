"""Layers inside a domain. A file's name says its layer (views_log is one of the views); later domains need no entry.

A module of another name (merkle, matching, answers) may stand anywhere, but whatever a layer reaches through it counts.
"""

from __future__ import annotations

import ast

import pytest

from aitbc.domains import LABELS
from tests.architecture.code import DOMAIN_MODULES, graph, sources, tree

pytestmark = pytest.mark.no_db

# From the door down to the rows; what stands lower knows nothing of what stands higher.
LAYERS = (
    ("apps", "urls"),
    ("admin", "views", "tasks", "handlers", "interface", "management"),
    ("serializers", "filters"),
    ("services",),
    ("models",),
    ("events", "states", "errors"),
)
HEIGHT = {name: len(LAYERS) - depth for depth, names in enumerate(LAYERS) for name in names}
HARD_LIMIT = 400
SHAPELESS = {"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common", "data"}


def height(module: str) -> int | None:
    """How high a module of a domain stands; None when its name says nothing."""
    name = module.split(".")[2]
    return HEIGHT.get(name, HEIGHT.get(name.partition("_")[0]))


def reached(module: str, label: str) -> set[str]:
    """What a module needs of its own domain, through however many steps."""
    inside = f"apps.{label}."
    found, pending = set(), [module]
    while pending:
        for name in graph().find_modules_directly_imported_by(pending.pop()):
            if name.startswith(inside) and name not in found:
                found.add(name)
                pending.append(name)
    return found


@pytest.mark.parametrize("label", LABELS)
def test_no_module_reaches_up(label):
    wrong = [
        f"{module} → {below}"
        for owner, module in DOMAIN_MODULES
        if owner == label and (own := height(module)) is not None
        for below in reached(module, label)
        if (height(below) or 0) > own
    ]

    assert wrong == []


@pytest.mark.parametrize("label", LABELS)
def test_services_and_models_reach_neither_the_web_nor_celery(label):
    wrong = [
        f"{module} → {library} through {step}"
        for owner, module in DOMAIN_MODULES
        if owner == label and (height(module) or HEIGHT["admin"]) <= HEIGHT["services"]
        for step in {module, *reached(module, label)}
        for library in graph().find_modules_directly_imported_by(step) & {"rest_framework", "celery", "drf_spectacular"}
    ]

    assert wrong == []


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
