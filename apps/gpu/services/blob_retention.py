"""Which stored blobs the gpu domain still needs: inputs of open work, results on their way to ai."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from aitbc.core import blobs
from apps.gpu.models import Lease, Work
from apps.gpu.states import LeaseState, WorkState

ON_THE_WAY = timedelta(days=2)


def still_named(addresses: Sequence[str]) -> set[str]:
    """Return those of these addresses (SHA-256, hex) that must stay: results for two days, until ai has them."""
    recent = Q(state=LeaseState.LEASED) | Q(ended_at__gt=timezone.now() - ON_THE_WAY)
    results = Lease.objects.filter(recent, result_sha256__in=addresses).values_list("result_sha256", flat=True)
    inputs = Lease.objects.live().filter(input_sha256__in=addresses).values_list("input_sha256", flat=True)
    waiting = Work.objects.exclude(state=WorkState.DONE).filter(body__input_sha256__in=list(addresses))
    return {*results, *inputs, *waiting.values_list("body__input_sha256", flat=True)}


def register() -> None:
    """Register this domain with the blob collector."""
    blobs.keeper(still_named)
