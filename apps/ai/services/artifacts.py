"""Inputs and results too large for a row: kept as blobs, owned by artifacts, collected when no job needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from aitbc.core import blobs
from aitbc.core.db import atomic
from apps.ai.errors import ArtifactInUse, InputUnusable
from apps.ai.models import AIJob, AIJobResult, Artifact

UPLOAD_LIMIT = 16 << 20
RETENTION = timedelta(days=7)  # an upload waits this long for the job that will use it


def upload(*, owner_id: UUID, chunks: Iterable[bytes], media_type: str) -> Artifact:
    """Store the bytes durably, then let this owner claim them. The same bytes again are the same artifact."""
    stored = blobs.put(chunks, limit=UPLOAD_LIMIT)
    return claim(owner_id=owner_id, stored=stored, media_type=media_type)


def claim(*, owner_id: UUID, stored: blobs.Stored, media_type: str) -> Artifact:
    """Record that this owner has a right to a blob that is already stored."""
    with atomic(Artifact):
        fresh = Artifact(owner_id=owner_id, sha256=stored.sha256, size=stored.size, media_type=media_type)
        Artifact.objects.bulk_create(
            [fresh], update_conflicts=True, unique_fields=["owner_id", "sha256"], update_fields=["touched_at"]
        )
        return Artifact.objects.owned_by(owner_id).get(sha256=stored.sha256)


def use(*, owner_id: UUID, sha256: str) -> None:
    """Count one more job that refers to the artifact, which must be the owner's."""
    if not Artifact.objects.owned_by(owner_id).filter(sha256=sha256).update(refs=F("refs") + 1):
        raise InputUnusable("input_sha256 names no artifact of yours; upload it first.")


def keep_results(results: Sequence[tuple[AIJob, AIJobResult]]) -> None:
    """Give the owners of these jobs their large results as artifacts (inside the caller's transaction)."""
    for job, result in results:
        claim(
            owner_id=job.owner_id,
            stored=blobs.Stored(result.sha256, result.size),
            media_type="application/json",
        )
        use(owner_id=job.owner_id, sha256=result.sha256)


def release(job: AIJob) -> None:
    """Let go of what a deleted job referred to."""
    addresses = [job.input_sha256] if job.input_is_blob else []
    addresses += AIJobResult.objects.filter(job=job, is_blob=True).values_list("sha256", flat=True)
    for sha256 in addresses:
        Artifact.objects.owned_by(job.owner_id).filter(sha256=sha256, refs__gt=0).update(
            refs=F("refs") - 1, touched_at=timezone.now()
        )


def remove(*, artifact: Artifact) -> None:
    """Give up the claim on an artifact that no job refers to; the blob goes when nobody claims it."""
    with atomic(Artifact):
        deleted, _ = Artifact.objects.filter(pk=artifact.pk, refs=0).delete()
    if not deleted:
        raise ArtifactInUse("A job refers to this artifact; it goes when the job is deleted.")


def forget_unneeded(*, limit: int = 1000) -> int:
    """Drop claims that no job needs, then blobs that nobody claims; returns the blobs removed."""
    with atomic(Artifact):
        stale = list(
            Artifact.objects.unneeded(timezone.now() - RETENTION)
            .select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit]
        )  # fmt: skip
        Artifact.objects.filter(pk__in=stale).delete()
    return blobs.collect()


@blobs.keeper
def claimed(addresses: Sequence[str]) -> set[str]:
    """Which of these blobs an artifact still claims."""
    return set(Artifact.objects.filter(sha256__in=addresses).values_list("sha256", flat=True))
