"""Whatever is ordered is ordered to the last row: two rows that tie never change places between two pages or runs.

A queryset's order must hold the primary key, or the fields of a unique constraint of every model that it may be of.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model, UniqueConstraint

ROOT = Path(__file__).parents[2]
OURS = ("aitbc", "apps")


@dataclass(frozen=True)
class Order:
    """A call of order_by: its line, the name its chain of calls starts with, and the columns that tell rows apart."""

    line: int
    root: str
    names: set[str]

    def is_total(self, models: list[type[Model]]) -> bool:
        named = [model for model in models if model.__name__ == self.root]
        return "pk" in self.names or is_total(self.names, named or models)


def orders(tree: ast.AST) -> Iterator[Order]:
    """Each call of order_by, but those whose rows are groups of the columns that it names.

    Rows are told apart by the columns of the order and by those that the same chain of calls holds equal.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) == "order_by":
            names = {name_of(argument) for argument in node.args}
            before = list(chain(node))
            if names and names.isdisjoint({"?", "*"}) and not grouped_by(names, before):
                yield Order(node.lineno, root(node), names | {name for call in before for name in held_equal(call)})


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def chain(node: ast.Call) -> Iterator[ast.Call]:
    """The calls that made what this method is called on, last first."""
    while isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
        node = node.func.value
        yield node


def root(node: ast.AST) -> str:
    while isinstance(node, ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def held_equal(call: ast.Call) -> list[str]:
    names = [keyword.arg for keyword in call.keywords if keyword.arg and "__" not in keyword.arg]
    return names if called(call) == "filter" else []


def grouped_by(names: set[str], before: list[ast.Call]) -> bool:
    """Whether the rows are distinct values, or sums by values, all of which are in the order."""
    if not any(called(call) in ("distinct", "annotate") for call in before):
        return False
    values = [call for call in before if called(call) in ("values", "values_list")]
    return bool(values) and {name_of(argument) for argument in values[-1].args} <= names


def name_of(argument: ast.expr) -> str:
    literals = [one.value for one in ast.walk(argument) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return literals[0].lstrip("-") if literals else "*"


def fields_of(model: type[Model]) -> dict[str, str]:
    """The names by which a model's columns can be ordered, each with its column."""
    named = {"pk": model._meta.pk.attname}
    for field in model._meta.concrete_fields:
        named |= {field.name: field.attname, field.attname: field.attname}
    return named


def keys_of(model: type[Model]) -> list[set[str]]:
    """The sets of columns that are unique in a model's table, whatever the rows."""
    names = fields_of(model)
    single = [{field.attname} for field in model._meta.concrete_fields if field.unique]
    joint = [one.fields for one in model._meta.constraints if isinstance(one, UniqueConstraint) and not one.condition]
    return [*single, *({names[name] for name in fields} for fields in joint if fields)]


def is_total(names: Iterable[str], models: list[type[Model]]) -> bool:
    """Whether these names order the rows of each model that has them all, to the last one."""
    found = [(model, fields_of(model)) for model in models]
    having = [(model, {known[name] for name in names}) for model, known in found if all(n in known for n in names)]
    return bool(having) and all(any(key <= columns for key in keys_of(model)) for model, columns in having)


def files() -> list[Path]:
    return [path for top in OURS for path in sorted((ROOT / top).rglob("*.py")) if "migrations" not in path.parts]


def partial_orders(path: Path) -> list[str]:
    models = apps.get_models()
    return [
        f"{path.relative_to(ROOT)}:{order.line} orders by {', '.join(sorted(order.names))}"
        for order in orders(ast.parse(path.read_text()))
        if not order.is_total(models)
    ]


def test_every_queryset_is_ordered_to_the_last_row():
    assert [one for path in files() for one in partial_orders(path)] == []


@pytest.mark.parametrize(
    "model", [model for model in apps.get_models() if model.__module__.startswith(OURS)], ids=lambda m: m._meta.label
)
def test_every_default_order_is_total(model):
    names = [str(name).lstrip("-") for name in model._meta.ordering]
    assert not names or is_total(names, [model])


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ('GPUBooking.objects.order_by("-created_at")', False),
        ('GPUBooking.objects.order_by("-created_at", "-pk")', True),
        ('GPUBooking.objects.values_list("region").distinct().order_by("region")', True),
        ('JobEvent.objects.order_by("seq")', False),
        ('JobEvent.objects.filter(subject_id=1).order_by("seq")', True),
        ('JobEvent.objects.filter(subject_id__in=[1, 2]).order_by("seq")', False),
        ('Transfer.objects.order_by("seq")', True),
        ('rows.order_by("seq")', False),
    ],
)
def test_the_check_sees_orders_in_which_rows_tie(text, total):
    assert all(order.is_total(apps.get_models()) for order in orders(ast.parse(text))) is total
