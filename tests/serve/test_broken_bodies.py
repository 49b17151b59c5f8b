"""Bodies that are cut short, lie about their length or are too long, against a real web server process."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.serve.conftest import Site, start

pytestmark = pytest.mark.xdist_group("broken_bodies")  # one server for the whole file


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = start(tmp_path_factory.mktemp("s"))
    yield site
    site.stop()


def answer_of(site: Site, request: str, *, half: bool = False) -> str:
    """All that the server sends until it closes; `half`: we say before that we send no more."""
    with site.raw(request) as connection:
        if half:
            connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


HEAD = "POST /echo HTTP/1.1\nHost: x\n"
BROKEN = {
    "shorter than announced": f"{HEAD}Content-Length: 100\n\nabcde",
    "nothing of it": f"{HEAD}Content-Length: 100\n\n",
    "chunks without an end": f"{HEAD}Transfer-Encoding: chunked\n\n5\nabcde\n",
    "no chunk at all": f"{HEAD}Transfer-Encoding: chunked\n\nZZ\nabcde\n0\n\n",
}


@pytest.mark.parametrize("request_", BROKEN.values(), ids=BROKEN.keys())
def test_a_body_cut_short_is_400_and_reaches_no_view(shared: Site, request_: str) -> None:
    answer = answer_of(shared, request_, half=True)

    assert answer.startswith("HTTP/1.1 400 "), answer
    assert "application/problem+json" in answer and "ended before its announced length" in answer
    assert "connection: close" in answer and "x-request-id: " in answer


def test_a_refused_body_is_not_asked_for(shared: Site) -> None:
    """`Expect: 100-continue` is answered by the refusal alone."""
    answer = answer_of(shared, f"{HEAD}Content-Length: 99999999\nExpect: 100-continue\n\n")

    assert answer.startswith("HTTP/1.1 413 "), answer
    assert "100 Continue" not in answer and "connection: close" in answer


def test_two_lengths_leave_no_second_request_behind(shared: Site) -> None:
    """RFC 9112 §6.3: chunks alone count, and the connection is closed after the answer: nothing can be smuggled."""
    hidden = "POST /echo HTTP/1.1\nHost: x\nContent-Length: 2\n\nhi"

    answer = answer_of(shared, f"{HEAD}Content-Length: 4\nTransfer-Encoding: chunked\n\n5\nabcde\n0\n\n{hidden}")

    assert answer.count("HTTP/1.1 ") == 1 and "connection: close" in answer
    assert '"size": 5' in answer


@pytest.mark.parametrize("lengths", ["5\nContent-Length: 6", "-5", "+5", "5_0", "0x5", "5, 6"])
def test_a_length_that_is_none_is_400(shared: Site, lengths: str) -> None:
    assert answer_of(shared, f"{HEAD}Content-Length: {lengths}\n\nabcdef").startswith("HTTP/1.1 400 ")
