"""Long polls against real web server processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from tests.serve.conftest import Site, until


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def poll(site: Site, *topics: str, wait: float = 10, method: str = "POST", **params: str) -> httpx.Response:
    headers = {"Authorization": params.pop("authorization", "Bearer me")}
    query = {"topic": topics or ("work:1",), "wait": wait, **params}
    return httpx.request(method, f"{site.url}/poll", params=query, headers=headers, timeout=30)


def parked(site: Site, clients: ThreadPoolExecutor, *topics: str, **params: str) -> Future[httpx.Response]:
    """A poll that has been run once in vain; runs that were woken meanwhile are not taken for its own."""

    def first_runs() -> int:
        return sum(line.endswith("False") for line in site.lines("runs"))

    before = first_runs()
    future = clients.submit(poll, site, *topics, **params)
    until(lambda: first_runs() > before)
    return future


def vanishing(site: Site, **params: str) -> None:
    """A client that closes its connection after its poll was run once."""
    runs = len(site.lines("runs"))
    query = "&".join(f"{name}={value}" for name, value in {"topic": "work:1", "wait": "20", **params}.items())
    with site.raw(f"POST /poll?{query} HTTP/1.1\nHost: x\nAuthorization: Bearer gone\nContent-Length: 0\n\n"):
        site.until_lines("claimed" if "latch" in params else "runs", 1 if "latch" in params else runs + 1)


def test_a_poll_is_answered_as_soon_as_work_arrives(site: Site, clients: ThreadPoolExecutor) -> None:
    waiting = parked(site, clients, "work:7", "work:1")

    site.push("work:1")

    answer = waiting.result()
    assert answer.status_code == 200 and answer.json()["job"].startswith("work:1~")
    assert answer.elapsed.total_seconds() < 9


def test_work_that_is_there_is_handed_out_at_once(site: Site) -> None:
    site.push("work:1")

    assert poll(site).status_code == 200


def test_an_empty_poll_ends_with_the_views_own_empty_answer(site: Site) -> None:
    posted = poll(site, wait=0.2)
    got = poll(site, wait=0.2, method="GET")

    assert (posted.status_code, posted.content) == (204, b"")
    assert (got.status_code, got.json()) == (200, None)
    assert posted.elapsed.total_seconds() >= 0.2
    assert not [name for name in [*posted.headers, *got.headers] if name.startswith("x-aitbc")]


def test_no_wait_is_no_hold(site: Site) -> None:
    assert poll(site, wait=0).status_code == 204
    assert site.lines("runs") == [" False"]


def test_head_and_options_never_wait(site: Site) -> None:
    for method in ("HEAD", "OPTIONS"):
        answer = poll(site, method=method, wait=20)
        assert answer.status_code == 204 and answer.elapsed.total_seconds() < 5


def test_k_jobs_wake_k_waiters_first_come_first_served(site: Site, clients: ThreadPoolExecutor) -> None:
    waiting = [parked(site, clients, name=str(n)) for n in range(6)]

    site.push("work:1")
    site.push("work:1")

    until(lambda: sum(future.done() for future in waiting) == 2)
    assert not any(future.done() for future in waiting[4:]), "the last to come were served before the first"
    for _ in range(4):
        site.push("work:1")
    assert len({future.result().json()["job"] for future in waiting}) == 6


def test_one_job_wakes_no_herd(site: Site, clients: ThreadPoolExecutor) -> None:
    waiting = [parked(site, clients) for _ in range(10)]

    started, runs = time.monotonic(), len(site.lines("runs"))
    site.push("work:1")
    until(lambda: any(future.done() for future in waiting))

    sweeps = (time.monotonic() - started) / 0.8 + 1
    assert len(site.lines("runs")) - runs <= 1 + sweeps
    for _ in range(9):
        site.push("work:1")
    assert all(future.result().status_code == 200 for future in waiting)


def test_a_lost_wake_up_heals(site: Site, clients: ThreadPoolExecutor) -> None:
    waiting = parked(site, clients)

    site.push("work:1", silent=True)

    assert waiting.result().status_code == 200


def test_two_workers_hand_out_every_job_once(two_workers: Site, clients: ThreadPoolExecutor) -> None:
    waiting = [parked(two_workers, clients, wait="20") for _ in range(12)]

    for _ in range(12):
        two_workers.push("work:1")

    assert len({future.result().json()["job"] for future in waiting}) == 12


def test_a_client_that_left_while_waiting_gets_nothing(site: Site, clients: ThreadPoolExecutor) -> None:
    vanishing(site)
    alive = parked(site, clients)

    site.push("work:1")

    assert alive.result().status_code == 200
    assert site.lines("released") == []


def test_a_client_that_left_during_the_claim_gives_the_job_back(site: Site, clients: ThreadPoolExecutor) -> None:
    site.push("work:1")
    vanishing(site, latch="latch")
    heir = parked(site, clients)

    until(lambda: len(site.lines("claimed")) == 1)
    (site.folder / "latch").touch()

    assert heir.result().status_code == 200
    job = heir.result().json()["job"]
    assert site.lines("released") == [f"{job} Bearer gone"]


def test_a_client_that_left_during_a_woken_claim_gives_the_job_back(site: Site, clients: ThreadPoolExecutor) -> None:
    with site.raw("POST /poll?topic=work:1&wait=20&latch=latch HTTP/1.1\nHost: x\nContent-Length: 0\n\n"):
        site.until_lines("runs", 1)
        site.push("work:1")
        site.until_lines("claimed", 1)
    heir = parked(site, clients)

    (site.folder / "latch").touch()

    assert heir.result().status_code == 200
    assert len(site.lines("released")) == 1


def test_the_wake_up_of_a_refused_client_is_handed_on(site: Site, clients: ThreadPoolExecutor) -> None:
    """The key of the first in the queue was revoked while it waited."""
    first = parked(site, clients, authorization="Bearer revoked")
    second = parked(site, clients)
    (site.folder / "revoked").touch()

    site.push("work:1")

    assert second.result().status_code == 200
    assert first.result().status_code in (204, 401)


def test_a_replay_is_known_to_the_view_and_to_nobody_else(site: Site, clients: ThreadPoolExecutor) -> None:
    waiting = parked(site, clients)
    site.push("work:1")
    waiting.result()

    assert site.lines("runs")[0] == " False" and site.lines("runs")[-1] == " True"


def test_internal_routes_are_closed_from_outside(site: Site) -> None:
    headers = {"X-Aitbc-Internal": "1", "aitbc.internal": "1"}

    assert httpx.post(f"{site.url}/release", params={"job": "x"}, headers=headers).status_code == 404


def test_sigterm_answers_waiting_polls_at_once(site: Site, clients: ThreadPoolExecutor) -> None:
    waiting = [parked(site, clients, wait="30") for _ in range(5)]
    busy = clients.submit(httpx.get, f"{site.url}/latched", timeout=30)
    site.until_lines("claimed", 1)

    stopped = clients.submit(site.stop)

    assert [future.result().status_code for future in waiting] == [204] * 5
    assert not busy.done()
    (site.folder / "latch").touch()
    assert busy.result().text == "finished"
    assert stopped.result() == 0
