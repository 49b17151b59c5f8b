"""Behind a proxy each caller has an address of its own, and nobody can borrow another's."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application

from aitbc.core import throttling
from aitbc.serve.proxies import trust_proxies_asgi, trust_proxies_wsgi

PROXIES = ["127.0.0.1", "10.0.0.0/8"]


class Caller:
    """Sends requests as a proxy hands them on: from the peer's address, with the header that has grown on the way."""

    def __init__(self) -> None:
        self.application = trust_proxies_wsgi(get_wsgi_application())

    def post(self, path: str, forwarded: str, *, peer: str = "127.0.0.1", body: str = "", **headers: str) -> int:
        statuses: list[str] = []
        environ = {
            "REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "testserver",
            "SERVER_PORT": "80", "HTTP_HOST": "testserver", "REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded,
            "wsgi.input": io.BytesIO(body.encode()), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http",
            "CONTENT_LENGTH": str(len(body)), **headers,
        }  # fmt: skip
        b"".join(self.application(environ, lambda status, *_: statuses.append(status)))
        # Not closed: that would close the connection which holds the test's transaction.
        return int(statuses[0][:3])

    def with_bad_key(self, forwarded: str, **options: Any) -> int:
        return self.post("/ai/jobs", forwarded, HTTP_AUTHORIZATION="Bearer aitbc_nobody_has_this", **options)


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.AITBC_LIMITS = {**settings.AITBC_LIMITS, "bad_keys": 2}
    settings.TRUSTED_PROXIES = PROXIES
    throttling.forget()
    yield
    throttling.forget()


def exhaust(caller: Caller, forwarded: str) -> None:
    statuses = [caller.with_bad_key(forwarded) for _ in range(4)]
    assert statuses[0] == 401 and statuses[-1] == 429


def test_callers_behind_a_trusted_proxy_have_limits_of_their_own():
    caller = Caller()
    exhaust(caller, "203.0.113.1")

    assert caller.with_bad_key("203.0.113.2") == 401


def test_what_a_caller_writes_itself_into_the_header_changes_nothing():
    caller = Caller()
    exhaust(caller, "203.0.113.1")

    assert caller.with_bad_key("198.51.100.9, 203.0.113.1") == 429
    assert caller.with_bad_key("198.51.100.9, 203.0.113.1, 10.1.2.3") == 429  # another trusted hop on the way


def test_a_peer_that_is_no_trusted_proxy_is_the_caller_whatever_it_says():
    caller = Caller()
    exhaust(caller, "203.0.113.1")

    assert [caller.with_bad_key(f"198.51.100.{n}", peer="192.0.2.7") for n in range(4)][-1] == 429


def test_without_trusted_proxies_the_header_is_ignored(settings):
    settings.TRUSTED_PROXIES = []
    caller = Caller()
    exhaust(caller, "203.0.113.1")

    assert caller.with_bad_key("203.0.113.2") == 429


def test_the_login_lockout_counts_by_the_same_address(settings):
    """Five failures from one address lock out that address, not everybody behind the proxy."""
    caller = Caller()
    form = "username=admin&password=wrong"
    kind = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}

    def login(forwarded: str) -> int:
        token = {"HTTP_COOKIE": "csrftoken=" + "a" * 32, "HTTP_X_CSRFTOKEN": "a" * 32}
        return caller.post("/admin/login/", forwarded, body=form, **kind, **token)

    assert [login("203.0.113.1") for _ in range(6)][-1] == 429
    assert login("203.0.113.2") == 200


def test_the_server_itself_hands_on_the_callers_address():
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    scope = {
        "type": "http",
        "client": ("127.0.0.1", 5000),
        "headers": [(b"x-forwarded-for", b"198.51.100.9, 203.0.113.1")],
    }
    asyncio.run(trust_proxies_asgi(app)(scope, None, None))

    assert seen == ["203.0.113.1"]
