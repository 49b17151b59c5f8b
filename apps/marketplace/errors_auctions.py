"""What can go wrong in an auction; the docstring is the title of the problem."""

from __future__ import annotations

from collections.abc import Sequence

from aitbc.core.errors import Conflict, Forbidden, Invalid, NotFound


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
