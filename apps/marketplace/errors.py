"""What can go wrong in the marketplace."""

from __future__ import annotations

from aitbc.core.errors import Conflict, InsufficientFunds, Invalid, Stale


class FilterInvalid(Invalid):
    """The search cannot be read."""

    def __init__(self, detail: str = "", *, field: str = "filter") -> None:
        super().__init__(detail, errors=[{"field": field, "message": detail}])


class OfferInvalid(Invalid):
    """The offer does not make sense."""

    def __init__(self, **wrong: str) -> None:
        errors = [{"field": field, "message": message} for field, message in wrong.items()]
        super().__init__(" ".join(f"{field}: {message}" for field, message in wrong.items()), errors=errors)


class IfMatchInvalid(Invalid):
    """The If-Match header is missing or cannot be read."""


class OfferChanged(Stale):
    """The offer was changed since you read it."""


class OfferTaken(Conflict):
    """You already have another offer by this id."""


class CardsOverOffered(Conflict):
    """A card is in too many offers already."""


class OfferBooked(Conflict):
    """The offer cannot be cancelled while it is booked."""


class BondNotCovered(InsufficientFunds):
    """The balance does not cover the bond that a bonded offer pledges for each booking."""
