"""Check-ins of the tasks that Celery runs: in a worker each is passed on at once, since they are rare."""

from __future__ import annotations

import threading
from datetime import datetime

from django.utils import timezone

from aitbc.core.check_ins import CheckIn, CheckIns, Expected
from aitbc.schedule import expected

_check_ins = CheckIns()
_expected: dict[str, Expected] = {one.name: one for one in expected() if one.kind == "task"}
_started = threading.local()


def started(name: str) -> None:
    """Note that a scheduled task begins; any other is nobody's concern."""
    if name in _expected:
        _started.at = timezone.now()
        _pass_on(name, _started.at)


def ended(name: str, error: str) -> None:
    """Note that a scheduled task has ended, with an error unless that is empty."""
    if name in _expected:
        now = timezone.now()
        _pass_on(name, getattr(_started, "at", now), now, error)


def _pass_on(name: str, began: datetime, finished: datetime | None = None, error: str = "") -> None:
    _check_ins.note(CheckIn(_expected[name], began, finished, error[:500]))
    _check_ins.flush()
