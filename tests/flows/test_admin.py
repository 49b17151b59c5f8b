"""An operator follows a paid job through the admin, from database to database and back."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from apps.gpu.models import GPURegistry, Lease
from apps.trading.models import Block, Escrow, LogEntry, Payment, Receipt
from apps.trading.services import log
from tests.flows.exchange import Exchange
from tests.flows.test_booked_job import Market


class Browser:
    """A superuser's; `page` is the text of the page it looks at."""

    def __init__(self) -> None:
        self.client = Client()
        self.client.force_login(get_user_model().objects.create_superuser("root", "r@example.org", "secret-enough-9"))
        self.page = ""

    def open(self, url: str) -> Browser:
        answer = self.client.get(url)
        assert answer.status_code == 200, (url, answer.status_code, answer.headers.get("Location"))
        self.page = answer.content.decode()
        return self

    def follow(self, text: str) -> Browser:
        """Open the first link with this text, or to this address."""
        found = re.search(rf'<a[^>]*href="([^"]*)"[^>]*>\s*{re.escape(text)}\s*</a>', self.page)
        assert found, f"no link {text!r}"
        return self.open(found[1].replace("&amp;", "&"))

    def leads_to(self, url: str) -> bool:
        """Whether there is a link to this page; one from a list remembers the list's filters."""
        return re.search(rf'href="{re.escape(url)}["?]', self.page) is not None


@pytest.fixture
def browser(db) -> Browser:
    return Browser()


@pytest.fixture
def settled(exchange: Exchange) -> str:
    """A job that was paid for, with its receipt in a block."""
    exchange.fund("10")
    exchange.register()
    job = exchange.submit("1")
    exchange.deliver(exchange.poll(), {"output": "x"})
    log.seal()
    return str(job["id"])


def test_from_the_job_to_the_block(settled: str, browser: Browser):
    payment, receipt, lease = Payment.objects.get(), Receipt.objects.get(), Lease.objects.get()
    job = f"/admin/ai/aijob/{settled}/change/"

    browser.open(job).follow("payment")
    assert browser.leads_to(f"/admin/trading/payment/{payment.pk}/change/")
    browser.open(f"/admin/trading/payment/{payment.pk}/change/").follow("receipt")
    assert browser.leads_to(f"/admin/trading/receipt/{receipt.pk}/change/")
    browser.open(f"/admin/trading/receipt/{receipt.pk}/change/").follow("block 0")
    browser.follow("log entries")
    assert receipt.leaf in browser.page

    assert browser.open(job).follow("leases").leads_to(f"/admin/gpu/lease/{lease.pk}/change/")
    assert browser.open(job).leads_to(f"/admin/gpu/miner/{lease.miner_id}/change/")
    assert browser.open(job).leads_to(f"/admin/trading/receipt/{receipt.pk}/change/")


def test_and_back(settled: str, browser: Browser, exchange: Exchange):
    job, block = f"/admin/ai/aijob/{settled}/change/", Block.objects.get()
    receipt, lease = Receipt.objects.get(), Lease.objects.get()

    entry = LogEntry.objects.with_hash(receipt.leaf).get()
    assert (
        browser.open(f"/admin/trading/block/{block.pk}/change/")
        .follow("log entries")
        .leads_to(f"/admin/trading/logentry/{entry.pk}/change/")
    )
    browser.open(f"/admin/trading/logentry/{entry.pk}/change/").follow("receipt")
    assert browser.leads_to(f"/admin/trading/receipt/{receipt.pk}/change/")
    for url in (
        f"/admin/trading/receipt/{receipt.pk}/change/", f"/admin/gpu/lease/{lease.pk}/change/",
        f"/admin/trading/payment/{Payment.objects.get().pk}/change/",
    ):  # fmt: skip
        assert browser.open(url).leads_to(job), url
    owner = f"/admin/accounts/organisation/{exchange.miner.owner_id}/change/"
    assert browser.open(f"/admin/gpu/miner/{lease.miner_id}/change/").leads_to(owner)
    assert browser.open(owner).follow("miners").leads_to(f"/admin/gpu/miner/{lease.miner_id}/change/")
    assert browser.open(owner).follow("earnings").leads_to(job)


def test_each_amount_of_a_payment_is_shown_once_with_its_unit(settled: str, browser: Browser):
    browser.open(f"/admin/trading/payment/{Payment.objects.get().pk}/change/")

    for name in ("Amount", "Paid", "Fee", "Refunded"):
        assert len(re.findall(rf"{name}\s+\(AIT\)", browser.page)) == 1, name
    assert "1000000" not in browser.page


def test_from_a_booking_to_its_escrow_its_card_and_back(exchange: Exchange, browser: Browser):
    exchange.register()
    market = Market(exchange)
    market.reserve()
    escrow, booking = Escrow.objects.get(), f"/admin/marketplace/gpubooking/{market.id}/change/"
    gpu = GPURegistry.objects.get()

    assert browser.open(booking).follow("escrow").leads_to(f"/admin/trading/escrow/{escrow.pk}/change/")
    assert browser.open(booking).follow("cards").leads_to(f"/admin/gpu/gpuregistry/{gpu.pk}/change/")
    assert browser.open(f"/admin/trading/escrow/{escrow.pk}/change/").leads_to(booking)
    assert browser.open(f"/admin/gpu/gpuregistry/{gpu.pk}/change/").leads_to(booking)
    assert browser.open(f"/admin/gpu/reservation/{market.id}/change/").leads_to(
        f"/admin/gpu/miner/{gpu.miner_id}/change/"
    )
    assert browser.open(booking).follow("history").leads_to(booking)
