"""Inputs and results too large for a row: blobs, owned through artifacts, deleted when no job refers to them."""

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
RETENTION = timedelta(days=7)  # of an artifact that no job refers to


def upload(*, owner_id: UUID, chunks: Iterable[bytes], media_type: str) -> Artifact:
    """Store the bytes durably and return their artifact; the same bytes of one owner are one artifact.

    Raises BlobTooLarge above UPLOAD_LIMIT.
    """
    stored = blobs.put(chunks, limit=UPLOAD_LIMIT)
    return claim(owner_id=owner_id, stored=stored, media_type=media_type)


def claim(*, owner_id: UUID, stored: blobs.Stored, media_type: str) -> Artifact:
    """Record that this owner may read a blob that is already stored; returns the artifact."""
    with atomic(Artifact):
        fresh = Artifact(owner_id=owner_id, sha256=stored.sha256, size=stored.size, media_type=media_type)
        Artifact.objects.bulk_create(
            [fresh], update_conflicts=True, unique_fields=["owner_id", "sha256"], update_fields=["touched_at"]
        )
        return Artifact.objects.owned_by(owner_id).get(sha256=stored.sha256)


def add_reference(*, owner_id: UUID, sha256: str) -> None:
    """Count one more job that refers to this artifact. Raises InputUnusable when the owner has no such artifact."""
    if not Artifact.objects.owned_by(owner_id).filter(sha256=sha256).update(refs=F("refs") + 1):
        raise InputUnusable("input_sha256 names no artifact of yours; upload it first.")


def claim_results(results: Sequence[tuple[AIJob, AIJobResult]]) -> None:
    """Record large results as artifacts of their jobs' owners, inside the caller's transaction."""
    for job, result in results:
        claim(
            owner_id=job.owner_id,
            stored=blobs.Stored(result.sha256, result.size),
            media_type="application/json",
        )
        add_reference(owner_id=job.owner_id, sha256=result.sha256)


def drop_references(job: AIJob) -> None:
    """Discount the references of a deleted job to its input and its result."""
    sha256s = [job.input_sha256] if job.input_is_blob else []
    sha256s += AIJobResult.objects.filter(job=job, is_blob=True).values_list("sha256", flat=True)
    for sha256 in sha256s:
        Artifact.objects.owned_by(job.owner_id).filter(sha256=sha256, refs__gt=0).update(
            refs=F("refs") - 1, touched_at=timezone.now()
        )


def delete(*, artifact: Artifact) -> None:
    """Delete an artifact; its blob goes when nobody owns it any more. Raises ArtifactInUse while a job refers to it."""
    with atomic(Artifact):
        deleted, _ = Artifact.objects.filter(pk=artifact.pk, refs=0).delete()
    if not deleted:
        raise ArtifactInUse("A job refers to this artifact; it goes when the job is deleted.")


def collect_unreferenced(*, limit: int = 1000) -> int:
    """Delete artifacts past RETENTION that no job refers to, at most limit, then blobs without an artifact.

    Returns the number of blobs deleted.
    """
    with atomic(Artifact):
        stale = list(
            Artifact.objects.unreferenced(timezone.now() - RETENTION)
            .select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit]
        )  # fmt: skip
        Artifact.objects.filter(pk__in=stale).delete()
    return blobs.collect()


@blobs.keeper
def claimed(sha256s: Sequence[str]) -> set[str]:
    """Return those of these blobs that an artifact still names."""
    return set(Artifact.objects.filter(sha256__in=sha256s).values_list("sha256", flat=True))
