"""Model fields with a meaning of their own."""

from __future__ import annotations

import json
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from psycopg.types.json import Jsonb

from aitbc.core import jsonb


class AmountField(models.BigIntegerField):  # type: ignore[type-arg]
    """A non-negative amount of money in micro-AIT (10⁻⁶ AIT); the column carries a CHECK."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", 0)
        super().__init__(*args, **kwargs)
        self.validators = [*self.validators, MinValueValidator(0)]

    def db_check(self, connection: Any) -> str:
        return f'"{self.column}" >= 0'


class Shown(json.JSONEncoder):
    """What pages of the admin write columns with: also what cannot be read, by its name."""

    def default(self, o: Any) -> Any:
        return str(o) if isinstance(o, jsonb.Unreadable) else super().default(o)


class JSONField(models.JSONField):  # type: ignore[type-arg]
    """Django's, with the project's one decoder and encoder: a double comes back as the same double (jsonb.py).

    It holds an object, and the audit (R2) names a row that has something else in it; `free`: any JSON.
    """

    def __init__(self, *args: Any, free: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **{"encoder": Shown} | kwargs)
        self.free = free

    def deconstruct(self) -> Any:
        """As Django's: in migrations it is the same column."""
        name, _, args, kwargs = super().deconstruct()
        kwargs.pop("encoder")
        return name, "django.db.models.JSONField", args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Decode what the driver hands over as text; a key of the document may come as a value of its own."""
        return jsonb.loads(value) if isinstance(value, (str, bytes)) else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Encode a document."""
        return Jsonb(value if prepared else self.get_prep_value(value), dumps=jsonb.dumps)
