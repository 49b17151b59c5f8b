"""Celery: carries what is done less than once a minute, and wakes people; never the job queue itself."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun
from kombu.entity import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitbc.settings")
os.environ.setdefault("AITBC_ROLE", "worker")

from aitbc.core import task_check_ins
from aitbc.domains import LABELS
from aitbc.schedule import QUEUES, in_beat


def route(name: str, *args: object, **kwargs: object) -> dict[str, str]:
    """A task of apps.<label> goes to that domain's queue; the rest to `relay`."""
    parts = name.split(".")
    return {"queue": parts[1] if parts[0] == "apps" and parts[1] in LABELS else "relay"}


app = Celery("aitbc")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name, Exchange(name), routing_key=name) for name in QUEUES]  # type: ignore[no-untyped-call]
app.conf.task_routes = (route,)
app.conf.beat_schedule = in_beat()
app.autodiscover_tasks()


def note_start(task: Any, **kwargs: Any) -> None:
    task_check_ins.started(task.name)


def note_end(task: Any, state: str, retval: Any, **kwargs: Any) -> None:
    task_check_ins.ended(task.name, "" if state == "SUCCESS" else f"{state}: {retval!r}")


task_prerun.connect(note_start)
task_postrun.connect(note_end)
