"""Bonds: money an owner pledges; released when the obligation is met, forfeited to the other party when it is not.

A bond is one pending transfer from the owner's available account to its bond account; it is resolved once. Lock order:
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
    from apps.marketplace.events import BondReleased, BondRequested

ACTOR = "system:bonds"


def hold(events: Sequence[BondRequested]) -> None:
    """Hold the bonds that these facts request, in turn, as far as each owner's available money goes.

    Emits BondHeld or BondRefused for every fact; a fact seen before moves nothing and is answered again.
    """
    with atomic(Bond):
        known = locked(UUID(event.bond_id) for event in events)
        fresh = [new_bond(UUID(e.bond_id), UUID(e.owner_id), e.amount) for e in events if UUID(e.bond_id) not in known]
        ledger.lock(account for bond in fresh for account in accounts_of(bond))
        left = spendable(bond.owner_id for bond in fresh)
        for bond in fresh:
            if bond.amount > left[bond.owner_id]:
                bond.state, bond.hold_id = BondState.REFUSED, None
            else:
                left[bond.owner_id] -= bond.amount
        post_holds([bond for bond in fresh if bond.hold_id], [])
        begin(*fresh, actor=ACTOR)
        announce([*known.values(), *fresh])


def release(events: Sequence[BondReleased]) -> None:
    """Release these bonds; one that was never held, or has ended, stays as it is."""
    with atomic(Bond):
        release_held(held_among(UUID(event.bond_id) for event in events), reason="released")


def release_held(bonds: Sequence[Bond], *, reason: str, actor: str = ACTOR) -> None:
    """Void the holds of these bonds, which the caller has locked and found held, and mark them released."""
    ledger.post([release_transfer(bond) for bond in bonds], actor=actor)
    finish(bonds, BondState.RELEASED, reason=reason, actor=actor)


def finish(bonds: Sequence[Bond], to: BondState, *, reason: str, actor: str = ACTOR) -> None:
    """Move held bonds to a final state; their transfers are the caller's."""
    advance_many(Bond, [bond.pk for bond in bonds], to, actor=actor, reason=reason, ended_at=timezone.now())


def new_bond(bond_id: UUID, owner_id: UUID, amount: int) -> Bond:
    """Return an unsaved bond of `amount` micro-AIT, with the id of the transfer that will hold it."""
    bond = Bond(id=bond_id, owner_id=owner_id, amount=amount)
    bond.hold_id = ledger.name(f"bond:{bond.ref}")
    return bond


def post_holds(bonds: Sequence[Bond], others: Sequence[TransferRequest]) -> None:
    """Post the pending transfers of these bonds together with other transfers, all or none.

    Raises InsufficientFunds.
    """
    ledger.post([*others, *(transfer_of(b, "bond", b.amount, Phase.PENDING) for b in bonds)], actor=ACTOR)


def release_transfer(bond: Bond) -> TransferRequest:
    """Return the transfer that voids a bond's hold."""
    return transfer_of(bond, "unbond", bond.amount, Phase.VOID)


def forfeit_transfers(bond: Bond, amount: int, beneficiary_id: UUID) -> list[TransferRequest]:
    """Return the transfers that pay `amount` micro-AIT of a bond to the beneficiary and free the rest."""
    assert 0 < amount <= bond.amount
    compensation = TransferRequest(
        id=ledger.name(f"compensate:{bond.ref}"), debit=ledger.bond_of(bond.owner_id),
        credit=ledger.available_of(beneficiary_id), amount=amount, code=Code.COMPENSATE,
        group_id=ledger.name(f"forfeit:{bond.ref}"), ref=bond.ref,
    )  # fmt: skip
    return [transfer_of(bond, "forfeit", amount, Phase.POST), compensation]


def transfer_of(bond: Bond, prefix: str, amount: int, phase: Phase) -> TransferRequest:
    """Return a transfer of a bond in this phase; its id is made from `<prefix>:<bond ref>`."""
    available, pledged = accounts_of(bond)
    return TransferRequest(
        id=ledger.name(f"{prefix}:{bond.ref}"), debit=available, credit=pledged, amount=amount, code=Code.BOND,
        phase=phase,
        pending_id=None if phase == Phase.PENDING else bond.hold_id,
        group_id=ledger.name(f"{prefix}:{bond.ref}"), ref=bond.ref,
    )  # fmt: skip


def accounts_of(bond: Bond) -> tuple[ledger.Account, ledger.Account]:
    """Return the available and the bond account of a bond's owner: the debit and credit side of its hold."""
    return ledger.available_of(bond.owner_id), ledger.bond_of(bond.owner_id)


def locked(ids: Iterable[UUID]) -> dict[UUID, Bond]:
    """Return the bonds of these ids, by id, their rows locked."""
    return {bond.pk: bond for bond in Bond.objects.filter(pk__in=list(ids)).locked()}


def held_among(ids: Iterable[UUID]) -> list[Bond]:
    """Return those of these bonds that are held, their rows locked."""
    return [bond for bond in locked(ids).values() if bond.state == BondState.HELD]


def spendable(owner_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return the available money of these owners in micro-AIT, by owner; 0 for an owner without an account."""
    owners = set(owner_ids)
    accounts = LedgerAccount.objects.of_kind(AccountKind.AVAILABLE).filter(owner_id__in=owners)
    return dict.fromkeys(owners, 0) | {account.owner_id: account.available for account in accounts}


def announce(bonds: Sequence[Bond]) -> None:
    """Emit BondHeld or BondRefused for bonds in these states; ended bonds are passed over."""
    left = spendable(bond.owner_id for bond in bonds)
    held = [BondHeld(bond_id=str(b.pk), amount=b.amount) for b in bonds if b.state == BondState.HELD]
    refused = [
        BondRefused(bond_id=str(b.pk), needed=b.amount, available=left[b.owner_id])
        for b in bonds
        if b.state == BondState.REFUSED
    ]
    emit(*held, *refused, by="trading")
