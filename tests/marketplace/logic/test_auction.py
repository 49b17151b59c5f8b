"""The auction's arithmetic, against a slow oracle in fractions, and against bidders who would rather lie."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from apps.marketplace.logic import auction
from apps.marketplace.logic.auction import MILLION, Bid, Terms, Weights

pytestmark = pytest.mark.no_db
#: A busy machine is no reason to fail.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def weights(draw):
    price = draw(st.integers(1, 10_000))
    quality = draw(st.integers(0, 10_000 - price))
    return Weights(price=price, quality=quality, reliability=10_000 - price - quality)


@st.composite
def auctions(draw, least=1, most=8, second_score=None):
    budget = draw(st.integers(1, 10**7) | st.integers(1, 12))
    terms = Terms(
        budget=budget, weights=draw(weights()),
        second_score=draw(st.booleans()) if second_score is None else second_score,
        reserve=draw(st.none() | st.integers(1, budget)),
    )  # fmt: skip
    share = st.integers(0, MILLION) | st.sampled_from([0, MILLION // 2, MILLION])
    bids = [
        Bid(id=f"b{number}", at=f"2026-01-01T00:00:0{draw(st.integers(0, 3))}Z", price=draw(st.integers(1, budget)),
            quality=draw(share), reliability=draw(share))
        for number in range(draw(st.integers(least, most)))
    ]  # fmt: skip
    return terms, bids


def fraction_score(bid, terms):
    w = terms.weights
    price = Fraction(w.price, 10_000) * (1 - Fraction(bid.price, terms.budget))
    quality = Fraction(w.quality, 10_000) * Fraction(bid.quality, MILLION)
    return price + quality + Fraction(w.reliability, 10_000) * Fraction(bid.reliability, MILLION)


def oracle(bids, terms):
    """Winner and price by the words of the specification: every price tried downwards by bisection over fractions."""
    best = None
    for bid in bids:
        key = (fraction_score(bid, terms), bid)
        if best is None or key[0] > best[0] or (key[0] == best[0] and (bid.at, bid.id) < (best[1].at, best[1].id)):
            best = key
    winner = best[1]
    if not terms.second_score:
        return winner.id, winner.price
    others = [bid for bid in bids if bid is not winner]
    if not others:
        return winner.id, max(winner.price, min(terms.reserve or terms.budget, terms.budget))
    to_beat = max(fraction_score(bid, terms) for bid in others)
    low, high = winner.price, terms.budget
    while low < high:
        middle = (low + high + 1) // 2
        if fraction_score(replace(winner, price=middle), terms) >= to_beat:
            low = middle
        else:
            high = middle - 1
    return winner.id, low


@PATIENT
@given(auctions())
def test_clearing_agrees_with_the_oracle(auction_case):
    terms, bids = auction_case
    outcome = auction.clear(bids, terms)

    assert (outcome.winner.id, outcome.price) == oracle(bids, terms)


@PATIENT
@given(auctions(), st.randoms(use_true_random=False))
def test_the_order_in_which_bids_are_listed_changes_nothing(auction_case, random):
    terms, bids = auction_case
    shuffled = list(bids)
    random.shuffle(shuffled)

    assert auction.clear(shuffled, terms) == auction.clear(bids, terms)


@PATIENT
@given(auctions())
def test_the_winner_is_paid_its_bid_or_more_and_never_above_the_budget(auction_case):
    terms, bids = auction_case
    outcome = auction.clear(bids, terms)

    assert outcome.winner.price <= outcome.price <= terms.budget
    assert [one.bid.id for one in outcome.ranking] == [one.bid.id for one in auction.clear(bids, terms).ranking]


@PATIENT
@given(auctions(least=2, second_score=True), st.data())
def test_no_bidder_gains_by_another_price_than_its_cost(auction_case, data):
    """Truthful: whatever the others bid, asking one's cost is best (a tie gives a rival nothing but its own cost)."""
    terms, bids = auction_case
    liar = data.draw(st.sampled_from(range(len(bids))))
    honest = bids[liar]
    lie = replace(honest, price=data.draw(st.integers(1, terms.budget)))

    def profit(bid):
        outcome = auction.clear([*bids[:liar], bid, *bids[liar + 1 :]], terms)
        return outcome.price - honest.price if outcome.winner.id == honest.id else 0

    assert profit(lie) <= profit(honest)


