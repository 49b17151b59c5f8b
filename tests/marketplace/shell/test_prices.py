"""`manage.py market prices|utilisation|liquidity|provider`, through a real socket."""

from __future__ import annotations

import io
import json
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.marketplace.management.subcommands.prices import plot
from apps.marketplace.services import prices
from tests.marketplace.factories import AIT, a_booking, an_offer, hours

pytestmark = pytest.mark.transaction


@pytest.fixture
def market(live_server, client_api):
    def run(*words: str) -> str:
        out = io.StringIO()
        call_command("market", *words, "--url", live_server.url, "--key", client_api.secret, stdout=out)
        return out.getvalue()

    return run


def three_trades():
    now = timezone.now()
    made = [a_booking(an_offer(price=n * AIT), since=now - hours(2), until=now - hours(1)) for n in (1, 2, 3)]
    prices.record_trades(made)
    return made


def test_prices_are_a_table_and_a_plot(market):
    three_trades()

    text = market("prices", "geforce rtx 4090")
    answer = json.loads(market("prices", "geforce rtx 4090", "--json"))

    assert "Prices of GeForce RTX 4090" in text and "3.0000" in text and "UTC" in text
    assert answer["items"][0]["trades"]["high"] == "3.000000"


def test_a_market_without_trades_says_what_to_try(market):
    assert "Nothing was offered or traded" in market("prices")


def test_an_unknown_model_is_reported_in_plain_words(market):
    three_trades()

    with pytest.raises(CommandError, match="(?s)RTX 4080.*HTTP 404"):
        market("prices", "RTX 4080")


def test_use_depth_and_provider(market):
    made = three_trades()

    assert "GPU time in use" in market("utilisation", "--interval", "1h")
    assert "open offers" in market("liquidity")
    assert "of 100" in market("provider", str(made[0].provider_id))
    with pytest.raises(CommandError, match="HTTP 404"):
        market("provider", str(uuid4()))


@pytest.mark.no_db
def test_a_plot_shows_lows_highs_and_gaps():
    assert plot([1.0, None, 8.0]) == "▁ █"
    assert plot([None]) == ""
    assert plot([5.0, 5.0]) == "▁▁"
