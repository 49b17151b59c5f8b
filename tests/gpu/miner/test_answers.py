"""Answers of the exchange with something wrong in them: one bad command, booking or job stops no other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.gpu.miner import responses
from apps.gpu.miner.client import ExchangeClient
from apps.gpu.miner.job_runner import JobRun
from apps.gpu.miner.signatures import Keyring
from tests.gpu.miner.test_commands import command, reported, signing_exchange  # noqa: F401 the fixture

pytestmark = pytest.mark.no_db

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["job_id", "attempt", "booking_id", "gpu_ids", "ready", "order_id", "kind", "body", "leases", "orders",
             "bookings", "cancel", "checkpoint", "heartbeat_seconds", "poll_seconds", "attention"]
        ),
        inner, max_size=4,
    ),
    max_leaves=15,
)  # fmt: skip


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_any_answer_to_a_heartbeat_is_parsed(answer):
    parsed = responses.parse(answer)

    for seconds in (parsed.heartbeat_seconds, parsed.poll_seconds):
        assert seconds is None or 0 <= seconds <= 300


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_any_job_has_an_interval_and_an_attempt(answer):
    members = answer if isinstance(answer, dict) else {}
    run = JobRun(None, members | {"id": "j1"})

    assert run.heartbeat_seconds > 0 and run.status()["job_id"]
    assert run.attempt is None or run.attempt >= 0


ODD_COMMANDS = [
    None,
    7,
    {},
    {"order_id": "x1"},
    {"order_id": "x2", "kind": ["apply"]},
    {"order_id": "x3", "kind": "apply", "body": "no object", "signature": []},
    {"order_id": "x4", "kind": "benchmark"},
    {"order_id": "x5", "kind": "benchmark", "body": {"benchmark_id": None}},
    {"order_id": {"a": 1}, "kind": "dance"},
]


def test_a_bad_command_does_not_stop_the_one_behind_it(signing_exchange, start):  # noqa: F811
    signing_exchange.keys["keys"] = [None, {}, {"key_id": "k1"}, {"key_id": 5, "public_key": "%"}] + (
        signing_exchange.keys["keys"]
    )
    signing_exchange.on_report = keep_commands(signing_exchange)
    signing_exchange.commands = [*ODD_COMMANDS, command()]
    start(signing_exchange, "--engine", "sleeper")

    assert "no NVIDIA driver" in reported(signing_exchange, "/o1/applied")["refused"]


def keep_commands(exchange):
    """Have the exchange repeat its commands although they were answered."""

    def on_report(path, body):
        exchange.reports.append((path, body))
        return 200, {}

    return on_report


def test_an_engine_that_hangs_hides_no_other(exchange, start, folder):
    entry_points = folder / "plugins" / "faulty_engines-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text(entry_points.read_text() + "hanging = tests.gpu.miner.faulty_engines:Hanging\n")
    exchange.offer("j1", "language", {"text": "guten Morgen"})
    start(exchange, "--engine", "language", "--engine", "hanging")

    assert exchange.delivery_of("j1")[0] == "result"
    assert "hanging" not in exchange.registered[0]["capabilities"]["tasks"]


def test_bad_bookings_and_leases_do_not_stop_the_others(exchange, start):
    exchange.bookings = [None, 5, {"booking_id": "b0", "gpu_ids": 5}, {"booking_id": "b1", "gpu_ids": ["g1"]}]
    exchange.leases = [None, 5, {"job_id": "j1", "attempt": {"a": 1}}, {"job_id": "j1", "attempt": 1}]
    exchange.offer("j1", "sleeper", {})
    start(exchange, "--engine", "sleeper")

    exchange.until(lambda: exchange.progress_of("j1"))
    exchange.bookings = [{"booking_id": "b2", "gpu_ids": ["g1"], "booking": 1}]
    exchange.cancel = ["j1", {"j": 1}]
    assert exchange.delivery_of("j1")[1]["error_code"] == "CANCELLED"
    exchange.until(lambda: exchange.heartbeats[-1].get("bookings_ready") == ["b2"])


def test_a_bad_job_does_not_stop_the_others_of_the_same_answer(exchange, start):
    exchange.offer("j1", "language", {"text": "guten Morgen"})
    good = dict(exchange.queue[0])
    exchange.queue[0]["jobs"] = [
        5,
        {"job_id": "../../x", "task_type": "language"},
        {"job_id": ["a"], "task_type": "language"},
        {"job_id": "j0", "attempt": {"a": 1}, "heartbeat_seconds": "NaN", "task_type": ["language"], "payload": 5},
        good,
    ]
    start(exchange, "--engine", "language", "--slots", "5")

    assert exchange.delivery_of("j1")[0] == "result"
    assert exchange.delivery_of("j0")[1]["error_code"] == "REFUSED"


@pytest.mark.parametrize("answer", [b"5", b'"x"', b"[5]", b'{"jobs": 5}', b"[" * 100_000, b"{", b'{"job_id": NaN}'])
def test_an_answer_to_a_poll_that_is_none_ends_neither_polls_nor_heartbeats(exchange, start, answer):
    exchange.garbled = {"/poll": answer, "/register": answer}
    start(exchange, "--engine", "language", "--wait-seconds", "0")
    exchange.until(lambda: exchange.polls or len(exchange.registered) > 1)
    exchange.garbled = {}
    exchange.offer("j1", "language", {"text": "guten Morgen"})

    assert exchange.delivery_of("j1")[0] == "result"


def test_a_heartbeat_that_is_refused_for_what_it_says_is_sent_with_the_jobs_alone(exchange, start):
    exchange.on_heartbeat = refuse_metrics(exchange, exchange.on_heartbeat)
    exchange.offer("j1", "sleeper", {})
    start(exchange, "--engine", "sleeper")

    beat = exchange.until(lambda: next((beat for beat in exchange.heartbeats if beat["jobs"]), None))

    assert beat["jobs"] == [{"job_id": "j1", "attempt": 1}] and beat["metrics"] == {}
    assert len(exchange.registered) == 1


def refuse_metrics(exchange, answer):
    return lambda body: (400, {"detail": "odd metrics"}) if body["metrics"] else answer(body)


@pytest.mark.parametrize("document", [{}, {"keys": 5}, {"keys": [None, "x", {"key_id": "k"}]}, {"keys": {"a": 1}}])
def test_keys_that_are_none_verify_nothing(document):
    keyring = Keyring(lambda: document)
    assert keyring.verify({}, {"alg": "Ed25519", "key_id": "k", "sig": "%"}) is False


def test_a_name_that_no_header_carries_is_not_taken_from_the_exchange(exchange):
    exchange.garbled = {"/register": b'{"miner_id": "K\xc3\xb6ln\\n"}'}
    client = ExchangeClient(exchange.url, "the-key", "mine")
    client.register({}, 1)
    client.close()
    assert client.miner_id == "mine"
