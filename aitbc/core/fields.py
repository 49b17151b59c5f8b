"""Model fields with a meaning of their own."""

from __future__ import annotations

from typing import Any

from django.core.validators import MinValueValidator
from django.db import models


class AmountField(models.BigIntegerField):  # type: ignore[type-arg]
    """A non-negative amount of money in micro-AIT (10⁻⁶ AIT); the column carries a CHECK."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", 0)
        super().__init__(*args, **kwargs)
        self.validators = [*self.validators, MinValueValidator(0)]

    def db_check(self, connection: Any) -> str:
        return f'"{self.column}" >= 0'
