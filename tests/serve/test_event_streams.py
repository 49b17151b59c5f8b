"""Event streams against real web server processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.serve.conftest import Site


@contextmanager
def stream(site: Site, **headers: str) -> Iterator[Iterator[str]]:
    with httpx.stream("GET", f"{site.url}/events", headers=headers, timeout=30) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert not [name for name in answer.headers if name.startswith("x-aitbc") or name == "content-length"]
        yield (line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: "))


def test_events_arrive_while_the_stream_is_open(site: Site) -> None:
    site.emit("one")

    with stream(site) as lines:
        assert next(lines) == "one"
        site.emit("two")
        assert next(lines) == "two"
        site.emit("end")
        assert list(lines) == ["end"]


def test_a_reconnect_goes_on_after_the_cursor(site: Site) -> None:
    for line in ("one", "two", "three", "end"):
        site.emit(line)

    with stream(site, **{"Last-Event-ID": "2"}) as lines:
        assert list(lines) == ["three", "end"]


def test_a_stream_survives_a_short_outage_of_the_service(site: Site) -> None:
    with stream(site) as lines:
        (site.folder / "broken").touch()
        site.emit("one")
        (site.folder / "broken").unlink()
        site.emit("end")
        assert list(lines) == ["one", "end"]


def test_a_burst_travels_in_few_pages_and_loses_nothing(site: Site) -> None:
    with stream(site) as lines:
        for number in range(50):
            site.emit(str(number))
        site.emit("end")
        assert list(lines) == [*map(str, range(50)), "end"]


def test_sigterm_closes_streams(site: Site) -> None:
    with stream(site) as lines:
        site.emit("one")
        assert next(lines) == "one"

        assert site.stop() == 0

        assert list(lines) == []


def test_many_streams_leave_ordinary_requests_undisturbed(site: Site) -> None:
    with httpx.Client() as client:
        requests = [site.raw("GET /events HTTP/1.1\nHost: x\n\n") for _ in range(30)]
        for _ in range(10):
            site.emit("more")
            assert client.get(f"{site.url}/echo").elapsed.total_seconds() < 2
        for connection in requests:
            connection.close()
