"""Celery: wakes people up and runs sweeps; never the job queue itself."""

from __future__ import annotations

import os

from celery import Celery
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitbc.settings")
os.environ.setdefault("AITBC_ROLE", "worker")

from aitbc.domains import LABELS
from aitbc.schedule import SCHEDULE


def route(name: str, *args: object, **kwargs: object) -> dict[str, str]:
    """A task of apps.<label> goes to that domain's queue; the rest to `relay`."""
    parts = name.split(".")
    return {"queue": parts[1] if parts[0] == "apps" and parts[1] in LABELS else "relay"}


app = Celery("aitbc")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name, Exchange(name), routing_key=name) for name in (*LABELS, "relay")]
app.conf.task_routes = (route,)
app.conf.beat_schedule = SCHEDULE
app.autodiscover_tasks()
