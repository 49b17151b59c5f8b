"""Searching 50,000 offers over HTTP's whole stack, and the same answers as plain Python on 10,000 × 500 questions."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.test import Client

from aitbc.core.db import cursor
from apps.marketplace.models import MarketplaceOffer
from apps.marketplace.models.offers import LISTED
from apps.marketplace.search import oracle
from apps.marketplace.search.finding import find, planned
from apps.marketplace.search.statements import OFFERS as OFFERS_TABLE
from apps.marketplace.search.statements import Search, Statement
from bench.report import Measurement
from bench.stack import migrated
from tests.marketplace.gpus import random_offer
from tests.marketplace.searches import random_search

OFFERS, ORACLE_OFFERS, QUESTIONS = 50_000, 10_000, 500
BOOKED = 20_000  # slots taken now, of about 130,000
PATH = "/marketplace/v1/marketplace/offers/search"
TYPICAL: tuple[dict[str, Any], ...] = (
    {},
    {"filter": "gpu_ram>=8 dph<1"},
    {"filter": "gpu_ram>=24 dph<0.6 verified=true", "order": "dph"},
    {"filter": "gpu_model=RTX_4090 region in [eu-de, eu_west]", "order": "-tflops_per_credit"},
    {"filter": "num_gpus>=4 gpu_ram>=80 reliability>0.5", "order": "total_hour,-up_mbps"},
    {"filter": "gpu_ram>=8", "model": "Llama-3.1-8B", "order": "-tokens_per_credit"},
    {"filter": "tokens_s>=100 dph<1", "model": "Qwen2.5-7B"},
    {"filter": "dph<0.000001"},
    {"q": "rtx quiet", "filter": "dph<2"},
    {"filter": "rentable in [true,false] booked=true", "order": "-reviews,rating"},
)
SLICES = """WITH one AS (
  SELECT o.id AS offer, slot FROM marketplace_marketplaceoffer o CROSS JOIN unnest(o.slots) slot
  WHERE o.state IN ('open', 'booked_out') ORDER BY slot LIMIT %(count)s),
