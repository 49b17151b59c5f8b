"""Behind a proxy each caller has an address of its own, and nobody can borrow another's."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from django.test import Client
from django.test.client import ClientHandler

from aitbc.core import throttling
from aitbc.serve.proxies import client_address, parse_networks, trust_proxies

PROXIES = ["127.0.0.1", "10.0.0.0/8"]


class Proxied(ClientHandler):
    """The project under the wrapper of aitbc/wsgi.py, without the signals that would end the test's transaction."""

    def __call__(self, environ: dict[str, Any]) -> Any:
        return trust_proxies(lambda env, _: super(Proxied, self).__call__(env))(environ, None)


class Caller:
    """Sends requests as a proxy hands them on: from the peer's address, with the header that has grown on the way."""

    def __init__(self) -> None:
        self.client = Client()
        self.client.handler = Proxied(enforce_csrf_checks=False)

    def post(self, path: str, forwarded: str, *, peer: str = "127.0.0.1", **options: Any) -> int:
        return self.client.post(path, REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded, **options).status_code

    def with_bad_key(self, forwarded: str, **options: Any) -> int:
        return self.post("/ai/jobs", forwarded, HTTP_AUTHORIZATION="Bearer aitbc_nobody_has_this", **options)


ADDRESSES = (f"203.0.113.{n}" for n in count(1))


@pytest.fixture
def address() -> str:
    """A caller whom no other test has used up."""
    return next(ADDRESSES)


@pytest.fixture
def other_address() -> str:
    return next(ADDRESSES)


@pytest.fixture(autouse=True)
def _limits(settings, monkeypatch):
    monkeypatch.setattr(throttling, "WINDOW", 3600)  # none ends while a test runs
    settings.AITBC_LIMITS = {**settings.AITBC_LIMITS, "bad_keys": 2}
    settings.TRUSTED_PROXIES = PROXIES
    throttling.forget()
    yield
    throttling.forget()


def exhaust(caller: Caller, forwarded: str) -> None:
    statuses = [caller.with_bad_key(forwarded) for _ in range(4)]
    assert statuses[0] == 401 and statuses[-1] == 429


def test_callers_behind_a_trusted_proxy_have_limits_of_their_own(address, other_address):
    caller = Caller()
    exhaust(caller, address)

    assert caller.with_bad_key(other_address) == 401


def test_what_a_caller_writes_itself_into_the_header_changes_nothing(address):
    caller = Caller()
    exhaust(caller, address)

    assert caller.with_bad_key(f"198.51.100.9, {address}") == 429
    assert caller.with_bad_key(f"198.51.100.9, {address}, 10.1.2.3") == 429  # another trusted hop on the way


def test_a_peer_that_is_no_trusted_proxy_is_the_caller_whatever_it_says(address):
    caller = Caller()
    exhaust(caller, address)

    assert [caller.with_bad_key(f"198.51.100.{n}", peer="192.0.2.7") for n in range(4)][-1] == 429


def test_without_trusted_proxies_the_header_is_ignored(settings, address, other_address):
    settings.TRUSTED_PROXIES = []
    caller = Caller()
    exhaust(caller, address)

    assert caller.with_bad_key(other_address) == 429


def test_the_login_lockout_counts_by_the_same_address(address, other_address):
    """Five failures from one address lock out that address, not everybody behind the proxy."""
    caller = Caller()

    def login(forwarded: str) -> int:
        return caller.post("/admin/login/", forwarded, data={"username": "admin", "password": "wrong"})

    assert [login(address) for _ in range(6)][-1] == 429
    assert login(other_address) == 200


@pytest.mark.no_db
@pytest.mark.parametrize(
    ("peer", "header", "caller"),
    [
        ("127.0.0.1", "203.0.113.1", "203.0.113.1"),
        ("127.0.0.1", "198.51.100.9, 203.0.113.1", "203.0.113.1"),
        ("127.0.0.1", "198.51.100.9,203.0.113.1 , 10.1.2.3", "203.0.113.1"),
        ("127.0.0.1", "203.0.113.1:4711", "203.0.113.1"),  # some proxies write the port too
        ("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("127.0.0.1", "::FFFF:203.0.113.1", "203.0.113.1"),
        ("127.0.0.1", "fe80::1%eth0", "fe80::1"),
        ("127.0.0.1", "garbage", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.1, garbage", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.1, garbage, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "10.0.0.9, 10.1.2.3", "10.0.0.9"),  # nobody but proxies: the first of them
        ("192.0.2.7", "203.0.113.1", "192.0.2.7"),
        ("", "203.0.113.1", ""),
    ],
)
def test_the_callers_address(peer, header, caller):
    assert client_address(peer, header, parse_networks(PROXIES)) == caller


def test_a_caller_with_a_network_of_its_own_has_one_limit(settings):
    """A /64 of IPv6 is one customer's: each of its addresses is no new caller."""
    caller = Caller()
    exhaust(caller, "2001:db8:0:1::1")

    assert caller.with_bad_key("2001:db8:0:1:ffff::2") == 429
    assert caller.with_bad_key("2001:db8:0:2::1") == 401
