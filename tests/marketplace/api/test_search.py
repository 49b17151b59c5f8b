"""The search routes: what is understood, what is refused with advice, pages, times, explanations, plans."""

from __future__ import annotations

import random
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from aitbc.core.db import cursor
from aitbc.core.invariants import run as audit
from apps.marketplace.errors import FilterInvalid
from apps.marketplace.models import BookingSlice, MarketplaceOffer
from apps.marketplace.search import terms
from apps.marketplace.search.fields import FIELDS, TABLE, Workload
from apps.marketplace.search.finding import planned
from apps.marketplace.search.statements import Search, Statement
from tests.marketplace.conftest import OFFERS
from tests.marketplace.factories import a_booking
from tests.marketplace.gpus import random_offer
from tests.marketplace.searches import EIGHT_B, random_search

SEARCH = f"{OFFERS}/search"


@pytest.fixture
def find(anonymous_api):
    def ask(filter="", status=200, **params):
        query = urlencode({"filter": filter, **params})
        return anonymous_api.json("GET", f"{SEARCH}?{query}", status=status)

    return ask


@pytest.fixture
def market(offered):
    """Three offers: a cheap 12 GB, a dear 24 GB, a middling 80 GB that is not verified."""
    weak = {
        "name": "RTX 3060",
        "model": "GeForce RTX 3060",
        "memory_mb": 12288,
        "fp16_tflops": 51.0,
        "bandwidth_gbps": 360.0,
    }
    large = {
        "name": "A100",
        "model": "A100 80GB",
        "memory_mb": 81920,
        "bandwidth_gbps": 2039.0,
        "verified": False,
        "region": "us",
    }
    return {
        "weak": offered(price_gpu_hour="0.1", gpu=weak)["id"],
        "strong": offered(price_gpu_hour="1.5", title="Quiet room", attributes={"rack": "B7"})["id"],
        "large": offered(price_gpu_hour="0.9", gpu=large)["id"],
    }


def ids(page):
    return [one["id"] for one in page["items"]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpu_ram>=8 dph<1", {"weak", "large"}),
        ("gpu_ram >= 24 AND price_gpu_hour <= 1.5", {"strong", "large"}),
        ("gpu_model=RTX_3060", {"weak"}),
        ('gpu_name in ["NVIDIA GeForce RTX 4090", a100_80gb]', {"strong", "large"}),
        ("region notin [US] verified=yes", {"weak", "strong"}),
        ("vram=24 num_gpus==1", {"strong"}),
        ("tflops_per_credit > 400", {"weak"}),
        ("total_hour in [0.1, 0.9]", {"weak", "large"}),
        ("rentable=false", set()),
        ("", {"weak", "strong", "large"}),
    ],
)
def test_terms_find_what_they_say(find, market, text, found):
    assert set(ids(find(text))) == {market[name] for name in found}


def test_terms_may_come_as_json(anonymous_api, market):
    body = {
        "terms": [
            {"field": "dph", "op": "<", "value": "1.0"},
            {"field": "gpu_ram", "op": "in", "value": [12, 80]},
            {"field": "verified", "op": "==", "value": True},
        ],
        "filter": "region=eu-de",
        "order": "dph",
    }
    found = anonymous_api.json("POST", SEARCH, body, status=200)

    assert ids(found) == [market["weak"]]
    assert found["terms"] == [
        'region == "eu-de"', "price_gpu_hour < 1", "gpu_ram in [12, 80]", "verified == true", "rentable == true",
        "booked == false",
    ]  # fmt: skip
    assert found["order"] == ["price_gpu_hour"]
    anonymous_api.json("POST", SEARCH, {**body, "nonsense": 1}, status=400)
    anonymous_api.json("POST", SEARCH, {"terms": [{"field": "dph", "op": "<"}]}, status=400)


