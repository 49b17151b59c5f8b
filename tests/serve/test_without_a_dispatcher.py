"""The same views under plain WSGI: nobody waits, and nothing internal is shown or believed."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from aitbc.core import long_polling
from aitbc.core.long_polling import hold, stream_page, undo_with


def test_a_hold_is_the_empty_answer() -> None:
    assert hold(topics=["work:1"], seconds=20).status_code == 204
    assert hold(topics=["work:1"], seconds=20, empty=HttpResponse(b"null")).content == b"null"


def test_a_hold_lasts_a_minute_at_most_and_none_is_no_hold() -> None:
    assert '"seconds": 60.0' in hold(topics=["work:1"], seconds=3600)[long_polling.HOLD]
    assert long_polling.HOLD not in hold(topics=["work:1"], seconds=0)


def test_a_stream_is_one_page() -> None:
    page = stream_page(b"id: 1\ndata: x\n\n", ["job:1"], "1")

    assert page.content == b"id: 1\ndata: x\n\n" and page["Content-Type"].startswith("text/event-stream")


def test_internal_headers_stay_inside() -> None:
    answer = undo_with(hold(topics=["work:1"], seconds=20), "/release")

    assert long_polling.public([*answer.items(), ("Allow", "GET")]) == [
        ("Content-Type", answer["Content-Type"]),
        ("Allow", "GET"),
    ]


@pytest.mark.parametrize("predicate", [long_polling.is_internal, long_polling.is_replay])
def test_a_request_cannot_claim_to_be_internal(predicate: Any) -> None:
    headers = {"X-Aitbc-Internal": "1", "X-Aitbc-Replay": "1", "aitbc.internal": "1", "aitbc.replay": "1"}

    assert not predicate(RequestFactory().get("/", headers=headers))
