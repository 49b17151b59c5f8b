"""How a booking's escrow is spent and ends: slices to the provider, the fee, the rest to the renter, the bond resolved.

paid + fee follow the sum owed so far, not the single slice, so that roundings never add up: fee = ⌊owed × bp⌉ (half to
even) at every moment, and paid is the rest of what is owed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from aitbc.core.money import fee_of
from aitbc.core.states import advance_many, begin
from apps.trading.events import EscrowClosed
from apps.trading.models import Bond, Escrow
from apps.trading.services import bonds, ledger
from apps.trading.services.ledger import TransferRequest
from apps.trading.states import BondState, Code, EscrowState

if TYPE_CHECKING:
    from apps.marketplace.events import BookingClosed

ACTOR = "system:escrows"


def paid_slices(due: Iterable[tuple[Escrow, int, int]]) -> list[TransferRequest]:
    """The transfers that bring each (escrow, slice number, owed so far) up to date; the escrows change to match."""
    transfers: list[TransferRequest] = []
    for escrow, seq, owed in due:
        fee = fee_of(owed, escrow.fee_bp)
        net, cut = owed - fee - escrow.paid, fee - escrow.fee
        payee, house = ledger.available_of(escrow.provider_id), ledger.fees_for(escrow.booking_id)
        transfers += [
            moved(escrow, f"{what}:{escrow.booking_id}:{seq}", credit, amount, code)
            for what, credit, amount, code in (("accrue", payee, net, Code.ACCRUE), ("fee", house, cut, Code.FEE))
            if amount
        ]
        escrow.paid, escrow.fee, escrow.slices = escrow.paid + net, fee, max(seq, escrow.slices)
    return transfers


def moved(escrow: Escrow, meaning: str, credit: ledger.Account, amount: int, code: Code) -> TransferRequest:
    """Money out of a booking's escrow."""
    return TransferRequest(
        id=ledger.name(meaning), debit=ledger.escrow_of(escrow.booking_id), credit=credit, amount=amount, code=code,
        ref=escrow.booking_id,
    )  # fmt: skip


def save_payments(escrows: Sequence[Escrow]) -> None:
    Escrow.objects.bulk_update(escrows, ["paid", "fee", "slices", "refunded", "ended_at"])


def close(events: Sequence[BookingClosed], *, actor: str = ACTOR) -> None:
    """End the escrows of bookings that are over: what is owed is paid, the rest and the bond go where they belong.

    A booking that was over before its money was asked for is remembered as closed with nothing.
    """
    with atomic(Escrow):
        wanted = Escrow.objects.of_bookings(UUID(event.booking_id) for event in events)
        known = {escrow.booking_id: escrow for escrow in wanted.locked()}
        pledges = {bond.pk: bond for bond in bonds.held_among(known)}
        held = [e for e in events if is_held(known.get(UUID(e.booking_id)))]
        ledger.post([t for e in held for t in ending(known[UUID(e.booking_id)], pledges, e)], actor=actor)
        settle([known[UUID(event.booking_id)] for event in held], actor=actor)
        resolve(pledges.values(), actor=actor)
        never = [empty(event) for event in events if UUID(event.booking_id) not in known]
        begin(*never, actor=actor, reason="over before its money was set aside")
        announce_closed([*known.values(), *never])


def ending(escrow: Escrow, pledges: dict[UUID, Bond], event: BookingClosed) -> list[TransferRequest]:
    transfers = paid_slices([(escrow, event.slices, event.owed)])
    escrow.refunded = escrow.amount - escrow.paid - escrow.fee
    if escrow.refunded:
        renter = ledger.available_of(escrow.renter_id)
        transfers.append(moved(escrow, f"return:{escrow.booking_id}", renter, escrow.refunded, Code.RETURN))
    bond = pledges.get(escrow.booking_id)
    if bond is not None:
        bond.forfeited = min(event.compensation, bond.amount)
        bond.beneficiary_id = escrow.renter_id if bond.forfeited else None
        given = bonds.forfeit(bond, bond.forfeited, escrow.renter_id) if bond.forfeited else [bonds.unbond(bond)]
        transfers += given
    return transfers


def settle(escrows: Sequence[Escrow], *, actor: str) -> None:
    for escrow in escrows:
        escrow.ended_at = timezone.now()
    save_payments(escrows)
    advance_many(Escrow, [escrow.pk for escrow in escrows], EscrowState.CLOSED, actor=actor, reason="booking over")


def resolve(pledges: Iterable[Bond], *, actor: str) -> None:
    """Record how the bonds ended, whose transfers are made."""
    ended = list(pledges)
    Bond.objects.bulk_update(ended, ["forfeited", "beneficiary_id"])
    forfeited = [bond for bond in ended if bond.forfeited]
    bonds.finish(forfeited, BondState.FORFEITED, reason="the provider let the renter down", actor=actor)
    kept = [bond for bond in ended if not bond.forfeited]
    bonds.finish(kept, BondState.RELEASED, reason="booking over", actor=actor)


def empty(event: BookingClosed) -> Escrow:
    return Escrow(
        booking_id=UUID(event.booking_id), renter_id=UUID(event.renter_id), provider_id=UUID(event.provider_id),
        state=EscrowState.CLOSED, fee_bp=0, ended_at=timezone.now(),
    )  # fmt: skip


def announce_closed(escrows: Sequence[Escrow]) -> None:
    """Say how escrows were divided; of a refused one that nothing was."""
    given = dict(Bond.objects.filter(pk__in=[e.booking_id for e in escrows]).values_list("pk", "forfeited"))
    emit(
        *(
            EscrowClosed(
                booking_id=str(e.booking_id), paid=e.paid, fee=e.fee, refunded=e.refunded,
                compensation=given.get(e.booking_id, 0),
            )
            for e in escrows
        ),
        by="trading",
    )  # fmt: skip


def is_held(escrow: Escrow | None) -> bool:
    return escrow is not None and escrow.state == EscrowState.HELD