@pytest.mark.parametrize(
    ("params", "reply"),
    [
        ({"filter": "gpu_rum>=8"}, "nearest is 'gpu_ram'"),
        ({"filter": "gpu_ram>=much"}, "gpu_ram is a number (GB)"),
        ({"filter": "verified=perhaps"}, "true or false"),
        ({"filter": "dph<-x"}, "amount of AIT"),
        ({"filter": "dph<0.0000001"}, "more than 6"),
        ({"filter": "region<b"}, "has no <"),
        ({"filter": "gpu_ram in 8"}, "At character 9"),
        ({"filter": "gpu_ram>=8 dph"}, "expected a comparison"),
        ({"filter": "gpu_ram in []"}, "takes a list of values"),
        ({"filter": "gpu_ram>=1e999"}, "write a number"),
        ({"filter": "dph<1 " * 41}, "41 terms; at most 40"),
        ({"filter": f"gpu_ram in [{','.join(map(str, range(201)))}]"}, "201 values"),
        ({"filter": "tokens_s>1"}, "needs a language model"),
        ({"model": "no-such-model"}, "nearest"),
        ({"order": "-prize"}, "nearest"),
        ({"order": "dph,score,region,cuda,vendor"}, "at most 4"),
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"cursor": "abc"}, "cursor"),
        ({"starts_at": "2030-01-01T00:00:00Z"}, "how long"),
        ({"starts_at": "2020-01-01T00:00:00Z", "duration_s": "60"}, "in the past"),
        ({"duration_s": "0"}, "duration_s"),
        ({"q": "a b c d e f g h i"}, "9 words"),
        ({"colour": "red"}, "not known here"),
        ({"q": "\x00"}, "NUL"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_advice(find, params, reply):
    answer = find(**params, status=400)

    assert reply in str([answer["detail"], answer["errors"]])


def test_words_are_looked_for_in_every_text(find, market):
    assert ids(find(q="quiet")) == ids(find(q="B7 room")) == [market["strong"]]
    assert ids(find(q="rtx", order="dph")) == [market["weak"], market["strong"]]
    assert ids(find(q="100%")) == ids(find(q="_")) == []


def test_the_order_is_any_fields_way_and_the_score_by_default(find, market):
    assert ids(find(order="dph")) == [market["weak"], market["large"], market["strong"]]
    assert ids(find(order="-gpu_ram")) == [market["large"], market["strong"], market["weak"]]
    assert ids(find(order="verified,-dph")) == [market["large"], market["strong"], market["weak"]]
    scores = [one["score"] for one in find()["items"]]
    assert scores == sorted(scores, reverse=True)


def test_pages_go_on_where_the_last_one_ended(find, market):
    first = find(order="-dph", limit=2)
    second = find(order="-dph", limit=2, cursor=first["next"])

    assert (ids(first), ids(second), second["next"]) == (
        [market["strong"], market["large"]], [market["weak"]], None,
    )  # fmt: skip
    assert find(order="dph", limit=2, cursor=first["next"], status=400)["code"] == "cursor_invalid"


def test_tokens_for_the_money_rank_offers_for_a_named_model(find, market):
    found = find(model="llama3.1:8b", order="-tokens_per_credit")

    assert ids(found) == [market["weak"], market["large"], market["strong"]]
    rates = {one["id"]: one["tokens_s"] for one in found["items"]}
    assert rates[market["large"]] > rates[market["strong"]] > rates[market["weak"]] > 0
    big = find("tokens_s>1", model="Llama-3.1-70B")
    assert ids(big) == [market["large"]]  # it fits nowhere else
    assert find(model="Llama-3.1-70B", order="-tokens_s")["items"][-1]["tokens_s"] is None
    assert "tokens_per_credit" in find(model="Qwen2.5-0.5B")["items"][0]


def test_storage_counts_in_the_whole_price(find, offered):
    made = offered(price_gpu_hour="0.5", price_storage_gb_month="0.073")

    assert find("total_hour<0.51")["items"][0]["total_hour"] == "0.500000"
    assert find(storage_gb=100)["items"][0]["total_hour"] == "0.510000"
    assert ids(find("total_hour==0.51", storage_gb=100)) == [made["id"]]


def test_a_requested_time_leaves_out_what_is_taken_then(find, offered):
    busy, free = offered(price_gpu_hour="0.1"), offered(price_gpu_hour="0.2", max_duration_s=7200)
    now = timezone.now()
    booking = a_booking(
        MarketplaceOffer.objects.get(pk=busy["id"]), since=now, until=now + timedelta(hours=1), state="active"
    )
    BookingSlice.objects.filter(booking=booking).update(live=True)
    later = (now + timedelta(hours=2)).isoformat()

    assert ids(find(order="dph")) == [busy["id"], free["id"]]
    assert ids(find(order="dph", duration_s=1800)) == [free["id"]]
    assert ids(find(order="dph", duration_s=1800, starts_at=later)) == [busy["id"], free["id"]]
    assert ids(find(order="dph", duration_s=10_000, starts_at=later)) == [busy["id"]]  # longer than it takes
    assert ids(find(duration_s=1800, gpus=2)) == []
    explanation = find("dph<0.15", duration_s=1800, explain="true")["explain"]
    assert (explanation["matches"], [one["removes_alone"] for one in explanation["terms"]][-1]) == (0, 1)


def test_an_explanation_says_what_stands_in_the_way(find, market):
    explanation = find("gpu_ram>=40 dph<0.5", explain="true")["explain"]

    assert (explanation["offers"], explanation["matches"], explanation["fewest_in_the_way"]) == (3, 0, 1)
    judged = {one["term"]: one for one in explanation["terms"]}
    assert (judged["gpu_ram >= 40"]["removes"], judged["gpu_ram >= 40"]["removes_alone"]) == (2, 1)
    assert judged["gpu_ram >= 40"]["relaxed"] == "gpu_ram >= 12"
    assert judged["price_gpu_hour < 0.5"]["relaxed"] == "price_gpu_hour <= 0.9"
    assert explanation["cheapest"]["term"] == "price_gpu_hour < 0.5"
    assert ids(find(f"gpu_ram>=40 {explanation['cheapest']['relaxed']}")) == [market["large"]]
    hopeless = find("gpu_ram>=400 dph<0.001", explain="true")["explain"]
    assert (hopeless["cheapest"], hopeless["fewest_in_the_way"]) == (None, 2)


def test_the_fields_are_listed(anonymous_api):
    known = {one["name"]: one for one in anonymous_api.json("GET", f"{OFFERS}/fields", status=200)}

    assert known["price_gpu_hour"]["aliases"][0] == "dph" and known["gpu_ram"]["unit"] == "GB"
    assert len(known) == len(TABLE)


def test_the_audit_holds_over_any_offers(db):
    dice = random.Random(9)
    MarketplaceOffer.objects.bulk_create([random_offer(dice) for _ in range(200)])
    MarketplaceOffer.objects.update(rentable=False)  # no cards stand behind these

    assert not any(audit(["M7"]).values())


@pytest.mark.no_db
def test_no_two_fields_share_a_name():
    assert len(FIELDS) == sum(1 + len(field.aliases) for field in TABLE)


@pytest.mark.no_db
@given(st.integers(0, 2**48))
def test_a_term_reads_back_as_it_is_written(seed):
    search = random_search(random.Random(seed))

    assert terms.read(" AND ".join(map(str, search.terms)), workload=search.workload) == [
        terms.Term(one.field, one.op, one.value) for one in search.terms
    ]


@pytest.mark.no_db
@given(st.text(alphabet="abdhpgru_<>=!in[]\"'\\ ,.0123456789-+&eEAND\n\t", max_size=60) | st.text(max_size=30))
def test_no_text_breaks_the_parser(text):
    try:
        assert isinstance(terms.read(text, workload=Workload(model=EIGHT_B)), list)
    except FilterInvalid as error:
        assert error.detail


def plan(search: Search, after=None) -> str:
    statement = Statement(search)
    text = statement.page(51, after)
    with planned() as sql:
        sql.execute(f"EXPLAIN {text}", statement.params)
        return "\n".join(row[0] for row in sql.fetchall())


@pytest.mark.transaction
def test_no_hot_search_reads_the_whole_table():
    dice = random.Random(4)
    rows = [random_offer(dice) for _ in range(3000)]
    for row in rows:
        row.description = "x" * 1500  # as wide as real ones may be
    MarketplaceOffer.objects.bulk_create(rows, batch_size=500)
    with cursor(MarketplaceOffer) as sql:
        sql.execute("VACUUM ANALYZE marketplace_marketplaceoffer")
    workload = Workload(model=EIGHT_B)

    for text, order, words in (
        ("", "", ()), ("gpu_ram>=8 dph<1", "", ()), ("gpu_ram>=24 verified=true", "dph", ()),
        ("gpu_model=RTX_4090 region in [eu-de]", "-tflops_per_credit", ()), ("dph<0.0001", "total_hour,-up_mbps", ()),
        ("tokens_s>50", "-tokens_per_credit", ()), ("dph<2", "", ("quiet",)), ("booked=true", "", ()),
    ):  # fmt: skip
        search = Search(
            terms.with_implied(terms.read(text, workload=workload)), terms.read_order(order, workload), workload, words
        )
        assert "Seq Scan" not in plan(search), (text, plan(search))
    first = Search(terms.with_implied([]), terms.read_order("", workload), workload)
    assert "marketplace_offer_search" in plan(first, after=[5.0, rows[0].pk])
