from apps.marketplace.models.auctions import (
    Award,
    BidTransition,
    DemandTransition,
    MarketplaceBid,
    MarketplaceDemand,
)
from apps.marketplace.models.bookings import BookingExtension, BookingSlice, BookingTransition, GPUBooking
from apps.marketplace.models.messages import IdempotencyRecord, Inbox, Outbox
from apps.marketplace.models.offers import Device, MarketplaceOffer, OfferRevision, OfferTransition, Quote
from apps.marketplace.models.prices import PriceCell, PriceTick
from apps.marketplace.models.reputation import GPUReview, Reliability, ReliabilityEvent

__all__ = [
    "Award",
    "BidTransition",
    "BookingExtension",
    "BookingSlice",
    "BookingTransition",
    "DemandTransition",
    "Device",
    "GPUBooking",
    "GPUReview",
    "IdempotencyRecord",
    "Inbox",
    "MarketplaceBid",
    "MarketplaceDemand",
    "MarketplaceOffer",
    "OfferRevision",
    "OfferTransition",
    "Outbox",
    "PriceCell",
    "PriceTick",
    "Quote",
    "Reliability",
    "ReliabilityEvent",
]
