"""What a process remembers of the gpu domain between requests."""

from __future__ import annotations

from apps.gpu.services.miner_cache import ROSTER
from apps.gpu.services.queue_heads import HEADS_HERE
from apps.gpu.services.requirement_classes import CATALOGUE


def forget() -> None:
    """Start out knowing nothing, as a new process does."""
    CATALOGUE.forget()
    HEADS_HERE.forget()
    ROSTER.forget()
