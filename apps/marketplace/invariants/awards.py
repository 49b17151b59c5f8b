"""Invariants of auctions: one winner within its bid and the budget (M4), the same computed again (M8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.models import F, Q

from aitbc.core import signing
from aitbc.core.db import cursor
from aitbc.core.invariants import each_chunk, invariant
from aitbc.core.money import parse_amount
from apps.marketplace.logic import award_proof
from apps.marketplace.models import Award, MarketplaceBid, MarketplaceDemand
from apps.marketplace.states import BidState, DemandState

LIMIT = 100
AWARDED = (DemandState.AWARDED, DemandState.FULFILLED)

SEVERAL_WINNERS = """
SELECT demand_id, count(*) FROM marketplace_marketplacebid WHERE state = 'won' GROUP BY 1 HAVING count(*) > 1 LIMIT 100
"""


@invariant("M4", db="marketplace")
def one_winner_within_its_bid_and_the_budget() -> Iterable[str]:
    """A demand has at most one winner, booked once, at a price not under its bid and not over the budget."""
    with cursor(MarketplaceBid) as sql:
        sql.execute(SEVERAL_WINNERS)
        yield from (f"demand {pk} has {count} winning bids" for pk, count in sql.fetchall())
    won = MarketplaceBid.objects.filter(state=BidState.WON)
    for bid in won.filter(awards=None)[:LIMIT]:
        yield f"bid {bid.pk} has won without an award"
    for demand in MarketplaceDemand.objects.filter(state__in=AWARDED, award=None)[:LIMIT]:
        yield f"demand {demand.pk} is {demand.state} without an award"
    wrong = Q(price_hour__lt=F("bid__price_hour")) | Q(price_hour__gt=F("demand__budget_hour"))
    other = ~Q(bid__demand=F("demand")) | ~Q(bid__state=BidState.WON)
    for award in Award.objects.filter(wrong | other).select_related("bid", "demand")[:LIMIT]:
        yield f"award {award.pk} is at a price that is not between its bid and the budget, or of a bid that has not won"


@invariant("M8", db="marketplace")
def awards_come_out_the_same_again() -> Iterable[str]:
    """Replaying a clear gives the same award: every proof is signed, is the row's, and comes to the same outcome."""
    proven = Award.objects.select_related("demand")
    yield from each_chunk(proven, lambda awards: (line for one in awards for line in unlike(one)), size=200)


def unlike(award: Award) -> Iterator[str]:
    proof, inputs = award.proof, award.proof.get("inputs", {})
    document = {"proof": proof, "digest": award.digest, "signature": award.signature}
    try:
        list(award_proof.verify(document, signing.published_keys()))
    except award_proof.Rejected as error:
        yield f"award {award.pk} does not come out again: {error}"
        return
    recorded = (inputs["award"], inputs["demand"], proof["outcome"]["winner"])
    if recorded != (str(award.pk), str(award.demand_id), str(award.bid_id)):
        yield f"award {award.pk} is of another demand or bid than its proof"
    frozen = (inputs["weights"], inputs["format"], parse_amount(inputs["budget"]))
    if frozen != (award.demand.weights, award.demand.auction, award.demand.budget_hour):
        yield f"award {award.pk} was computed from other terms than its demand's"
    if parse_amount(proof["outcome"]["price"]) != award.price_hour:
        yield f"award {award.pk} shows another price than its proof"
