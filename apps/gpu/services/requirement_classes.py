"""Requirement classes: jobs with equal requirements share one row, so that matching happens once per class."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from aitbc.core.db import atomic, cursor
from aitbc.core.rows import readable
from apps.gpu.logic.job_matching import Candidate, fits
from apps.gpu.models import Miner, RequirementClass

log = logging.getLogger(__name__)

REREAD_SECONDS = 5.0
IDLE_SECONDS = 3600
PRICE_GRID = 10_000  # micro-AIT per hour; a ceiling is rounded down, which never breaks the client's constraint
CREATED = "classes"  # topic: a class nobody has matched yet exists

UPSERT = """INSERT INTO gpu_requirementclass AS c (digest, requirement)
SELECT d, r::jsonb FROM unnest(%(digests)s::text[], %(requirements)s::text[]) AS t(d, r) ORDER BY d
ON CONFLICT (digest) DO UPDATE SET used_at = clock_timestamp()
RETURNING c.digest, c.id, c.xmax = 0"""
RETIRE = """DELETE FROM gpu_requirementclass c WHERE used_at < clock_timestamp() - %(idle)s::int * interval '1 second'
AND NOT EXISTS (SELECT FROM gpu_work w WHERE w.class_id = c.id AND w.state <> 'done')"""


class Judged(NamedTuple):
    """What a miner fits of the classes that were known when it was judged."""

    classes: dict[int, dict[str, Any]]
    fitting: frozenset[int]


UNJUDGED = Judged({}, frozenset())


class Catalogue:
    """The classes as this process knows them, and which miner fits which. Rows never change their meaning."""

    def __init__(self) -> None:
        self.requirements: dict[int, dict[str, Any]] = {}
        self.read_at = float("-inf")
        self.lock = threading.Lock()
        self.judged: dict[tuple[str, int, int], Judged] = {}

    def fitting(self, miner: Candidate, version: int) -> frozenset[int]:
        """Return the ids of the classes a miner fits; each is judged once per version of the miner's capabilities."""
        known = self.judged.get((miner.id, version, miner.rate), UNJUDGED)
        classes = self.requirements
        if known.classes is classes:
            return known.fitting
        still_fitting = known.fitting & classes.keys()
        unjudged = classes.keys() - known.classes.keys()
        fresh = (class_id for class_id in unjudged if _fits(class_id, classes[class_id], miner))
        if len(self.judged) > 20_000:
            self.judged.clear()
        self.judged[(miner.id, version, miner.rate)] = found = Judged(classes, still_fitting.union(fresh))
        return found.fitting

    def topics(self, miner: Candidate, version: int) -> list[str]:
        """Return the topics a waiting miner listens to: the classes it fits."""
        return [f"work:{class_id}" for class_id in self.fitting(miner, version)]

    def booking_of(self, class_id: int) -> str | None:
        """Return the booking that jobs of this class belong to, if any."""
        return (self.requirements.get(class_id) or {}).get("booking_id")

    def learn(self, seen: Iterable[int]) -> None:
        """Read the table again when a class is unknown or the copy is stale."""
        unknown = any(class_id not in self.requirements for class_id in seen)
        if not unknown and time.monotonic() - self.read_at < REREAD_SECONDS:
            return
        with self.lock:
            found = dict(RequirementClass.objects.values_list("id", "requirement"))
            if found.keys() != self.requirements.keys():  # else what was judged by the previous copy stays valid
                self.requirements = found
            self.read_at = time.monotonic()

    def forget(self) -> None:
        """Start empty, as a new process does."""
        self.requirements, self.judged, self.read_at = {}, {}, float("-inf")


CATALOGUE = Catalogue()


def on_grid(requirement: Mapping[str, Any]) -> dict[str, Any]:
    """Return the requirement with its price ceiling rounded down onto the grid, so that classes stay few."""
    ceiling = requirement.get("max_price")
    return {**requirement, "max_price": None if ceiling is None else ceiling - ceiling % PRICE_GRID}


def ensure(requirements: Iterable[Mapping[str, Any]]) -> tuple[list[int], set[int]]:
    """Return the class of each requirement, in order, and which of them are new. Inside the caller's transaction."""
    written = [orjson.dumps(on_grid(r), option=orjson.OPT_SORT_KEYS) for r in requirements]
    digests = [hashlib.sha256(text).hexdigest() for text in written]
    by_digest = dict(zip(digests, (text.decode() for text in written), strict=True))
    with cursor(RequirementClass) as sql:
        sql.execute(UPSERT, {"digests": list(by_digest), "requirements": list(by_digest.values())})
        rows = sql.fetchall()
    ids = {digest: class_id for digest, class_id, _ in rows}
    return [ids[digest] for digest in digests], {class_id for _, class_id, new in rows if new}


def mark_served(class_ids: Iterable[int] | None = None) -> int:
    """Mark which classes some online miner fits; returns how many are not served. Unserved work earns no fair tags."""
    classes = RequirementClass.objects.all()
    if class_ids is not None:
        classes = classes.filter(pk__in=list(class_ids))
    unserved = dict(classes.values_list("pk", "requirement"))
    served: list[int] = []
    for miner in online() if unserved else ():
        fitting = [class_id for class_id, requirement in unserved.items() if _fits(class_id, requirement, miner)]
        served += fitting
        for class_id in fitting:
            del unserved[class_id]
        if not unserved:
            break  # a few miners serve most classes: the thousands behind them need not be read
    with atomic(RequirementClass):
        RequirementClass.objects.filter(pk__in=served, served=False).update(served=True)
        RequirementClass.objects.filter(pk__in=unserved, served=True).update(served=False)
    return len(unserved)


def unserved(class_ids: Iterable[int]) -> set[int]:
    """Return those of these classes that no online miner fits now."""
    ids = set(class_ids)
    mark_served(ids)
    return set(RequirementClass.objects.filter(pk__in=ids, served=False).values_list("pk", flat=True))


def _fits(class_id: int, requirement: dict[str, Any], miner: Candidate) -> bool:
    """Whether a miner fits a class; none fits a class that cannot be read, which takes no other work away."""
    try:
        return fits(requirement, miner)
    except Exception:  # whatever is wrong with a row is its own affair; the audit names it
        log.exception("requirement class %s cannot be matched", class_id)
        return False


def online() -> Iterator[Candidate]:
    """Online miners as matching sees them, a few hundred at a time; without those whose rows cannot be read."""
    rows = Miner.objects.online().only("offer", "price", "reputation", "booked", "owner_id")
    return readable(Miner.candidate, rows.iterator(chunk_size=500))


def mark_served_by(miner: Miner) -> None:
    """Mark the classes that a new or changed miner serves and nobody did before."""
    candidate = miner.candidate()
    waiting = RequirementClass.objects.filter(served=False).values_list("pk", "requirement")
    if fitting := [class_id for class_id, requirement in waiting if _fits(class_id, requirement, candidate)]:
        with atomic(RequirementClass):
            RequirementClass.objects.filter(pk__in=fitting).update(served=True)


def retire_idle(*, idle_seconds: int = IDLE_SECONDS) -> int:
    """Delete classes without work that were not used lately (each costs a probe); returns how many."""
    with atomic(RequirementClass), cursor(RequirementClass) as sql:
        sql.execute(RETIRE, {"idle": idle_seconds})
        return int(sql.rowcount)
