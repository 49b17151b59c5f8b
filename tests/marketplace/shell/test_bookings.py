"""`manage.py market`: renting from the shell, through a real socket; and what the admin may do."""

from __future__ import annotations

import io
import json
import signal
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from aitbc.accounts.services import users
from apps.marketplace.models import GPUBooking, GPUReview, MarketplaceOffer
from apps.marketplace.services import reviews
from tests.marketplace.renting import AIT, again, at, funded, provisioned, rentable, running, sound
from tests.shell import command_runner, ended, program

pytestmark = pytest.mark.transaction


@pytest.fixture
def market(live_server, client_api):
    return command_runner("market", live_server, client_api)


def test_a_bookings_life_from_the_shell(market, client_api, miner_api, drain):
    funded(10 * AIT, client_api.owner_id)
    offer = rentable(provider=miner_api.owner_id)

    assert "open until" in market("quote", str(offer.pk), "--hours", "2")
    quote = json.loads(market("quote", str(offer.pk), "--hours", "2", "--json"))
    made = json.loads(market("book", "--quote", quote["id"], "--json"))
    assert (made["state"], made["escrow"]) == ("requested", "2.000000")
    drain()
    assert "make ready by" in market("show", made["id"])
    market("ready", made["id"], key=miner_api.secret)
    drain()
    assert "active" in market("bookings", "--state", "active")
    assert "asked" in market("extend", made["id"], "--minutes", "30", "--max-rate", "1")
    drain()
    booking = GPUBooking.objects.get(pk=made["id"])
    at(booking.ends_at + timedelta(seconds=1))

    shown = market("show", made["id"], "--watch")
    assert "settled (ended)" in shown
    (listed,) = [line for line in market("bookings", "--state", "settled").splitlines() if made["id"] in line]
    assert listed.split("│")[2].strip() == "settled"
    assert "to the provider" in shown
    assert "★★★★★" in market("review", made["id"], "5", "--text", "As promised.", "--speed", "4")
    assert "★★★★☆" in market("review", made["id"], "4", "--edit")
    written = json.loads(market("reviews", "--offer", str(offer.pk), "--json"))["items"][0]
    assert (written["text"], written["dimensions"]) == ("As promised.", {"speed": 4})
    assert "Thank you" in market("reply", written["id"], "Thank you", "--as-provider", key=miner_api.secret)
    assert "Thank you" in market("reviews", "--provider", str(miner_api.owner_id))
    sound()


def test_cancelling_ending_and_reclaiming_from_the_shell(market, client_api, miner_api, drain):
    funded(100 * AIT, client_api.owner_id)
    offer = rentable(provider=miner_api.owner_id, gpus=3)
    one, two, three = (running(offer, client_api.owner_id, gpu_count=1, duration_s=36_000) for _ in range(3))

    assert "ended" in market("end", str(one.pk))
    assert "cancelled provider" in market(
        "cancel", str(two.pk), "--as-provider", "--reason", "broken fan", key=miner_api.secret
    )
    assert "reclaimed for" in market("reclaim", str(three.pk), key=miner_api.secret)
    drain()

    assert "broken fan" in market("show", str(two.pk))
    assert "provider" in market("bookings", "--as-provider", key=miner_api.secret)
    sound()


def test_watching_a_booking_says_by_its_exit_code_how_it_ended(market, live_server, client_api, miner_api, drain):
    funded(100 * AIT, client_api.owner_id)
    offer = rentable(provider=miner_api.owner_id, gpus=3)
    ran, dropped = (running(offer, client_api.owner_id, gpu_count=1, duration_s=36_000) for _ in range(2))
    where = ("--url", live_server.url, "--key", client_api.secret)
    waiting = program("market", "show", ran.pk, "--watch", "--json", *where)
    assert json.loads(waiting.stdout.readline())["state"] == "active"
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, out, err) == (130, "", "")

    market("end", str(ran.pk))
    market("cancel", str(dropped.pk), "--as-provider", "--reason", "broken fan", key=miner_api.secret)
    drain()

    assert ended("market", "show", ran.pk, "--watch", *where)[::2] == (0, "")
    code, out, err = ended("market", "show", dropped.pk, "--watch", "--json", *where)
    assert (code, json.loads(out)["state"], json.loads(err)["code"]) == (1, "settled", "cancelled_provider")
    sound()


def test_what_is_absent_is_reported_in_plain_words(market, client_api):
    assert "No bookings" in market("bookings")
    assert "No reviews yet" in market("reviews")
    with pytest.raises(CommandError, match="HTTP 404"):
        market("show", str(client_api.owner_id))
    with pytest.raises(CommandError, match="(?s)needs 1.000000 AIT.*HTTP 402"):
        market("book", str(rentable().pk))


def test_the_ledger_shows_what_a_bookings_money_was_for(client_api, drain):
    funded(10 * AIT, client_api.owner_id)
    booking = running(rentable(), client_api.owner_id)
    at(booking.ends_at + timedelta(seconds=1))

    def ledger(*words):
        out = io.StringIO()
        call_command("ledger", *words, stdout=out)
        return out.getvalue()

    output = json.loads(ledger("statement", "client", "--json"))
    assert [line["code"] for line in output] == ["return", "fund", "deposit"]
    assert [line["what"] for line in output][1] == "into a booking's escrow"
    assert f"booking {booking.pk}" in [row["owner"] for row in json.loads(ledger("balance", "--json"))]


@pytest.fixture
def admin(db):
    users.register(username="root", password="a long enough pass phrase", is_staff=True, is_superuser=True)
    browser = Client()
    browser.post("/admin/login/", {"username": "root", "password": "a long enough pass phrase"})
    return browser


def test_the_admin_shows_the_markets_money_and_acts_by_services(admin, drain):
    renter, provider = funded(10 * AIT), funded(10 * AIT)
    offer = rentable(provider=provider, bonded=True)
    booking = running(offer, renter)
    pages = [
        f"/admin/marketplace/{name}/"
        for name in ("gpubooking", "bookingslice", "bookingextension", "bookingtransition", "quote", "gpureview")
    ] + [f"/admin/trading/{name}/" for name in ("escrow", "topup", "bond", "escrowevent", "bondevent")]

    assert [page for page in pages if admin.get(page).status_code != 200] == []
    form = {"action": "cancel_for_provider", "_selected_action": [str(booking.pk)], "apply": "1", "reason": "fraud"}
    admin.post("/admin/marketplace/gpubooking/", form)
    drain()

    assert (again(booking).outcome, again(booking).compensation) == ("cancelled_provider", AIT)
    review = reviews.write(booking=again(booking), rater_id=renter, stars=1, text="lies")
    hide = {"action": "hide", "_selected_action": [str(review.pk)], "apply": "1", "reason": "abuse"}
    admin.post("/admin/marketplace/gpureview/", hide)
    assert GPUReview.objects.get().hidden_reason == "abuse"
    assert MarketplaceOffer.objects.get(pk=offer.pk).reviews == 0
    admin.post("/admin/marketplace/gpureview/", {"action": "show", "_selected_action": [str(review.pk)]})
    assert GPUReview.objects.get().hidden_reason == ""
    sound()


def test_the_sweep_and_the_miner_start_what_is_due(drain):
    booking = running(rentable(), funded())

    provisioned(booking)  # said again, it changes nothing

    assert again(booking).activated_at == booking.activated_at
