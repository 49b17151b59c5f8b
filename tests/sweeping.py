"""Overdue rows for the test of the sweeps.

A case is a generator: it makes a row that stands in its state and yields it; resumed, it moves the row's deadline into
the past. The cases of each domain are in tests/<domain>/services/overdue.py, by model and state. A state with several
deadlines has several cases: what follows a comma in a key says which ("running, its miner is lost").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import models
from django.utils import timezone

Case = Callable[[], Iterator[models.Model]]
Cases = dict[str, dict[str, Case]]
#: How the state of a row is read where the model has no column of that name.
StateReaders = dict[str, Callable[[Any], str]]


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def set_columns(row: models.Model, **columns: Any) -> None:
    """Write columns past every service: only the database knows that time has passed."""
    changed = type(row)._base_manager.filter(pk=row.pk).update(**columns)
    assert changed == 1, f"{row!r} is gone"


def lose_messages(*labels: str) -> None:
    """Lose what these domains had to publish, as after a restore of their databases."""
    for label in labels:
        apps.get_model(label, "Outbox")._base_manager.all().delete()