booking AS (
  INSERT INTO marketplace_gpubooking (id, version, offer_id, renter_id, provider_id, state, gpu_count, gpu_model,
    region, kind, rate, price_gpu_hour, storage_gb, fee_bp, min_charge_s, starts_at, ends_at, escrow, bond, metered_ms,
    carry, owed, slices, compensation, paid, fee, refunded, outcome, created_at)
  SELECT slot, 0, offer, gen_random_uuid(), gen_random_uuid(), 'active', 1, '', '', 'ondemand', 1, 1, 0, 0, 0, now(),
    now() + interval '1 day', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', now() FROM one RETURNING id)
INSERT INTO marketplace_bookingslice (booking_id, slot, period, live)
SELECT id, id, tstzrange(now(), now() + interval '1 day'), true FROM booking"""


def run() -> Iterator[Measurement]:
    migrated()
    empty()
    rng = random.Random(1)
    fill(rng)
    yield from agreement(rng)
    multiply()
    yield from timings(rng)
    empty()


def fill(rng: random.Random) -> None:
    """Insert the offers that the oracle in plain Python judges too."""
    for _ in range(ORACLE_OFFERS // 1_000):
        MarketplaceOffer.objects.bulk_create([random_offer(rng) for _ in range(1_000)])
    vacuum()


def multiply() -> None:
    """Copy these offers with other prices, scores and slots, until there are OFFERS."""
    changed = {
        "id": "gen_random_uuid()",
        "price_gpu_hour": "1 + (price_gpu_hour * (0.5 + random()))::bigint",
        "score": "score * (0.5 + random())",
        "slots": "ARRAY(SELECT gen_random_uuid() FROM unnest(o.slots))",
    }
    names = [one.column for one in MarketplaceOffer._meta.concrete_fields if not one.generated]
    values = ", ".join(changed.get(name, name) for name in names)
    with cursor(MarketplaceOffer) as sql:
        sql.execute(
            f"INSERT INTO {OFFERS_TABLE} ({', '.join(names)})"
            f" SELECT {values} FROM {OFFERS_TABLE} o, generate_series(2, {OFFERS // ORACLE_OFFERS})"
        )
    vacuum()


def vacuum() -> None:
    with cursor(MarketplaceOffer) as sql:
        sql.execute(f"VACUUM ANALYZE {OFFERS_TABLE}")


def agreement(rng: random.Random) -> Iterator[Measurement]:
    offers = [one for one in MarketplaceOffer.objects.all() if one.state in LISTED]
    differ = empty_answers = 0
    for _ in range(QUESTIONS):
        search = random_search(rng)
        fitting = [one for one in offers if oracle.matches(search.terms, one, search.workload, search.words)]
        expected = [one.pk for one in oracle.arranged(fitting, search.order, search.workload)]
        found = ids_of(search)
        differ += found != expected
        empty_answers += not expected
    note = f"{QUESTIONS} questions × {ORACLE_OFFERS:,} offers, order included; {empty_answers} find nothing"
    yield Measurement("search differs from brute force", differ, "answers", "<= 0", note)


def ids_of(search: Search) -> list[UUID]:
    """The ids of all offers found, in order, as one page."""
    statement = Statement(search)
    text = statement.page(ORACLE_OFFERS, None)
    with cursor(MarketplaceOffer) as sql:
        sql.execute(text, statement.params)
        return [row[0] for row in sql.fetchall()]


def timings(rng: random.Random) -> Iterator[Measurement]:
    settings.ALLOWED_HOSTS = ["*"]
    client = Client()

    def request(**params: Any) -> None:
        answer = client.get(f"{PATH}?{urlencode(params)}")
        assert answer.status_code == 200, answer.content

    yield timed("search, typical questions", lambda one: request(**one), TYPICAL * 30, "<= 150")
    random_searches = [random_search(rng) for _ in range(QUESTIONS)]
    yield timed("search, random questions (no HTTP)", lambda one: find(one, limit=50), random_searches, "<= 150")
    yield timed("search with explain=true", lambda one: request(**one, explain="true"), TYPICAL * 10)
    with cursor(MarketplaceOffer) as sql:
        sql.execute(SLICES, {"count": BOOKED})
        sql.execute("ANALYZE marketplace_bookingslice")
    yield timed(
        "search for a time",
        lambda one: request(**one, duration_s=3600),
        TYPICAL * 30,
        "<= 150",
        f"{BOOKED:,} slots booked",
    )
    scans = [search for search in random_searches if scanned(search)]
    yield Measurement("sequential scans", len(scans), "plans", "<= 0", f"of {len(random_searches)} random questions")


def timed(
    name: str, call: Callable[[Any], Any], questions: Iterable[Any], target: str = "", note: str = ""
) -> Measurement:
    took = []
    for question in questions:
        started = time.perf_counter()
        call(question)
        took.append((time.perf_counter() - started) * 1000)
    p95 = statistics.quantiles(took, n=20)[-1]
    measurements = f"p50 {statistics.median(took):.1f}, max {max(took):.0f} ms over {len(took)}"
    return Measurement(f"{name}, p95", p95, "ms", target, f"{measurements}; {note}" if note else measurements)


def scanned(search: Search) -> bool:
    statement = Statement(search)
    text = statement.page(51, None)
    with planned() as sql:
        sql.execute(f"EXPLAIN {text}", statement.params)
        return any("Seq Scan" in row[0] for row in sql.fetchall())


def empty() -> None:
    """Delete everything, for the other benchmarks."""
    with cursor(MarketplaceOffer) as sql:
        for table in ("marketplace_bookingslice", "marketplace_gpubooking"):
            sql.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            sql.execute(f"DELETE FROM {table}")
            sql.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        sql.execute("DELETE FROM marketplace_marketplaceoffer")
