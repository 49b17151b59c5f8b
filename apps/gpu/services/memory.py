"""What a process remembers of the gpu domain between requests."""

from __future__ import annotations

from apps.gpu.services.classes import CATALOGUE
from apps.gpu.services.heads import HEADS_HERE
from apps.gpu.services.roster import ROSTER


def forget() -> None:
    """Start out knowing nothing, as a new process does."""
    CATALOGUE.forget()
    HEADS_HERE.forget()
    ROSTER.forget()
