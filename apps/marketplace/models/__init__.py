from apps.marketplace.models.awards import Award
from apps.marketplace.models.bids import BidTransition, MarketplaceBid
from apps.marketplace.models.bookings import BookingExtension, BookingSlice, BookingTransition, GPUBooking
from apps.marketplace.models.demands import DemandTransition, MarketplaceDemand
from apps.marketplace.models.gpus import RegisteredGPU
from apps.marketplace.models.messages import IdempotencyRecord, Inbox, Outbox
from apps.marketplace.models.offers import MarketplaceOffer, OfferRevision, OfferTransition
from apps.marketplace.models.prices import PriceCell, PriceTick
from apps.marketplace.models.quotes import Quote
from apps.marketplace.models.reliability import Reliability, ReliabilityEvent
from apps.marketplace.models.reviews import GPUReview

__all__ = [
    "Award",
    "BidTransition",
    "BookingExtension",
    "BookingSlice",
    "BookingTransition",
    "DemandTransition",
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
    "RegisteredGPU",
    "Reliability",
    "ReliabilityEvent",
]
