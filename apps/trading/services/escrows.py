"""Escrows of bookings: funded when a booking is made, topped up when it is extended, paid out slice by slice.

Every function takes a batch of facts, at most one per booking; a fact seen before changes nothing and its outcome is
emitted again. Each booking has an escrow account of its own. Lock order: escrows, bonds, accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aitbc.core.db import atomic
from aitbc.core.errors import Conflict
from aitbc.core.messaging import emit
from aitbc.core.states import begin
from apps.trading.events import EscrowExtended, EscrowExtensionRefused, EscrowHeld, EscrowRefused
from apps.trading.models import Bond, Escrow, Topup
from apps.trading.services import bonds, ledger, receipts
from apps.trading.services.escrow_endings import announce_closed, paid_slices, save_payments, transfers_of
from apps.trading.services.ledger import Account, TransferRequest
from apps.trading.states import Code, EscrowState

if TYPE_CHECKING:
    from apps.marketplace.events import BookingExtensionRequested, BookingMetered, BookingRequested

ACTOR = "system:escrows"


def fund(events: Sequence[BookingRequested]) -> None:
    """Hold the renter's money and the provider's bond of each booking, both or neither, in turn.

    Emits EscrowHeld or EscrowRefused. A winning bid's bond is released in the transaction that holds the booking's own.
    """
    with atomic(Escrow):
        known = escrows_of(events)
        fresh = [event for event in events if UUID(event.booking_id) not in known]
        carried = bonds.held_among(UUID(event.bond_from) for event in fresh if event.bond_from)
        ledger.lock(account for event in fresh for account in accounts_for(event))
        bonds.release_held(carried, reason="replaced by the bond of its booking")
        escrows = decide(fresh)
        held = {escrow.booking_id for escrow in escrows if escrow.state == EscrowState.HELD}
        bonds_held = [bond_for(event) for event in fresh if event.bond and UUID(event.booking_id) in held]
        bonds.post_holds(
            bonds_held, [funding_transfer(e, e.booking_id, e.amount) for e in escrows if e.booking_id in held]
        )
        begin(*escrows, actor=ACTOR)
        begin(*bonds_held, actor=ACTOR)
        announce_decisions([*known.values(), *escrows], events)


def accounts_for(event: BookingRequested) -> Iterable[Account]:
    """Return the accounts that a booking's funding touches."""
    renter, provider = UUID(event.renter_id), UUID(event.provider_id)
    yield from (ledger.available_of(renter), ledger.escrow_of(UUID(event.booking_id)))
    if event.bond or event.bond_from:
        yield from (ledger.available_of(provider), ledger.bond_of(provider))


def decide(events: Sequence[BookingRequested]) -> list[Escrow]:
    """Return unsaved escrows, held or refused in turn by the available money of both parties; accounts are locked."""
    left = bonds.spendable(UUID(owner) for e in events for owner in (e.renter_id, e.provider_id))
    escrows = []
    for event in events:
        escrow = Escrow(
            booking_id=UUID(event.booking_id), renter_id=UUID(event.renter_id), provider_id=UUID(event.provider_id),
            amount=event.amount, fee_bp=event.fee_bp,
        )  # fmt: skip
        if event.amount > left[escrow.renter_id]:
            escrow.state, escrow.refused_party = EscrowState.REFUSED, "renter"
        elif event.bond > left[escrow.provider_id]:
            escrow.state, escrow.refused_party = EscrowState.REFUSED, "provider"
        else:
            left[escrow.renter_id] -= event.amount
            left[escrow.provider_id] -= event.bond
        escrows.append(escrow)
    return escrows


def bond_for(event: BookingRequested) -> Bond:
    """Return the provider's bond for a booking, not saved yet."""
    return bonds.new_bond(UUID(event.booking_id), UUID(event.provider_id), event.bond)


def funding_transfer(escrow: Escrow, purpose_id: UUID, amount: int) -> TransferRequest:
    """Return the transfer into a booking's escrow, for the booking or for one of its extensions (`purpose_id`)."""
    return TransferRequest(
        id=ledger.name(f"fund:{purpose_id}"), debit=ledger.available_of(escrow.renter_id),
        credit=ledger.escrow_of(escrow.booking_id), amount=amount, code=Code.FUND, ref=escrow.booking_id,
    )  # fmt: skip


def announce_decisions(escrows: Sequence[Escrow], events: Sequence[BookingRequested]) -> None:
    """Emit EscrowHeld, EscrowRefused or EscrowClosed, by the state that each escrow is in."""
    requests = {UUID(event.booking_id): event for event in events}
    held = [e for e in escrows if e.state == EscrowState.HELD]
    refused = [e for e in escrows if e.state == EscrowState.REFUSED]
    left = bonds.spendable(owner for e in refused for owner in (e.renter_id, e.provider_id))
    emit(
        *(
            EscrowHeld(
                booking_id=str(e.booking_id), amount=requests[e.booking_id].amount, bond=requests[e.booking_id].bond
            )
            for e in held
        ),
        *(refusal(e, requests[e.booking_id], left) for e in refused),
        by="trading",
    )
    announce_closed([e for e in escrows if e.state == EscrowState.CLOSED])


