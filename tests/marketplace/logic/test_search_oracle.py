"""M7: what SQL finds is what plain Python finds, in the same order, over pages of any size."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.marketplace.models import MarketplaceOffer
from apps.marketplace.models.offers import LISTED
from apps.marketplace.search import oracle
from apps.marketplace.search.finding import explain, find
from tests.marketplace.gpus import random_offer
from tests.marketplace.searches import random_search

OFFERS = 400


@pytest.fixture
def offers(db) -> list[MarketplaceOffer]:
    dice = random.Random(3)
    MarketplaceOffer.objects.bulk_create([random_offer(dice) for _ in range(OFFERS)])
    return list(MarketplaceOffer.objects.all())


def expected(search, offers):
    listed = [offer for offer in offers if offer.state in LISTED]
    fitting = [one for one in listed if oracle.matches(search.terms, one, search.workload, search.words)]
    return oracle.arranged(fitting, search.order, search.workload)


def walked(search, size):
    """Every page, one after another."""
    found, cursor = [], None
    while True:
        page = find(search, limit=size, cursor_token=cursor)
        found += page.offers
        cursor = page.next_cursor
        if cursor is None:
            return found


def test_random_searches_find_what_brute_force_finds(offers):
    found_something = 0

    @settings(max_examples=150, deadline=None, database=None)
    @given(st.integers(0, 2**48))
    def check(seed):
        nonlocal found_something
        dice = random.Random(seed)
        search = random_search(dice)

        found = walked(search, dice.choice([7, 50, 200]))

        assert [one.pk for one in found] == [one.pk for one in expected(search, offers)], [*map(str, search.terms)]
        found_something += bool(found)

    check()
    assert found_something > 30


def test_explanations_count_what_brute_force_counts_and_their_relaxations_work(offers):
    @settings(max_examples=120, deadline=None, database=None)
    @given(st.integers(0, 2**48))
    def check(seed):
        search = random_search(random.Random(seed))
        listed = [offer for offer in offers if offer.state in LISTED]

        explanation = explain(search)

        assert explanation.offers == len(listed)
        assert explanation.matches == len(expected(search, offers))
        for judged, term in zip(explanation.terms, search.terms, strict=False):
            others = [one for one in search.terms if one is not term]
            fails = [one for one in listed if not oracle.holds(term, one, search.workload)]
            alone = [one for one in fails if oracle.matches(others, one, search.workload, search.words)]
            assert (judged.term, judged.removes, judged.removes_alone) == (str(term), len(fails), len(alone))
            if alone and not judged.relaxed.startswith("leave out"):
                from apps.marketplace.search.terms import read

                (relaxed,) = read(judged.relaxed, workload=search.workload)
                assert any(oracle.holds(relaxed, one, search.workload) for one in alone), judged.relaxed
        if explanation.cheapest:
            assert explanation.matches == 0 and explanation.fewest_in_the_way == 1

    check()
