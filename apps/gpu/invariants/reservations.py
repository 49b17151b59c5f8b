"""Invariants of bookings at the miner: one per GPU, and its jobs with its miner (U5, I8b)."""

from __future__ import annotations

from collections.abc import Iterable

from aitbc.core.invariants import invariant
from apps.gpu.invariants.queries import rows

# U5: a card is set aside or lent exactly when one held booking has it.
UNHELD = """SELECT g.id, g.state FROM gpu_gpuregistry g WHERE g.state IN ('reserved', 'busy') AND NOT EXISTS (
  SELECT FROM gpu_reservation r WHERE r.booking_id = g.booking_id AND r.held_at IS NOT NULL AND r.closed_at IS NULL
    AND g.id = ANY (r.gpu_ids))"""
HELD_TWICE = """SELECT card, count(*) FROM gpu_reservation r, unnest(r.gpu_ids) card
WHERE r.held_at IS NOT NULL AND r.closed_at IS NULL GROUP BY card HAVING count(*) > 1"""
IDLE = """SELECT r.booking_id, g.id, g.state FROM gpu_reservation r JOIN gpu_gpuregistry g ON g.id = ANY (r.gpu_ids)
WHERE r.held_at IS NOT NULL AND r.closed_at IS NULL AND r.broken_at IS NULL
  AND g.state <> CASE WHEN r.started_at IS NULL THEN 'reserved' ELSE 'busy' END"""
# Granted since the miner last changed (as for I8): bookings change it.
OTHERS = """SELECT l.job_id, m.name FROM gpu_lease l JOIN gpu_miner m ON m.id = l.miner_id
JOIN gpu_requirementclass c ON c.id = l.class_id
WHERE l.state = 'leased' AND l.granted_at > m.changed_at AND l.cancel_at IS NULL AND CASE
  WHEN c.requirement->>'booking_id' IS NULL THEN coalesce(m.booked->>'taken' = 'true', false)
  ELSE NOT coalesce(m.booked->'bookings', '[]') @> jsonb_build_array(
    jsonb_build_object('booking_id', c.requirement->>'booking_id')) END"""


@invariant("U5", db="gpu")
def a_gpu_has_one_booking() -> Iterable[str]:
    """A card is reserved or busy exactly when one running booking has it."""
    return [
        *(f"card {gpu} is {state} without a booking that holds it" for gpu, state in rows(UNHELD)),
        *(f"card {gpu} is in {count} bookings at once" for gpu, count in rows(HELD_TWICE)),
        *(f"booking {booking} holds card {gpu}, which is {state}" for booking, gpu, state in rows(IDLE)),
    ]


@invariant("I8b", db="gpu")
def booked_miners_work_for_their_renters() -> Iterable[str]:
    """A miner without a free card holds no ordinary job, and a booking's job is with its miner."""
    return [f"job {job} is with miner {name}, whose cards are somebody else's" for job, name in rows(OTHERS)]
