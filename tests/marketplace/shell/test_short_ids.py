"""`manage.py market` and `gpu` with the short ids of their tables."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command

from aitbc.core.cli.errors import Failure
from aitbc.core.cli.tables import shortest_length
from aitbc.core.messaging.relay import drain
from apps.marketplace.models import GPUReview
from tests.marketplace.bidding import offer_of, provider, renter
from tests.marketplace.renting import AIT, funded, rentable, running, sound

pytestmark = pytest.mark.transaction


@pytest.fixture
def shell(live_server):
    """Run `market` with a caller's key; returns the JSON that it printed."""

    def run(*words, by, command="market"):
        out = io.StringIO()
        call_command(command, *words, "--url", live_server.url, "--key", by.secret, "--json", stdout=out)
        drain()
        return json.loads(out.getvalue())

    return run


def short(*ids):
    """The first of these ids, as long as is unique."""
    return str(ids[0])[: shortest_length({str(one) for one in ids})]


def test_an_auction_with_short_ids(shell):
    ann, bob = renter(), provider()
    offers = [str(offer_of(bob).pk) for _ in range(2)]
    demands = [shell("demand", "--budget", "2", "--hours", "1", "--draft", by=ann)["id"] for _ in range(2)]
    demand = short(*demands)

    assert shell("demand", "--publish", demand, by=ann)["id"] == demands[0]
    bid = shell("bid", demand, "--offer", short(*offers), "--price", "1.2", by=bob)
    assert bid["offer_id"] == offers[0]
    assert shell("bids", demand, by=bob)["items"][0]["id"] == bid["id"]
    assert shell("award", demand, "--bid", bid["id"][:20], by=ann)["bid_id"] == bid["id"]
    assert shell("award", demand, by=bob)["demand_id"] == demands[0]
    assert shell("demand", "--cancel", short(demands[1], demands[0]), by=ann)["id"] == demands[1]
    with pytest.raises(Failure, match="No bid that you can list begins with deadbeef"):
        shell("bid", "--withdraw", "deadbeef", by=bob)
    sound()


def test_renting_with_short_ids(shell, client_api, miner_api):
    funded(100 * AIT, client_api.owner_id)
    offer = rentable(provider=miner_api.owner_id, gpus=3)
    one, two = (str(running(offer, client_api.owner_id, gpu_count=1, duration_s=36_000).pk) for _ in range(2))

    assert shell("quote", str(offer.pk)[:8], by=client_api)["offer_id"] == str(offer.pk)
    assert shell("show", short(one, two), by=client_api)["id"] == one
    assert shell("end", short(two, one), by=client_api)["id"] == two
    assert shell("cancel", short(one, two), "--as-provider", by=miner_api)["id"] == one
    assert shell("offers", "pause", str(offer.pk)[:8], by=miner_api)["state"] == "paused"
    assert shell("offers", "history", str(offer.pk)[:8], by=miner_api)["offer_id"] == str(offer.pk)
    assert shell("review", short(two, one), "4", by=client_api)["rating"] == 4
    review = GPUReview.objects.get()
    assert shell("reply", str(review.pk)[:8], "Thanks", "--as-provider", by=miner_api)["id"] == str(review.pk)


def test_orders_with_short_ids_and_with_names(shell):
    ann, bob = renter(), provider()
    shell("bid", "1", "0.70", "24", "--id", "deadbeef01", by=ann, command="gpu")
    shell("offer", "1", "0.50", "24", "--id", "feedbeef02", by=bob, command="gpu")

    assert shell("status", "deadbeef01", by=ann, command="gpu")["bid_id"] == "deadbeef01", "an own name is no beginning"
    assert shell("status", "deadbeef", by=ann, command="gpu")["bid_id"] == "deadbeef01"
    assert shell("accept", "deadbeef", "--offer", "feedbeef", by=bob, command="gpu")["transaction"]
    sound()
