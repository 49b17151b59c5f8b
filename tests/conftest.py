"""What every test stands on: all databases, callers of each kind, and messages that arrive."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest

from aitbc.domains import LABELS
from tests.clients import Api

ALL_DATABASES = ["default", *LABELS]
# How long an example takes is no promise of ours: the first one may import scipy on a busy machine.
hypothesis.settings.register_profile("aitbc", deadline=None)
hypothesis.settings.load_profile("aitbc")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "transaction: real commits on every database, for concurrency and rollbacks")
    config.addinivalue_line("markers", "no_db: no database at all")


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Every test may use every database, in transactions that are rolled back unless it asks for real commits."""
    for item in items:
        if item.get_closest_marker("django_db") is None and item.get_closest_marker("no_db") is None:
            real = item.get_closest_marker("transaction") is not None
            item.add_marker(pytest.mark.django_db(databases=ALL_DATABASES, transaction=real))


def is_here(host: str) -> bool:
    return host == "localhost" or (host[:1] in "0123456789:" and ipaddress.ip_address(host).is_loopback)


@pytest.fixture(autouse=True, scope="session")
def _stays_on_this_machine() -> Iterator[None]:
    """No test opens a connection to another machine, whatever it is told to call."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def refuse_outside(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_here(address[0]):
            raise OSError(errno.ENETUNREACH, f"tests stay on this machine; {address[0]} is outside")

    def guarded(sock: socket.socket, address: Any) -> None:
        refuse_outside(sock, address)
        connect(sock, address)

    def guarded_ex(sock: socket.socket, address: Any) -> int:
        refuse_outside(sock, address)
        return connect_ex(sock, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        patch.setattr(socket.socket, "connect_ex", guarded_ex)
        yield


@pytest.fixture(autouse=True)
def _fresh_process_caches() -> Iterator[None]:
    """What a process remembers between requests must not leak from one test to the next."""
    from aitbc.accounts.services import keys
    from aitbc.core import metrics
    from apps.gpu.services import miner_cache

    keys.forget()
    metrics.forget()
    miner_cache.forget()
    yield


@pytest.fixture
def client_api(db: None) -> Api:
    """A client that submits jobs."""
    return Api(owner="client", scopes=("client",))


@pytest.fixture
def other_client_api(db: None) -> Api:
    """Another client, who must see nothing of the first one's."""
    return Api(owner="other-client", scopes=("client",))


@pytest.fixture
def miner_api(db: None) -> Api:
    """A miner's owner."""
    return Api(owner="miner", scopes=("miner",))


@pytest.fixture
def other_miner_api(db: None) -> Api:
    """Another miner's owner."""
    return Api(owner="other-miner", scopes=("miner",))


@pytest.fixture
def operator_api(db: None) -> Api:
    """The exchange's own staff."""
    return Api(owner="operator", scopes=("operator",))


@pytest.fixture
def anonymous_api() -> Api:
    """Somebody without a key."""
    return Api()


@pytest.fixture
def api_for(db: None) -> Callable[..., Api]:
    """Make a caller: api_for("alice", "client", "read")."""
    return lambda owner, *scopes: Api(owner=owner, scopes=scopes)


@pytest.fixture
def drain() -> Callable[[], int]:
    """Relay all messages between all domains until nothing is due."""
    from aitbc.core.messaging.relay import drain

    return drain
