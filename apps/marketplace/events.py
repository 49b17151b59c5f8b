"""Facts the marketplace publishes: what trading must set aside or pay, and what gpu must keep free for whom.

A booking's money is an escrow of its own in trading; a bond is a pledge of its owner. Amounts are micro-AIT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aitbc.core.messaging import Event


@dataclass(frozen=True, kw_only=True)
class BookingRequested(Event):
    """Slots are taken; the renter's money (and the provider's bond, if the offer is bonded) is to be set aside."""

    NAME = "marketplace.booking.requested.v1"
    KEY = "booking_id"
    booking_id: str
    renter_id: str
    provider_id: str
    amount: int
    bond: int  # 0: none
    fee_bp: int
    bond_from: str = ""  # the bid whose bond this booking's takes the place of


@dataclass(frozen=True, kw_only=True)
class BookingExtensionRequested(Event):
    """A booking is to last longer; more money is to be set aside."""

    NAME = "marketplace.booking.extension_requested.v1"
    KEY = "booking_id"
    booking_id: str
    extension_id: str
    renter_id: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class BookingReserved(Event):
    """A paid booking waits for its time: its cards are to be kept free from starts_at on, and made ready."""

    NAME = "marketplace.booking.reserved.v1"
    KEY = "booking_id"
    booking_id: str
    renter_id: str
    provider_id: str
    miner_id: str  # "" when the offer is not backed by a registered miner
    gpu_ids: list[str]
    starts_at: str
    ends_at: str


@dataclass(frozen=True, kw_only=True)
class BookingStarted(Event):
    """The renter has the cards now; the meter runs."""

    NAME = "marketplace.booking.started.v1"
    KEY = "booking_id"
    booking_id: str
    renter_id: str
    provider_id: str
    miner_id: str
    gpu_ids: list[str]
    at: str


@dataclass(frozen=True, kw_only=True)
class BookingMetered(Event):
    """A slice of use is owed to the provider, fee included."""

    NAME = "marketplace.booking.metered.v1"
    KEY = "booking_id"
    booking_id: str
    seq: int  # 1, 2, 3 …: each is paid once
    amount: int
    owed: int  # this slice and all before it: a lost slice is made good by the next
    until: str


@dataclass(frozen=True, kw_only=True)
class BookingClosed(Event):
    """A booking is over: free its cards, give the rest of the escrow back, resolve the bond."""

    NAME = "marketplace.booking.closed.v1"
    KEY = "booking_id"
    booking_id: str
    renter_id: str
    provider_id: str
    miner_id: str
    gpu_ids: list[str]
    outcome: str  # the state it ended in
    slices: int  # how many BookingMetered there were
    owed: int  # their sum
    compensation: int  # from the bond to the renter
    at: str


@dataclass(frozen=True, kw_only=True)
class BondRequested(Event):
    """A bond is to be set aside, for a bid."""

    NAME = "marketplace.bond.asked.v1"
    KEY = "bond_id"
    bond_id: str
    owner_id: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class BondReleased(Event):
    """What a bond was for is over; its owner gets it back."""

    NAME = "marketplace.bond.released.v1"
    KEY = "bond_id"
    bond_id: str


@dataclass(frozen=True, kw_only=True)
class DemandAwarded(Event):
    """An auction was cleared; its proof is to be a leaf of the public log."""

    NAME = "marketplace.demand.awarded.v1"
    KEY = "demand_id"
    demand_id: str
    award_id: str
    digest: str  # SHA-256 of the canonical proof
    proof: dict[str, Any]
