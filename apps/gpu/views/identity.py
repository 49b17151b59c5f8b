"""Which miner or GPU a request means, and whether the caller may see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter

from aitbc.accounts.authentication import presented
from aitbc.core.errors import Invalid
from aitbc.core.parsers import refuse_unstorable
from aitbc.core.schema import ignored
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.gpu.errors import GpuNotFound
from apps.gpu.models import (
    GPURegistry,
)
from apps.gpu.services import (
    miners,
    optimization,
)

MINER_ID = OpenApiParameter(
    "X-Miner-ID", location=OpenApiParameter.HEADER, required=False, description="Selects one of the key owner's miners."
)
NAMED_IN_PATH = ignored("miner_id", "The path names the miner.")
IDENTITY = [MINER_ID, OpenApiParameter("miner_id", required=False, description="The same, as a query parameter.")]


class ActorView(DomainViewSet):
    """A view whose writes are signed with the public prefix of the caller's key."""

    def actor_name(self) -> str:
        return f"key:{self.actor.key_prefix}"


class MinerIdentity(ActorView):
    """Who calls: the key's owner is the authority, the id a client sends only selects among its miners."""

    required_scopes: ClassVar[dict[str, Scopes]] = {}

    def caller(self, body: Mapping[str, Any] | None = None, *, path: str | None = None) -> miners.Caller:
        sent = (
            path,
            self.request.META.get("HTTP_X_MINER_ID"),
            self.request.query_params.get("miner_id"),
            (body or {}).get("miner_id"),
        )
        named = next((str(text).strip() for text in sent if text is not None and str(text).strip()), None)
        if named is not None and named == presented(self.request.META):
            named = None  # one daemon sends its key as its id; the key is never stored or shown
        if named is not None:
            refuse_unstorable(named)
            if len(named) > 128 or not named.isprintable():
                raise Invalid(
                    "A miner id is at most 128 printable characters.",
                    errors=[{"field": "miner_id", "message": "too long"}],
                )
        return miners.Caller(self.actor.pk, str(self.actor.key_id), self.actor.key_prefix, named)

    def body(self) -> dict[str, Any]:
        """The body if it is an object; some clients send none, or a list."""
        return dict(self.request.data) if isinstance(self.request.data, Mapping) else {}


class GpuIdentity(MinerIdentity):
    """Which GPU is meant, and who may see it: its owner, its renter while it is booked, and operators."""

    def find_gpu(self, named: str, *, own: bool = False) -> GPURegistry:
        """The GPU with this id (ours or its owner's). Raises GpuNotFound when the caller may not see (change) it."""
        rows = GPURegistry.objects.select_related("miner", "profile")
        if not self.actor.may("operator"):
            rows = rows.owned_by(self.actor.pk) if own else rows.visible_to(self.actor.pk)
        pk = uuid_or_none(named)
        mine = Q(external_id=named, owner_id=self.actor.pk) if "\x00" not in named else Q(pk=None)
        found = rows.filter(mine | Q(pk=pk) if pk else mine).first()
        if found is None:
            raise GpuNotFound()
        return found


def uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


class AnyGpuView(ActorView):
    """A view of any GPU: advice on it needs no booking."""

    def find_gpu(self, named: str) -> GPURegistry:
        return optimization.find(named, owner_id=self.actor.pk)

    def own_gpu(self, named: str) -> GPURegistry:
        """The caller's card; an operator sees everybody's."""
        found = self.find_gpu(named)
        if found.owner_id != self.actor.pk and not self.actor.may("operator"):
            raise GpuNotFound()
        return found
