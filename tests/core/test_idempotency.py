"""An Idempotency-Key: one effect, one answer."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from aitbc.core.db import atomic
from aitbc.core.idempotency import _locked
from apps.trading.models import IdempotencyRecord, Outbox

pytestmark = pytest.mark.urls("tests.core.routes")


def effects(name: str) -> int:
    return Outbox.objects.filter(key=name).count()


def test_the_same_request_again_is_answered_and_not_repeated(client_api):
    first = client_api.post("/echo/once", {"name": "a", "amount": "1.5"}, idempotency_key="k")
    second = client_api.post("/echo/once", b'{ "amount":"1.5", "name":"a" }', idempotency_key="k")

    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert second["Idempotency-Replayed"] == "true"
    assert effects("a") == 1


def test_without_a_key_each_request_counts(client_api):
    assert client_api.post("/echo/once", {"name": "a"}).json() != client_api.post("/echo/once", {"name": "a"}).json()


def test_another_body_or_path_under_the_same_key_is_422(client_api):
    client_api.post("/echo/once/1", {"name": "a"}, idempotency_key="k")

    for path, name in (("/echo/once/1", "b"), ("/echo/once/2", "a")):
        answer = client_api.post(path, {"name": name}, idempotency_key="k")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert effects("b") == 0


def test_keys_of_others_and_of_other_routes_are_other_keys(client_api, other_client_api):
    for api, path in ((client_api, "/echo/once"), (other_client_api, "/echo/once"), (client_api, "/echo/once/1")):
        assert api.post(path, {"name": "a"}, idempotency_key="k").status_code == 201

    assert effects("a") == 3


def test_a_refused_request_leaves_nothing_and_may_be_tried_again(client_api):
    for _ in range(2):
        assert client_api.post("/echo/once", {"name": "clash"}, idempotency_key="k").status_code == 409

    assert effects("clash") == 0
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("key", ["", "a" * 256, "a\tb", "é"])
def test_keys_that_are_none(client_api, key):
    assert client_api.post("/echo/once", {"name": "a"}, idempotency_key=key).status_code == 400


@pytest.mark.transaction
def test_while_the_first_is_in_flight_the_second_is_told_to_wait(client_api):
    name = "\n".join([str(client_api.owner_id), "POST echo/once", "k"])
    with atomic(IdempotencyRecord):
        assert _locked(IdempotencyRecord, name)
        answers: list = []
        other = threading.Thread(target=lambda: answers.append(request_elsewhere(client_api)))
        other.start()
        other.join()

    assert answers[0].status_code == 409
    assert "Retry-After" in answers[0]
    assert client_api.post("/echo/once", {"name": "a"}, idempotency_key="k").status_code == 201


@pytest.mark.transaction
def test_twenty_at_once_have_one_effect(client_api):
    answers: list = []
    barrier = threading.Barrier(20)

    def call() -> None:
        barrier.wait()
        answers.append(request_elsewhere(client_api))

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert effects("a") == 1


def request_elsewhere(api):
    try:
        return api.post("/echo/once", {"name": "a"}, idempotency_key="k")
    finally:
        connections.close_all()


@pytest.mark.parametrize(("one", "other"), [("0.5", "0.50"), ("1", "1.0"), ("100", "1e2"), ("0", "-0.0")])
def test_one_number_written_twice_is_the_same_body(client_api, one, other):
    for number in (one, other):
        body = f'{{"name": "a", "extra": {{"x": {number}}}}}'.encode()
        assert client_api.post("/echo/once", body, idempotency_key="k").status_code == 201

    assert effects("a") == 1


@pytest.mark.parametrize(("one", "other"), [("0.5", '"0.5"'), ("1", "true"), ("1", '"1"'), ("0", "null"), ("[]", "{}")])
def test_values_of_another_kind_are_another_body(client_api, one, other):
    client_api.post("/echo/once", f'{{"name": "a", "extra": {{"x": {one}}}}}'.encode(), idempotency_key="k")

    answer = client_api.post("/echo/once", f'{{"name": "a", "extra": {{"x": {other}}}}}'.encode(), idempotency_key="k")

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")


def test_amounts_that_no_double_can_tell_apart_are_different_bodies(client_api):
    for amount, status in (("1234567890123.456789", 201), ("1234567890123.456788", 422)):
        body = f'{{"name": "a", "amount": {amount}}}'.encode()
        assert client_api.post("/echo/once", body, idempotency_key="k").status_code == status


def test_numbers_that_differ_in_their_last_digit_are_different_bodies(client_api):
    for last, status in (("1", 201), ("2", 422)):
        body = f'{{"name": "a", "extra": {{"x": 1.{"0" * 40}{last}}}}}'.encode()
        assert client_api.post("/echo/once", body, idempotency_key="k").status_code == status
