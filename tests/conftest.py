"""What every test stands on: all databases, callers of each kind, and messages that arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aitbc.domains import LABELS
from tests.clients import Api

ALL_DATABASES = ["default", *LABELS]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "transaction: real commits on every database, for concurrency and rollbacks")
    config.addinivalue_line("markers", "no_db: no database at all")


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Every test may use every database, in transactions that are rolled back unless it asks for real commits."""
    for item in items:
        if item.get_closest_marker("django_db") is None and item.get_closest_marker("no_db") is None:
            real = item.get_closest_marker("transaction") is not None
            item.add_marker(pytest.mark.django_db(databases=ALL_DATABASES, transaction=real))


@pytest.fixture(autouse=True)
def _fresh_process_caches() -> Iterator[None]:
    """What a process remembers between requests must not leak from one test to the next."""
    from aitbc.accounts.services import keys
    from apps.gpu.services import memory

    keys.forget()
    memory.forget()
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
