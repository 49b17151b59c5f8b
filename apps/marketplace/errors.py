"""What can go wrong in the marketplace; the docstring is the title of the problem."""

from __future__ import annotations

from collections.abc import Sequence

from aitbc.core.errors import Conflict, Forbidden, Gone, InsufficientFunds, Invalid, NotFound, Stale


class TermsInvalid(Invalid):
    """The terms do not make sense."""

    def __init__(self, **wrong: str) -> None:
        errors = [{"field": field, "message": message} for field, message in wrong.items()]
        super().__init__(" ".join(f"{field}: {message}" for field, message in wrong.items()), errors=errors)


class BookingInvalid(TermsInvalid):
    """The booking does not make sense."""


class OfferInvalid(TermsInvalid):
    """The offer does not make sense."""


class FilterInvalid(Invalid):
    """The search cannot be read."""

    def __init__(self, detail: str = "", *, field: str = "filter") -> None:
        super().__init__(detail, errors=[{"field": field, "message": detail}])


class ConstraintInvalid(Invalid):
    """The constraint is not an expression that can be used here."""


class IfMatchInvalid(Invalid):
    """The If-Match header is missing or cannot be read."""


class OfferChanged(Stale):
    """The offer was changed since you read it."""


class OfferTaken(Conflict):
    """You already have another offer by this id."""


class CardsOverOffered(Conflict):
    """A card is in too many offers already."""


class BondNotCovered(InsufficientFunds):
    """The balance does not cover the bond that a bonded offer pledges for each booking."""


class SelfBooking(Forbidden):
    """Nobody rents from themselves."""


class RenterRefused(Forbidden):
    """The provider's constraints do not admit this booking."""


class OfferNotFound(NotFound):
    """There is no such offer."""


class OfferNotOpen(Conflict):
    """The offer takes no bookings now."""


class MinerSilent(Conflict):
    """The cards of this offer cannot be reached now."""


class SlotTaken(Conflict):
    """Somebody else has these GPUs at that time."""


class OfferBooked(Conflict):
    """The offer cannot be cancelled while it is booked."""


class BondMissing(Conflict):
    """The provider cannot cover the bond that this booking needs."""


class QuoteExpired(Gone):
    """The quote has expired; ask for another."""


class QuoteUsed(Conflict):
    """The quote was used already."""


class ExtensionPending(Conflict):
    """An extension of this booking is being paid for; ask again in a moment."""


class PriceMoved(Conflict):
    """The price is higher than you allowed."""


class NoticeTooShort(Invalid):
    """The notice is shorter than the offer promises."""


class NotTheRenter(Forbidden):
    """Only the renter may do this."""


class NotTheProvider(Forbidden):
    """Only the provider may do this."""


class NotSettledYet(Conflict):
    """A booking is reviewed once it is settled."""


class ReviewTooLate(Gone):
    """The time for this review is over."""


class ReviewedAlready(Conflict):
    """You reviewed this booking already."""


class AnsweredAlready(Conflict):
    """You answered this review already."""


class DemandInvalid(Invalid):
    """The demand does not make sense."""

    def __init__(self, **wrong: str) -> None:
        errors = [{"field": field, "message": message} for field, message in wrong.items()]
        super().__init__(" ".join(f"{field}: {message}" for field, message in wrong.items()), errors=errors)


class DemandTaken(Conflict):
    """You have a demand of this name already."""


class DemandNotOpen(Conflict):
    """The demand takes no bids now."""


class RenterCannotPay(Conflict):
    """The renter cannot pay for this now."""


class BidInvalid(Invalid):
    """The bid does not make sense."""


class BidOverBudget(BidInvalid):
    """The price is higher than the demand's budget."""

    def __init__(self, price: str, budget: str) -> None:
        message = f"It is at most {budget} AIT per hour, the budget; {price} was bid."
        super().__init__(message, errors=[{"field": "price_hour", "message": message}], budget=budget)


class SelfBid(Forbidden):
    """Nobody bids for their own demand."""


class BidUnfit(Conflict):
    """The offer does not fit the demand."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(f"{'; '.join(reasons)}.", reasons=list(reasons))


class BidStands(Conflict):
    """This offer has a bid for this demand already."""


class BookFull(Conflict):
    """The demand has as many bids as it takes, and this one is not better than the worst of them."""


class BidNotFound(NotFound):
    """There is no such bid on this demand."""


class OrderNotFound(NotFound):
    """There is no such order, or it is not yours."""


class OrderInvalid(Invalid):
    """The order does not make sense."""


class OrderMatched(Conflict):
    """The order was matched with another one before."""


class NotAParty(Forbidden):
    """Orders are matched by one of their owners, or by an operator."""


class NotBooked(Conflict):
    """You have no paid booking of this GPU under way."""


class ModelUnknown(NotFound):
    """No such GPU model was ever offered here."""


class ModelNotOffered(NotFound):
    """Nobody offers this GPU model."""


class ProviderUnknown(NotFound):
    """Nobody by this id ever offered anything here."""
