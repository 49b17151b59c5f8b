"""Paying out and closing a booking's escrow: slices to the provider, the fee, the rest to the renter, the bond.

The fee is computed on the sum owed so far, not on the single slice, so that rounding errors do not add up:
fee = round_half_even(owed × fee_bp / 10⁴) at every moment, paid = owed − fee (docs/ledger.md).
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
from apps.trading.logic.settlement import PaidSlice
from apps.trading.models import Bond, Escrow
from apps.trading.services import bonds, ledger, receipts
from apps.trading.services.ledger import TransferRequest
from apps.trading.states import BondState, Code, EscrowState

if TYPE_CHECKING:
    from apps.marketplace.events import BookingClosed

ACTOR = "system:escrows"


def paid_slices(due: Iterable[tuple[Escrow, int, int]]) -> list[PaidSlice]:
    """Return what brings each (escrow, slice number, micro-AIT owed so far) up to date; nothing where it is.

    Changes paid, fee and slices of the escrows to match; the caller posts `transfers_of` them, issues their receipts
    and saves the escrows (`save_payments`).
    """
    slices: list[PaidSlice] = []
    for escrow, seq, owed in due:
        fee = fee_of(owed, escrow.fee_bp)
        one = PaidSlice(
            booking_id=escrow.booking_id, number=seq, renter_id=escrow.renter_id, provider_id=escrow.provider_id,
            paid=owed - fee - escrow.paid, fee=fee - escrow.fee, total=owed,
        )  # fmt: skip
        escrow.paid, escrow.fee, escrow.slices = escrow.paid + one.paid, fee, max(seq, escrow.slices)
        if one.paid or one.fee:
            slices.append(one)
    return slices


def transfers_of(slices: Iterable[PaidSlice]) -> list[TransferRequest]:
    """Return the transfers of these slices: to the provider, and the fee."""
    return [
        transfer_out(one.booking_id, f"{prefix}:{one.booking_id}:{one.number}", credit, amount, code)
        for one in slices
        for prefix, credit, amount, code in (
            ("accrue", ledger.available_of(one.provider_id), one.paid, Code.ACCRUE),
            ("fee", ledger.fees_for(one.booking_id), one.fee, Code.FEE),
        )
        if amount
    ]


def transfer_out(booking_id: UUID, purpose: str, credit: ledger.Account, amount: int, code: Code) -> TransferRequest:
    """Return a transfer out of a booking's escrow."""
    return TransferRequest(
        id=ledger.name(purpose), debit=ledger.escrow_of(booking_id), credit=credit, amount=amount, code=code,
        ref=booking_id,
    )  # fmt: skip


def save_payments(escrows: Sequence[Escrow]) -> None:
    """Save what was paid, taken as fee and refunded."""
    Escrow.objects.bulk_update(escrows, ["paid", "fee", "slices", "refunded", "ended_at"])


def close(events: Sequence[BookingClosed], *, actor: str = ACTOR) -> None:
    """Close the escrows of bookings that are over: pay what is owed, return the rest, release or forfeit the bond.

    Emits EscrowClosed for every fact. A booking without an escrow gets a closed one of 0, so that a funding request
    that arrives later moves nothing.
    """
    with atomic(Escrow):
        rows = Escrow.objects.of_bookings(UUID(event.booking_id) for event in events)
        known = {escrow.booking_id: escrow for escrow in rows.locked()}
        bonds_held = {bond.pk: bond for bond in bonds.held_among(known)}
        held = [e for e in events if is_held(known.get(UUID(e.booking_id)))]
        slices = paid_slices((known[UUID(e.booking_id)], e.slices, e.owed) for e in held)
        endings = [t for e in held for t in ending_transfers(known[UUID(e.booking_id)], bonds_held, e)]
        ledger.post([*transfers_of(slices), *endings], actor=actor)
        receipts.issue_slices(slices)
        mark_closed([known[UUID(event.booking_id)] for event in held], actor=actor)
        resolve_bonds(bonds_held.values(), actor=actor)
        never = [closed_unfunded(event) for event in events if UUID(event.booking_id) not in known]
        begin(*never, actor=actor, reason="over before it was funded")
        announce_closed([*known.values(), *never])


def ending_transfers(escrow: Escrow, bonds_held: dict[UUID, Bond], event: BookingClosed) -> list[TransferRequest]:
    """Return the transfers that close one escrow, its slices paid, and resolve its bond; both objects change to
    match."""
    transfers: list[TransferRequest] = []
    escrow.refunded = escrow.amount - escrow.paid - escrow.fee
    if escrow.refunded:
        renter = ledger.available_of(escrow.renter_id)
        purpose = f"return:{escrow.booking_id}"
        transfers.append(transfer_out(escrow.booking_id, purpose, renter, escrow.refunded, Code.RETURN))
    bond = bonds_held.get(escrow.booking_id)
    if bond is not None:
        bond.forfeited = min(event.compensation, bond.amount)
        bond.beneficiary_id = escrow.renter_id if bond.forfeited else None
        transfers += (
            bonds.forfeit_transfers(bond, bond.forfeited, escrow.renter_id)
            if bond.forfeited
            else [bonds.release_transfer(bond)]
        )
    return transfers


def mark_closed(escrows: Sequence[Escrow], *, actor: str) -> None:
    """Save these escrows, whose transfers are posted, and move them to closed."""
    for escrow in escrows:
        escrow.ended_at = timezone.now()
    save_payments(escrows)
    advance_many(Escrow, [escrow.pk for escrow in escrows], EscrowState.CLOSED, actor=actor, reason="booking over")


def resolve_bonds(bonds_held: Iterable[Bond], *, actor: str) -> None:
    """Move bonds whose transfers are posted to forfeited or released."""
    ended = list(bonds_held)
    Bond.objects.bulk_update(ended, ["forfeited", "beneficiary_id"])
    forfeited = [bond for bond in ended if bond.forfeited]
    bonds.finish(forfeited, BondState.FORFEITED, reason="the provider broke the booking", actor=actor)
    released = [bond for bond in ended if not bond.forfeited]
    bonds.finish(released, BondState.RELEASED, reason="booking over", actor=actor)


def closed_unfunded(event: BookingClosed) -> Escrow:
    """Return a closed escrow of 0 for a booking that was never funded."""
    return Escrow(
        booking_id=UUID(event.booking_id), renter_id=UUID(event.renter_id), provider_id=UUID(event.provider_id),
        state=EscrowState.CLOSED, fee_bp=0, ended_at=timezone.now(),
    )  # fmt: skip


def announce_closed(escrows: Sequence[Escrow]) -> None:
    """Emit EscrowClosed with the parts of each escrow; all are 0 for a refused one."""
    compensations = dict(Bond.objects.filter(pk__in=[e.booking_id for e in escrows]).values_list("pk", "forfeited"))
    emit(
        *(
            EscrowClosed(
                booking_id=str(e.booking_id), paid=e.paid, fee=e.fee, refunded=e.refunded,
                compensation=compensations.get(e.booking_id, 0),
            )
            for e in escrows
        ),
        by="trading",
    )  # fmt: skip


def is_held(escrow: Escrow | None) -> bool:
    """Return whether the escrow's money is still set aside."""
    return escrow is not None and escrow.state == EscrowState.HELD
