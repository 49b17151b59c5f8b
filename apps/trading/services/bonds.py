"""Bonds: money an owner pledges, given back when it kept its word, given to who was let down when it did not.

A bond is one pending transfer from the owner's free money to its bond account; it is resolved once. Locks are taken
escrows first, bonds second, accounts third.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from aitbc.core.states import advance_many, begin
from apps.trading.events import BondHeld, BondRefused
from apps.trading.models import Bond, LedgerAccount
from apps.trading.services import ledger
from apps.trading.services.ledger import TransferRequest
from apps.trading.states import AccountKind, BondState, Code, Phase

if TYPE_CHECKING:
    from apps.marketplace.events import BondAsked, BondReleased

ACTOR = "system:bonds"


def hold(events: Sequence[BondAsked]) -> None:
    """Set bonds aside, first come first served; who cannot pay is refused. A fact seen before is answered again."""
    with atomic(Bond):
        known = locked(UUID(event.bond_id) for event in events)
        fresh = [pledged(UUID(e.bond_id), UUID(e.owner_id), e.amount) for e in events if UUID(e.bond_id) not in known]
        ledger.lock(account for bond in fresh for account in sides(bond))
        left = spendable(bond.owner_id for bond in fresh)
        for bond in fresh:
            if bond.amount > left[bond.owner_id]:
                bond.state, bond.hold_id = BondState.REFUSED, None
            else:
                left[bond.owner_id] -= bond.amount
        place([bond for bond in fresh if bond.hold_id], [])
        begin(*fresh, actor=ACTOR)
        announce([*known.values(), *fresh])


def release(events: Sequence[BondReleased]) -> None:
    """Give bonds back; one that was never held, or is over, stays as it is."""
    with atomic(Bond):
        give_back(held_among(UUID(event.bond_id) for event in events), reason="released")


def give_back(bonds: Sequence[Bond], *, reason: str, actor: str = ACTOR) -> None:
    """Void the holds of these bonds, which the caller has locked and found held."""
    ledger.post([unbond(bond) for bond in bonds], actor=actor)
    finish(bonds, BondState.RELEASED, reason=reason, actor=actor)


def finish(bonds: Sequence[Bond], to: BondState, *, reason: str, actor: str = ACTOR) -> None:
    advance_many(Bond, [bond.pk for bond in bonds], to, actor=actor, reason=reason, ended_at=timezone.now())


def pledged(bond_id: UUID, owner_id: UUID, amount: int) -> Bond:
    """A new bond, with the name of the transfer that will hold it."""
    return Bond(id=bond_id, owner_id=owner_id, amount=amount, hold_id=ledger.name(f"bond:{bond_id}"))


def place(bonds: Sequence[Bond], others: Sequence[TransferRequest]) -> None:
    """Post the holds of these bonds, and other transfers that stand or fall with them."""
    ledger.post([*others, *(move(b, "bond", b.amount, Phase.PENDING) for b in bonds)], actor=ACTOR)


def unbond(bond: Bond) -> TransferRequest:
    return move(bond, "unbond", bond.amount, Phase.VOID)


def forfeit(bond: Bond, amount: int, beneficiary_id: UUID) -> list[TransferRequest]:
    """Part of a bond for who was let down; the rest is free again."""
    assert 0 < amount <= bond.amount
    compensation = TransferRequest(
        id=ledger.name(f"compensate:{bond.pk}"), debit=ledger.bond_of(bond.owner_id),
        credit=ledger.available_of(beneficiary_id), amount=amount, code=Code.COMPENSATE,
        group_id=ledger.name(f"forfeit:{bond.pk}"), ref=bond.pk,
    )  # fmt: skip
    return [move(bond, "forfeit", amount, Phase.POST), compensation]


def move(bond: Bond, what: str, amount: int, phase: Phase) -> TransferRequest:
    available, pledge = sides(bond)
    return TransferRequest(
        id=ledger.name(f"{what}:{bond.pk}"), debit=available, credit=pledge, amount=amount, code=Code.BOND, phase=phase,
        pending_id=None if phase == Phase.PENDING else bond.hold_id,
        group_id=ledger.name(f"{what}:{bond.pk}"), ref=bond.pk,
    )  # fmt: skip


def sides(bond: Bond) -> tuple[ledger.Account, ledger.Account]:
    return ledger.available_of(bond.owner_id), ledger.bond_of(bond.owner_id)


def locked(ids: Iterable[UUID]) -> dict[UUID, Bond]:
    return {bond.pk: bond for bond in Bond.objects.filter(pk__in=list(ids)).locked()}


def held_among(ids: Iterable[UUID]) -> list[Bond]:
    return [bond for bond in locked(ids).values() if bond.state == BondState.HELD]


def spendable(owner_ids: Iterable[UUID]) -> dict[UUID, int]:
    """What owners may spend now, micro-AIT, by owner."""
    owners = set(owner_ids)
    accounts = LedgerAccount.objects.of_kind(AccountKind.AVAILABLE).filter(owner_id__in=owners)
    return dict.fromkeys(owners, 0) | {account.owner_id: account.available for account in accounts}


def announce(bonds: Sequence[Bond]) -> None:
    left = spendable(bond.owner_id for bond in bonds)
    held = [BondHeld(bond_id=str(b.pk), amount=b.amount) for b in bonds if b.state == BondState.HELD]
    refused = [
        BondRefused(bond_id=str(b.pk), needed=b.amount, available=left[b.owner_id])
        for b in bonds
        if b.state == BondState.REFUSED
    ]
    emit(*held, *refused, by="trading")
