"""No float where money is counted. A module is about money when it says so by an import, or lives in trading."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.code import sources, tree

pytestmark = pytest.mark.no_db

MONEY = "aitbc.core.money"
TRADING = ("apps.trading.models", "apps.trading.services", "apps.trading.logic.settlement", "apps.trading.states")
# Modules that use money and floats for different things, and where the float is.
EXCEPTIONS = {
    "apps.gpu.logic.capabilities": "a card's memory; a price that comes as a JSON number is read from its text",
    "apps.marketplace.selectors.overview": "averages for a front page; legacy clients read JSON numbers",
    "apps.marketplace.selectors.prices": "a suggestion is read as JSON numbers",
    "apps.marketplace.legacy.gpu_payloads": "legacy prices are JSON numbers, made last",
    "apps.marketplace.legacy.order_payloads": "a duration in hours, as legacy clients read it",
    "apps.marketplace.services.constraint_facts": "facts that constraints judge by: CEL's numbers are doubles",
    "apps.marketplace.search.fields": "figures that rank offers, per credit; nobody pays by them, prices stay whole",
    "apps.marketplace.search.terms": "numbers of the grammar that are not amounts; amounts are read as such",
    "apps.marketplace.serializers.offers": "legacy price fields are JSON numbers; facts of cards are floats",
    "apps.trading.selectors.legacy_receipts": "legacy receipts have JSON numbers, made last",
}


def is_about_money(name: str, module: ast.Module) -> bool:
    imported = {
        node.module for node in ast.walk(module) if isinstance(node, ast.ImportFrom) and node.module is not None
    }
    return name == MONEY or name.startswith(TRADING) or MONEY in imported


def floats_in(module: ast.Module) -> list[str]:
    """Where a float is made: a literal, float(…), a division that is not whole. isinstance(x, float) makes none."""
    found = []
    for node in ast.walk(module):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        division = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
        call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
        if literal or division or call:
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


MODULES = [(name, file) for name, file in sources("aitbc", "apps") if is_about_money(name, tree(file))]


@pytest.mark.parametrize(("name", "file"), MODULES, ids=[name for name, _ in MODULES])
def test_no_float_is_made_in_a_module_about_money(name, file):
    assert name in EXCEPTIONS or floats_in(tree(file)) == []


def test_the_exceptions_are_still_needed():
    files = dict(MODULES)
    # core.serializers only looks at types; it stays named because it is the border where floats are refused.
    assert set(EXCEPTIONS) <= set(files)
