"""A booking's money: set aside when it is made, topped up when it is extended, paid slice by slice.

Every function takes a batch of facts, at most one per booking, and answers a fact it has seen before by saying again
what came of it. Each booking has an escrow account of its own. Locks: escrows first, bonds second, accounts third.
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
from apps.trading.services import bonds, ledger
from apps.trading.services.escrow_endings import announce_closed, paid_slices, save_payments
from apps.trading.services.ledger import Account, TransferRequest
from apps.trading.states import Code, EscrowState

if TYPE_CHECKING:
    from apps.marketplace.events import BookingExtensionRequested, BookingMetered, BookingRequested

ACTOR = "system:escrows"


def fund(events: Sequence[BookingRequested]) -> None:
    """Set the renter's money aside and the provider's bond, both or neither, first come first served.

    A winning bid's bond is given back in the same transaction in which the booking's own takes its place.
    """
    with atomic(Escrow):
        known = escrows_of(events)
        fresh = [event for event in events if UUID(event.booking_id) not in known]
        carried = bonds.held_among(UUID(event.bond_from) for event in fresh if event.bond_from)
        ledger.lock(account for event in fresh for account in accounts_of(event))
        bonds.give_back(carried, reason="went over into a booking")
        escrows = decide(fresh)
        held = {escrow.booking_id for escrow in escrows if escrow.state == EscrowState.HELD}
        pledges = [pledge_of(event) for event in fresh if event.bond and UUID(event.booking_id) in held]
        bonds.place(pledges, [funding(e, e.booking_id, e.amount) for e in escrows if e.booking_id in held])
        begin(*escrows, actor=ACTOR)
        begin(*pledges, actor=ACTOR)
        announce_decisions([*known.values(), *escrows], events)


def accounts_of(event: BookingRequested) -> Iterable[Account]:
    renter, provider = UUID(event.renter_id), UUID(event.provider_id)
    yield from (ledger.available_of(renter), ledger.escrow_of(UUID(event.booking_id)))
    if event.bond or event.bond_from:
        yield from (ledger.available_of(provider), ledger.bond_of(provider))


def decide(events: Sequence[BookingRequested]) -> list[Escrow]:
    """Held or refused, for each in turn, by what its parties have left; their accounts stay locked."""
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


def pledge_of(event: BookingRequested) -> Bond:
    return bonds.pledged(UUID(event.booking_id), UUID(event.provider_id), event.bond)


def funding(escrow: Escrow, what: UUID, amount: int) -> TransferRequest:
    """Money into a booking's escrow: for the booking itself, or for one of its extensions."""
    return TransferRequest(
        id=ledger.name(f"fund:{what}"), debit=ledger.available_of(escrow.renter_id),
        credit=ledger.escrow_of(escrow.booking_id), amount=amount, code=Code.FUND, ref=escrow.booking_id,
    )  # fmt: skip


def announce_decisions(escrows: Sequence[Escrow], events: Sequence[BookingRequested]) -> None:
    asked = {UUID(event.booking_id): event for event in events}
    held = [e for e in escrows if e.state == EscrowState.HELD]
    refused = [e for e in escrows if e.state == EscrowState.REFUSED]
    left = bonds.spendable(owner for e in refused for owner in (e.renter_id, e.provider_id))
    emit(
        *(
            EscrowHeld(booking_id=str(e.booking_id), amount=asked[e.booking_id].amount, bond=asked[e.booking_id].bond)
            for e in held
        ),
        *(refusal(e, asked[e.booking_id], left) for e in refused),
        by="trading",
    )
    announce_closed([e for e in escrows if e.state == EscrowState.CLOSED])


def refusal(escrow: Escrow, event: BookingRequested, left: dict[UUID, int]) -> EscrowRefused:
    by_renter = escrow.refused_party == "renter"
    return EscrowRefused(
        booking_id=event.booking_id, party=escrow.refused_party, needed=event.amount if by_renter else event.bond,
        available=left[escrow.renter_id if by_renter else escrow.provider_id],
    )  # fmt: skip


def extend(events: Sequence[BookingExtensionRequested]) -> None:
    """Set more money aside for bookings that are to last longer; one that is over, or unfunded, is refused."""
    with atomic(Escrow):
        escrows = escrows_of(events)
        known = Topup.objects.in_bulk([UUID(event.extension_id) for event in events])
        fresh = [event for event in events if UUID(event.extension_id) not in known]
        require_known(escrows, fresh)
        ledger.lock(account for e in fresh for account in renters_side(escrows[UUID(e.booking_id)]))
        topups = judge(fresh, escrows)
        granted = [topup for topup in topups if topup.held]
        ledger.post([funding(topup.escrow, topup.pk, topup.amount) for topup in granted], actor=ACTOR)
        Topup.objects.bulk_create(topups)
        for topup in granted:
            topup.escrow.amount += topup.amount
        Escrow.objects.bulk_update([topup.escrow for topup in granted], ["amount"])
        announce_topups(events, {**known, **{topup.pk: topup for topup in topups}}, escrows)


def renters_side(escrow: Escrow) -> tuple[Account, Account]:
    return ledger.available_of(escrow.renter_id), ledger.escrow_of(escrow.booking_id)


def judge(events: Sequence[BookingExtensionRequested], escrows: dict[UUID, Escrow]) -> list[Topup]:
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
    left = bonds.spendable(escrow.renter_id for escrow in escrows.values())
    for event in events:
        named: dict[str, Any] = {"booking_id": event.booking_id, "extension_id": event.extension_id}
        if topups[UUID(event.extension_id)].held:
            emit(EscrowExtended(**named, amount=event.amount), by="trading")
        else:
            available = left[escrows[UUID(event.booking_id)].renter_id]
            emit(EscrowExtensionRefused(**named, needed=event.amount, available=available), by="trading")


def accrue(events: Sequence[BookingMetered]) -> None:
    """Pay what bookings have used so far; a slice paid before, or after the end, changes nothing."""
    with atomic(Escrow):
        escrows = escrows_of(events)
        require_known(escrows, events)
        due = [
            (escrows[UUID(e.booking_id)], e.seq, e.owed)
            for e in events
            if escrows[UUID(e.booking_id)].state == EscrowState.HELD and e.seq > escrows[UUID(e.booking_id)].slices
        ]
        ledger.post(paid_slices(due), actor=ACTOR)
        save_payments([escrow for escrow, _, _ in due])


def require_known(escrows: dict[UUID, Escrow], events: Sequence[Any]) -> None:
    """Facts of a booking come in order, so its escrow is there; a booking without one is a fault to be looked into."""
    missing = [event.booking_id for event in events if UUID(event.booking_id) not in escrows]
    if missing:
        raise Conflict(f"Nothing was ever set aside for booking {missing[0]}.")


def escrows_of(events: Sequence[Any]) -> dict[UUID, Escrow]:
    """The escrows of these facts' bookings, locked, by booking."""
    wanted = Escrow.objects.of_bookings(UUID(event.booking_id) for event in events)
    return {escrow.booking_id: escrow for escrow in wanted.locked()}
