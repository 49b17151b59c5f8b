"""Bodies, headers and large answers through the bridge, against a real web server process."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serve.conftest import Site, launch, start, until

SIXTEEN_MIB = b"\x00\x01\xff\x80" * (4 << 20)

pytestmark = pytest.mark.xdist_group("ordinary_requests")  # one server for the whole file


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = start(tmp_path_factory.mktemp("s"))
    yield site
    site.stop()


def chunks(body: bytes) -> Iterator[bytes]:
    for start_at in range(0, len(body), 100_000):
        yield body[start_at : start_at + 100_000]


@pytest.mark.parametrize("size", [0, 1, 1 << 20, 16 << 20])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_arrives_whole(shared: Site, size: int, chunked: bool) -> None:
    body = SIXTEEN_MIB[:size]

    answer = httpx.post(f"{shared.url}/echo", content=chunks(body) if chunked else body, timeout=30).json()

    assert (answer["size"], answer["sha256"]) == (size, hashlib.sha256(body).hexdigest())


def test_a_declared_oversize_is_refused_before_it_is_read(shared: Site) -> None:
    with shared.raw("POST /echo HTTP/1.1\nHost: x\nContent-Length: 99999999\n\n") as connection:
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer and b'"code": "too_large"' in answer


def test_a_chunked_oversize_is_refused(shared: Site) -> None:
    with shared.raw("POST /echo HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n") as connection:
        part = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
        try:
            for _ in range(24):
                connection.sendall(part)
        except OSError:
            pass  # the server had enough and closed
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_paths_and_queries_arrive_as_sent(shared: Site) -> None:
    answer = httpx.get(f"{shared.url}/echo?a=%C3%A9&b=%2F+1", headers=[("X-Two", "1"), ("X-Two", "2")]).json()

    assert answer["query"] == "a=%C3%A9&b=%2F+1" and answer["accept"] == "1,2"
    assert httpx.get(f"{shared.url}/nothing%FF").status_code == 404


@pytest.mark.parametrize("name", ["X-Aitbc-Hold", "x-aitbc-undo", "X_Aitbc_Hold", "X-Aitbc_Hold"])
def test_internal_headers_are_not_accepted_from_outside(shared: Site, name: str) -> None:
    answer = httpx.get(f"{shared.url}/echo", headers={name: "1"}).json()

    assert answer["inside"] == [] and answer["flags"] == [False, False]


def test_a_large_answer_arrives_whole(shared: Site) -> None:
    answer = httpx.get(f"{shared.url}/big?parts=100")

    assert len(answer.content) == 100 * 65536


def test_head_has_no_body(shared: Site) -> None:
    answer = httpx.head(f"{shared.url}/echo")

    assert answer.status_code == 200 and answer.content == b"" and int(answer.headers["content-length"]) > 0


def test_a_slow_reader_is_not_read_ahead_and_a_leaver_is_noticed(site: Site) -> None:
    with site.raw("GET /big?parts=4000 HTTP/1.1\nHost: x\n\n") as connection:
        connection.recv(1)
        assert httpx.get(f"{site.url}/echo").status_code == 200
        assert len(site.lines("parts")) < 2000, "the whole answer was made while nobody read it"

    until(lambda: site.lines("closed"))
    assert len(site.lines("parts")) < 4000


def test_slow_readers_hold_no_thread(site: Site) -> None:
    readers = [site.raw("GET /big?parts=4000 HTTP/1.1\nHost: x\n\n") for _ in range(8)]
    for reader in readers:
        reader.recv(1)

    assert httpx.get(f"{site.url}/echo").status_code == 200

    for reader in readers:
        reader.close()


def test_a_killed_worker_is_replaced(two_workers: Site) -> None:
    children = Path(f"/proc/{two_workers.process.pid}/task/{two_workers.process.pid}/children")
    before = children.read_text().split()

    os.kill(int(before[0]), signal.SIGKILL)

    until(lambda: len(set(children.read_text().split()) - set(before)) == 1)

    def answers() -> bool:
        try:
            return httpx.get(f"{two_workers.url}/echo").status_code == 200
        except httpx.TransportError:
            return False

    assert until(answers)


def test_a_server_stopped_while_its_workers_load_is_gone_at_once(tmp_path: Path) -> None:
    (tmp_path / "boot").touch()
    site = launch(tmp_path, workers=2)
    until(lambda: len(list(tmp_path.glob("booting-*"))) == 2, 30)

    site.stop()

    assert site.process.returncode is not None
