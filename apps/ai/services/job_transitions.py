"""Transitions of many jobs at once, each with its own values, and the clients that wait to hear of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from aitbc.core import pubsub, states
from aitbc.core.db import on_commit
from aitbc.core.states import Transition
from apps.ai.models import AIJob

TOPICS_PER_MESSAGE = 80  # as many as fit one datagram


def advance_each(transitions: Sequence[Transition]) -> None:
    """Advance each job (core/states.py) and wake its watchers after the commit. Raises StateConflict."""
    states.advance_each(transitions)
    notify(one.subject.pk for one in transitions)


def notify(job_ids: Iterable[Any]) -> None:
    """Wake the clients that wait for news of these jobs, once the transaction has committed."""
    topics = [f"job:{pk}" for pk in job_ids]
    for start in range(0, len(topics), TOPICS_PER_MESSAGE):
        part = topics[start : start + TOPICS_PER_MESSAGE]
        on_commit(AIJob, partial(pubsub.send, *part))