def refusal(escrow: Escrow, event: BookingRequested, left: dict[UUID, int]) -> EscrowRefused:
    """Return the event that one party cannot pay; `left`: available money by owner, in micro-AIT."""
    by_renter = escrow.refused_party == "renter"
    return EscrowRefused(
        booking_id=event.booking_id, party=escrow.refused_party, needed=event.amount if by_renter else event.bond,
        available=left[escrow.renter_id if by_renter else escrow.provider_id],
    )  # fmt: skip


def extend(events: Sequence[BookingExtensionRequested]) -> None:
    """Hold the money of bookings' extensions; an extension of a closed or refused escrow is refused.

    Emits EscrowExtended or EscrowExtensionRefused. Raises Conflict for a booking without an escrow.
    """
    with atomic(Escrow):
        escrows = escrows_of(events)
        known = Topup.objects.in_bulk([UUID(event.extension_id) for event in events])
        fresh = [event for event in events if UUID(event.extension_id) not in known]
        require_known(escrows, fresh)
        ledger.lock(account for e in fresh for account in renter_accounts(escrows[UUID(e.booking_id)]))
        topups = decide_topups(fresh, escrows)
        granted = [topup for topup in topups if topup.held]
        ledger.post([funding_transfer(topup.escrow, topup.pk, topup.amount) for topup in granted], actor=ACTOR)
        Topup.objects.bulk_create(topups)
        for topup in granted:
            topup.escrow.amount += topup.amount
        Escrow.objects.bulk_update([topup.escrow for topup in granted], ["amount"])
        announce_topups(events, {**known, **{topup.pk: topup for topup in topups}}, escrows)


def renter_accounts(escrow: Escrow) -> tuple[Account, Account]:
    """Return the renter's available account and the booking's escrow account."""
    return ledger.available_of(escrow.renter_id), ledger.escrow_of(escrow.booking_id)


def decide_topups(events: Sequence[BookingExtensionRequested], escrows: dict[UUID, Escrow]) -> list[Topup]:
    """Return unsaved top-ups, held or refused each in turn by the available money of the renter."""
    left = bonds.spendable(escrows[UUID(event.booking_id)].renter_id for event in events)
    topups = []
    for event in events:
        escrow = escrows[UUID(event.booking_id)]
        held = escrow.state == EscrowState.HELD and event.amount <= left[escrow.renter_id]
        left[escrow.renter_id] -= event.amount if held else 0
        topups.append(Topup(id=UUID(event.extension_id), escrow=escrow, amount=event.amount, held=held))
    return topups


def announce_topups(
    events: Sequence[BookingExtensionRequested], topups: dict[UUID, Topup], escrows: dict[UUID, Escrow]
) -> None:
    """Emit EscrowExtended or EscrowExtensionRefused for each fact."""
    left = bonds.spendable(escrow.renter_id for escrow in escrows.values())
    for event in events:
        ids: dict[str, Any] = {"booking_id": event.booking_id, "extension_id": event.extension_id}
        if topups[UUID(event.extension_id)].held:
            emit(EscrowExtended(**ids, amount=event.amount), by="trading")
        else:
            available = left[escrows[UUID(event.booking_id)].renter_id]
            emit(EscrowExtensionRefused(**ids, needed=event.amount, available=available), by="trading")


def accrue(events: Sequence[BookingMetered]) -> None:
    """Pay providers for what their bookings have used so far; a slice already paid, or after the end, changes nothing.

    Raises Conflict for a booking without an escrow, InsufficientFunds when more is owed than was set aside.
    """
    with atomic(Escrow):
        escrows = escrows_of(events)
        require_known(escrows, events)
        due = [
            (escrows[UUID(e.booking_id)], e.seq, e.owed)
            for e in events
            if escrows[UUID(e.booking_id)].state == EscrowState.HELD and e.seq > escrows[UUID(e.booking_id)].slices
        ]
        slices = paid_slices(due)
        ledger.post(transfers_of(slices), actor=ACTOR)
        receipts.issue_slices(slices)
        save_payments([escrow for escrow, _, _ in due])


def require_known(escrows: dict[UUID, Escrow], events: Sequence[Any]) -> None:
    """Raise Conflict for a booking without an escrow: its facts come in order, so its funding was handled before."""
    missing = [event.booking_id for event in events if UUID(event.booking_id) not in escrows]
    if missing:
        raise Conflict(f"No escrow exists for booking {missing[0]}.")


def escrows_of(events: Sequence[Any]) -> dict[UUID, Escrow]:
    """Return the escrows of these events' bookings, locked, by booking."""
    rows = Escrow.objects.of_bookings(UUID(event.booking_id) for event in events)
    return {escrow.booking_id: escrow for escrow in rows.locked()}
