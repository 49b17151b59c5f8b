"""The caller of a route for operators, as services know it."""

from __future__ import annotations

from aitbc.accounts.actors import Actor
from apps.trading.services.operators import Operator


def operator_of(actor: Actor) -> Operator:
    """Return the operator behind a key."""
    return Operator(f"operator:{actor.pk} key:{actor.key_prefix}", user_id=actor.user_id)
