"""Inputs and results too large for a row: blobs, owned through artifacts, deleted when no job uses them any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.utils import timezone

from aitbc.core import blobs
from aitbc.core.db import atomic, cursor
from aitbc.core.locks import lock_key
from apps.ai.errors import ArtifactInUse, ArtifactNotFound, InputUnusable
from apps.ai.models import AIJob, AIJobResult, Artifact
from apps.ai.selectors.artifacts import usage_of

UPLOAD_LIMIT = 16 << 20
RETENTION = timedelta(days=7)  # of an artifact that nothing uses
OWNER_LOCK = "SELECT pg_advisory_xact_lock(%s)"  # a quota is read and used up by one transaction at a time


def upload(*, owner_id: UUID, chunks: Iterable[bytes], media_type: str) -> Artifact:
    """Store the bytes durably and return their artifact; the same bytes of one owner are one artifact.

    Raises BlobTooLarge above UPLOAD_LIMIT, and ArtifactQuotaExceeded before anything is stored. Which bytes come is
    known only when they have come: those that the owner has already need no room.
    """
    stored = blobs.put(chunks, limit=UPLOAD_LIMIT, admit=partial(require_room, owner_id))
    return claim(owner_id=owner_id, stored=stored, media_type=media_type)


def claim(*, owner_id: UUID, stored: blobs.Stored, media_type: str) -> Artifact:
    """Record that this owner may read a blob that is already stored; returns the artifact.

    Raises ArtifactQuotaExceeded: other uploads may have used up what was free before.
    """
    with atomic(Artifact):
        with cursor(Artifact) as sql:
            sql.execute(OWNER_LOCK, [lock_key(f"ai.artifacts:{owner_id}")])
        require_room(owner_id, stored)
        _record([Artifact(owner_id=owner_id, sha256=stored.sha256, size=stored.size, media_type=media_type)])
        return Artifact.objects.owned_by(owner_id).get(sha256=stored.sha256)


def require_room(owner_id: UUID, stored: blobs.Stored) -> None:
    """Raise ArtifactQuotaExceeded unless the owner has these bytes already, or may have so many more."""
    if not Artifact.objects.owned_by(owner_id).filter(sha256=stored.sha256).exists():
        usage_of(owner_id).require(stored.size)


def touch(*, owner_id: UUID, sha256: str) -> bool:
    """Begin the artifact's RETENTION anew, inside the caller's transaction; returns whether the owner has it.

    Whoever collects this artifact at the same time waits for the caller or has passed it over.
    """
    own = Artifact.objects.owned_by(owner_id).filter(sha256=sha256)
    return bool(own.update(touched_at=timezone.now()))


def use_as_input(*, owner_id: UUID, sha256: str) -> None:
    """Keep an artifact for a job that this transaction submits. Raises InputUnusable when the owner has none such."""
    if not touch(owner_id=owner_id, sha256=sha256):
        raise InputUnusable("input_sha256 names no artifact of yours; upload it first.")


def release_inputs(jobs: Sequence[AIJob]) -> None:
    """Begin the RETENTION of the large inputs of jobs that have ended, inside the caller's transaction."""
    for owner_id, sha256 in sorted({(job.owner_id, job.input_sha256) for job in jobs if job.input_is_blob}):
        touch(owner_id=owner_id, sha256=sha256)


def claim_results(results: Sequence[tuple[AIJob, AIJobResult]]) -> None:
    """Record large results as artifacts of their jobs' owners, inside the caller's transaction.

    They count towards the quota, and are never refused: their miner is to be paid.
    """
    fresh = {
        (job.owner_id, result.sha256): Artifact(
            owner_id=job.owner_id, sha256=result.sha256, size=result.size, media_type="application/json"
        )
        for job, result in results
        if result.is_blob
    }
    _record([fresh[key] for key in sorted(fresh)])


def delete(*, artifact: Artifact) -> None:
    """Delete an artifact; its blob goes when nobody owns it any more. Results of its owner's jobs are removed with it.

    Raises ArtifactInUse while an unfinished job has it as input, ArtifactNotFound when it is gone.
    """
    with atomic(Artifact):
        if not Artifact.objects.select_for_update().filter(pk=artifact.pk).exists():
            raise ArtifactNotFound
        if AIJob.objects.needing_input().owned_by(artifact.owner_id).filter(input_sha256=artifact.sha256).exists():
            raise ArtifactInUse("An unfinished job has it as input: cancel the job, or wait until it has ended.")
        results = AIJobResult.objects.kept().filter(job__owner_id=artifact.owner_id, sha256=artifact.sha256)
        results.update(removed_at=timezone.now(), removed_by=AIJobResult.RemovedBy.OWNER)
        Artifact.objects.filter(pk=artifact.pk).delete()


def collect_unused(*, limit: int = 1000) -> int:
    """Delete artifacts past RETENTION that nothing uses, at most limit, then blobs without an artifact.

    Returns the number of blobs deleted.
    """
    with atomic(Artifact):
        stale = list(
            Artifact.objects.unused(timezone.now() - RETENTION)
            .select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit]
        )  # fmt: skip
        Artifact.objects.filter(pk__in=stale).delete()
    return blobs.collect()


@blobs.keeper
def claimed(sha256s: Sequence[str]) -> set[str]:
    """Return those of these blobs that an artifact still names."""
    return set(Artifact.objects.filter(sha256__in=sha256s).values_list("sha256", flat=True))


def _record(artifacts: Sequence[Artifact]) -> None:
    """Insert artifacts; of those that are there already only `touched_at` changes."""
    Artifact.objects.bulk_create(
        artifacts, update_conflicts=True, unique_fields=["owner_id", "sha256"], update_fields=["touched_at"]
    )
