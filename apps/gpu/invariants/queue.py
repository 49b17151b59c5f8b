"""Invariants of waiting work: it agrees with the leases, and can be found (I4b, I4c)."""

from __future__ import annotations

from collections.abc import Iterable

from aitbc.core.invariants import invariant
from apps.gpu.invariants.queries import rows

ASTRAY = """SELECT w.job_id, w.attempt FROM gpu_work w WHERE w.state = 'leased'
AND NOT EXISTS (SELECT FROM gpu_lease l WHERE l.work_id = w.id AND l.state = 'leased')
UNION ALL SELECT l.job_id, l.attempt FROM gpu_lease l WHERE l.state = 'leased'
AND NOT EXISTS (SELECT FROM gpu_work w WHERE w.id = l.work_id AND w.state = 'leased')"""
CLASSLESS = """SELECT w.job_id, w.class_id FROM gpu_work w WHERE w.state IN ('waiting', 'delayed')
AND NOT EXISTS (SELECT FROM gpu_requirementclass c WHERE c.id = w.class_id)"""


@invariant("I4b", db="gpu")
def work_and_leases_agree() -> Iterable[str]:
    """Work is leased exactly while its lease lives."""
    return [f"job {job} attempt {attempt}: work and lease disagree" for job, attempt in rows(ASTRAY)]


@invariant("I4c", db="gpu")
def waiting_work_has_a_class() -> Iterable[str]:
    """Waiting work can be found: its requirement class exists."""
    return [f"job {job} waits in class {class_id}, which is gone" for job, class_id in rows(CLASSLESS)]
