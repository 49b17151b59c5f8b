"""How much an owner keeps as files, and may keep."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Sum

from aitbc.core import params
from apps.ai.errors import ArtifactQuotaExceeded
from apps.ai.models import Artifact

MIB = 1 << 20


@dataclass(frozen=True)
class Usage:
    """What the artifacts of one owner take, and may take, in bytes."""

    used: int
    quota: int

    @property
    def free(self) -> int:
        """Return how many bytes more fit; 0 when results of miners have gone past the quota."""
        return max(0, self.quota - self.used)

    def require(self, size: int) -> None:
        """Raise ArtifactQuotaExceeded unless so many bytes more fit."""
        if size > self.free:
            raise ArtifactQuotaExceeded(
                f"Your artifacts take {self.used} of {self.quota} bytes, {self.free} are free. GET /ai/artifacts lists "
                "them; DELETE /ai/artifacts/{sha256} frees the space of one that no unfinished job uses.",
                used_bytes=self.used, quota_bytes=self.quota,
            )  # fmt: skip


def usage_of(owner_id: UUID) -> Usage:
    """Return what the artifacts of this owner take, results of miners included, and its quota."""
    used = Artifact.objects.owned_by(owner_id).aggregate(total=Sum("size"))["total"]
    return Usage(used=used or 0, quota=params.get("jobs.artifact_quota_mb") * MIB)
