"""What every domain has: messages on their way to others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.apps import apps
from django.db import models
from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.messaging import EVENTS, HANDLERS, Event, emit
from aitbc.domains import LABELS
from tests.sweeping import Case, Cases, StateReaders, ago, set_columns


def delayed_message(label: str) -> Case:
    """A message of this domain that waits for its time."""

    def case() -> Iterator[models.Model]:
        @dataclass(frozen=True, kw_only=True)
        class Rang(Event):
            NAME = f"{label}.test.rang.v1"
            KEY = "bell"
            bell: str

        consumer = next(other for other in LABELS if other != label)
        HANDLERS[Rang.NAME, consumer] = lambda events: None
        outbox = apps.get_model(label, "Outbox")
        try:
            with atomic(outbox):
                emit(Rang(bell="one"), by=label)
            message = outbox._base_manager.get()
            set_columns(message, due_at=timezone.now() + timedelta(hours=1))
            yield message
            set_columns(message, due_at=ago(seconds=1))
            yield message
        finally:
            del HANDLERS[Rang.NAME, consumer], EVENTS[Rang.NAME]

    return case


CASES: Cases = {f"{label}.Outbox": {"waiting": delayed_message(label)} for label in LABELS}
STATES: StateReaders = {f"{label}.Outbox": lambda message: "waiting" for label in LABELS}