@PATIENT
@given(auctions(least=2, second_score=True))
def test_the_second_score_price_is_the_highest_that_still_wins(auction_case):
    terms, bids = auction_case
    outcome = auction.clear(bids, terms)
    assume(outcome.price < terms.budget)

    def first_at(price):
        changed = [replace(bid, price=price) if bid == outcome.winner else bid for bid in bids]
        best = max(fraction_score(bid, terms) for bid in changed)
        return fraction_score(replace(outcome.winner, price=price), terms) == best

    assert first_at(outcome.price)
    assert not first_at(outcome.price + 1)


def bid(name, price, quality=0, reliability=0, at="2026-01-01T00:00:00Z"):
    return Bid(id=name, at=at, price=price, quality=quality, reliability=reliability)


def test_quality_and_reliability_can_outweigh_the_price():
    terms = Terms(budget=1_000_000, weights=Weights(price=5_000, quality=3_000, reliability=2_000))
    cheap, good = bid("cheap", 400_000), bid("good", 600_000, quality=800_000, reliability=900_000)

    assert auction.clear([cheap, good], terms).winner == good
    assert auction.clear([cheap, good], Terms(budget=1_000_000, weights=Weights())).winner == cheap


def test_equal_scores_go_to_the_earlier_bid_and_then_to_the_smaller_id():
    terms = Terms(budget=100, weights=Weights())
    late, early = bid("a", 50, at="2026-01-01T00:00:01Z"), bid("b", 50)

    assert auction.clear([late, early], terms).winner == early
    assert auction.clear([bid("d", 50), bid("c", 50)], terms).winner.id == "c"


@pytest.mark.parametrize(("reserve", "paid"), [(None, 100), (70, 70), (30, 40)])
def test_a_lone_bidder_is_paid_the_reserve_but_never_less_than_it_asked(reserve, paid):
    terms = Terms(budget=100, weights=Weights(), second_score=True, reserve=reserve)

    assert auction.clear([bid("a", 40)], terms).price == paid


def test_without_bids_nobody_wins():
    outcome = auction.clear([], Terms(budget=100, weights=Weights(), second_score=True))

    assert (outcome.winner, outcome.price) == (None, None)


@pytest.mark.parametrize(
    ("new", "worst", "pushed_out"), [(494_999, 500_000, True), (495_001, 500_000, False), (1, 1, False)]
)
def test_a_full_book_gives_way_to_a_bid_better_by_a_hundredth(new, worst, pushed_out):
    terms = Terms(budget=1_000_000, weights=Weights())

    assert auction.beats(bid("n", new), bid("w", worst), terms) is pushed_out


def test_a_bid_without_any_score_gives_way_to_one_with_some():
    terms = Terms(budget=100, weights=Weights())

    assert auction.beats(bid("n", 99), bid("w", 100), terms)
    assert not auction.beats(bid("n", 100), bid("w", 100), terms)


@pytest.mark.parametrize("wrong", [{"price": 0, "quality": 10_000}, {"price": 9_999}, {"price": 10_001, "quality": -1}])
def test_weights_sum_to_one_and_the_price_counts(wrong):
    with pytest.raises(ValueError, match="sum to 10000"):
        Weights(**wrong)


def test_quality_is_measured():
    assert auction.quality_of(100.0, verified=True) == 500_000
    assert auction.quality_of(300.0, verified=True) == 750_000
    assert auction.quality_of(100.0, verified=False) == 400_000
    assert auction.quality_of(None, verified=True) == 0
