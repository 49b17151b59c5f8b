"""Every response is closed once, and no database connection outlives its request, against a real server process."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.serve.conftest import Site, until

SMALL, LARGE, HUGE = 1000, 1 << 20, 64 << 20


def get(site: Site, **params: object) -> httpx.Response:
    return httpx.get(f"{site.url}/measured", params={name: str(value) for name, value in params.items()}, timeout=30)


def open_connections(site: Site) -> int:
    return int(httpx.get(f"{site.url}/open-connections").json()["open"])


def all_closed(site: Site, runs: int) -> bool:
    """As many responses were closed as requests were run, none twice."""
    ran, closed = site.lines("ran"), site.lines("closed")
    assert len(closed) <= len(ran)
    return len(ran) == len(closed) >= runs


def leaving(site: Site, query: str) -> None:
    """A client that reads the first bytes of the response and closes its connection."""
    with site.raw(f"GET /measured?{query} HTTP/1.1\nHost: x\n\n") as connection:
        connection.recv(1)


@pytest.mark.parametrize("size", [0, SMALL, 256 << 10, LARGE])
def test_a_response_in_memory_is_closed_in_the_thread_that_ran_it(site: Site, size: int) -> None:
    for _ in range(12):
        assert len(get(site, kind="plain", size=size).content) == size

    until(lambda: all_closed(site, 12))
    assert site.lines("ran") == site.lines("closed")
    assert open_connections(site) == 0


@pytest.mark.parametrize("size", [65536, LARGE])
def test_a_streaming_response_is_closed_and_leaves_no_connection(site: Site, size: int) -> None:
    for _ in range(12):
        assert len(get(site, kind="streaming", size=size).content) == size

    until(lambda: all_closed(site, 12))
    assert open_connections(site) == 0


@pytest.mark.parametrize("kind", ["plain", "streaming"])
def test_a_body_on_its_way_to_a_slow_reader_holds_no_connection(site: Site, kind: str) -> None:
    readers = [site.raw(f"GET /measured?kind={kind}&size={HUGE} HTTP/1.1\nHost: x\n\n") for _ in range(3)]
    for reader in readers:
        reader.recv(1)

    until(lambda: open_connections(site) == 0)
    assert len(site.lines("closed")) == (3 if kind == "plain" else 0)

    for reader in readers:
        reader.close()
    until(lambda: all_closed(site, 3))
    assert open_connections(site) == 0


@pytest.mark.parametrize("kind", ["plain", "streaming"])
def test_a_client_gone_in_the_middle_of_a_body(site: Site, kind: str) -> None:
    leaving(site, f"kind={kind}&size={HUGE}")

    until(lambda: all_closed(site, 1))
    assert open_connections(site) == 0


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_every_page_of_a_stream_arrives_whole_and_is_closed(site: Site, size: int) -> None:
    with httpx.stream("GET", f"{site.url}/measured?kind=page&size={size}", timeout=30) as response:
        lines = response.iter_lines()
        pages = [next(line for line in lines if line), next(line for line in lines if line)]
        assert [len(page) for page in pages] == [size + 2] * 2
        assert open_connections(site) == 0
        (site.folder / "done").touch()
        assert [len(line) for line in lines if line][-1] == size + 2

    until(lambda: all_closed(site, 3))
    assert open_connections(site) == 0


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_reader_that_leaves_a_stream(site: Site, size: int) -> None:
    leaving(site, f"kind=page&size={size}")
    time.sleep(0.5)

    until(lambda: all_closed(site, 1))
    assert open_connections(site) == 0


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_each_run_of_a_held_request_is_closed(site: Site, size: int) -> None:
    site.emit("one")  # a wake-up or two on the way

    assert len(get(site, kind="hold", size=size).content) == size

    until(lambda: all_closed(site, 1))
    assert site.lines("ran") == site.lines("closed")
    assert open_connections(site) == 0


def test_a_client_that_leaves_while_it_is_held(site: Site) -> None:
    with site.raw(f"GET /measured?kind=hold&size={LARGE} HTTP/1.1\nHost: x\n\n"):
        site.until_lines("ran", 1)

    until(lambda: all_closed(site, 1))
    assert open_connections(site) == 0


def test_head_of_a_streaming_response_closes_it(site: Site) -> None:
    response = httpx.head(f"{site.url}/measured?kind=streaming&size={LARGE}")

    assert response.content == b""
    until(lambda: all_closed(site, 1))
    assert open_connections(site) == 0
