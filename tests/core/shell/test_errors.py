"""How commands end: one JSON object on stderr under --json, words without class names otherwise, quiet on Ctrl-C."""

from __future__ import annotations

import http.server
import json
import signal
import threading

import pytest

from aitbc.core.cli.errors import ApiProblem, in_words
from tests.shell import ended, program

NOWHERE = "http://127.0.0.1:1"


def only_json(err: str) -> dict:
    (line,) = err.splitlines()
    return json.loads(line)


@pytest.mark.no_db
@pytest.mark.parametrize(
    "arguments",
    [
        ("job", "list", "--limit", "many"),
        ("job", "--nonsense"),
        ("job",),
        ("market", "quote"),
        ("gpu", "offer", "1", "1", "1", "--specs", "[1]"),
        ("miner", "backend"),
        ("key", "create"),
        ("ledger", "statement"),
        ("audit", "--nonsense"),
        ("job", "submit", "echo", "{not json"),
        ("job", "submit", "echo", "--pay", "-1"),
        ("job", "submit", "echo", "--max-price", "0.1234567"),
        ("job", "cancel", "0190f3c2", "--reason", ""),
        ("market", "demand", "--budget", "much"),
        ("gpu", "bid", "1", "cheap", "1"),
        ("ledger", "mint", "dev", "0", "--reason", "x"),
        ("ledger", "mint", "dev", "1", "--reason", " "),
        ("ledger", "withdraw", "dev", "1e3", "--to", "bank"),
        ("key", "create", "--owner", "", "--scope", "client"),
        ("foo",),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_exit_2_and_one_json_object(arguments):
    code, out, err = ended(*arguments, "--json", "--key=k" if arguments[:2] == ("job", "submit") else "--json")

    error = only_json(err)
    assert (code, out) == (2, "")
    assert (error["code"], error["errors"], error["status"]) == ("usage", [], None)
    assert error["detail"] and "usage:" not in error["detail"]


@pytest.mark.no_db
@pytest.mark.parametrize(
    ("typed", "words"), [("jbo", "Did you mean job?"), ("foo", "no command foo. `manage.py --help` lists them.")]
)
def test_an_unknown_command_is_exit_2_and_names_the_nearest(typed, words):
    code, out, err = ended(typed, "list")

    assert (code, out) == (2, "")
    assert words in err


@pytest.mark.no_db
def test_an_amount_is_refused_in_plain_words():
    _, _, err = ended("ledger", "mint", "dev", "0", "--reason", "x")
    assert "'0' is not an amount of AIT above zero with at most six places, e.g. 1.5" in err


@pytest.mark.no_db
def test_a_server_that_is_down_is_named_with_what_to_do():
    code, _, err = ended("job", "list", "--url", NOWHERE, "--key", "k", "--json")
    error = only_json(err)
    assert (code, error["code"], error["status"]) == (1, "no_connection", None)
    assert NOWHERE in error["detail"] and "make up" in error["detail"] and "--url" in error["detail"]

    code, _, err = ended("job", "list", "--url", NOWHERE, "--key", "k")
    assert code == 1 and err.startswith("No answer from") and "Error" not in err.split(":")[0]


@pytest.mark.no_db
@pytest.mark.parametrize(("url", "key", "code"), [
    (NOWHERE, "ключ", "no_key"), ("http://[", "k", "no_connection"), ("nowhere", "k", "no_connection"),
])  # fmt: skip
def test_an_address_or_key_that_cannot_be_sent_is_no_traceback(url, key, code):
    status, _, err = ended("job", "list", "--url", url, "--key", key, "--json")

    assert (status, only_json(err)["code"]) == (1, code)


@pytest.mark.no_db
def test_no_key_at_all_says_how_to_give_one(tmp_path):
    status, _, err = ended("job", "list", "--json", AITBC_VAR_DIR=str(tmp_path))

    assert status == 1
    assert "AITBC_CLIENT_KEY" in only_json(err)["detail"]


@pytest.mark.transaction
def test_a_problem_of_the_exchange_is_its_body_and_a_wrong_key_comes_with_advice(live_server, client_api):
    where = ("--url", live_server.url)
    code, _, err = ended("job", "submit", "echo", "--region", "x" * 300, "--key", client_api.secret, *where, "--json")
    error = only_json(err)
    assert (code, error["status"], error["code"]) == (1, 400, "invalid")
    assert [one["field"] for one in error["errors"]] == ["constraints.region"]

    code, _, err = ended("job", "submit", "echo", "--region", "x" * 300, "--key", client_api.secret, *where)
    assert code == 1
    assert err.startswith("The request has an invalid value.")
    assert err.count("region:") == 1

    code, _, err = ended("job", "list", "--key", "wrong", *where)
    assert code == 1
    assert "AITBC_CLIENT_KEY" in err and "key create --scope client" in err
    code, _, err = ended("job", "list", "--key", "wrong", *where, "--json")
    assert (code, only_json(err)["status"]) == (1, 401)
    code, _, err = ended("miner", "heartbeat", "--key", client_api.secret, *where)
    assert code == 1 and "key create --scope miner" in err


@pytest.mark.no_db
def test_a_database_that_is_down_is_no_traceback():
    code, _, err = ended("key", "list", "--json", DATABASE_URL="postgresql://u@127.0.0.1:1/x")

    error = only_json(err)
    assert (code, error["code"]) == (1, "no_database")
    assert "make up" in error["detail"]


@pytest.mark.no_db
def test_a_field_is_said_once_and_other_details_stay():
    one = {"field": "limit", "message": "A whole number."}
    body = {"code": "invalid", "title": "Wrong.", "detail": "limit: A whole number.", "errors": [one]}
    assert in_words(400, body).splitlines()[:2] == ["Wrong.", "  limit: A whole number."]

    refused = ApiProblem(402, {"title": "Too little.", "detail": "1.000000 AIT are needed.", "code": "funds"}, 1.0)
    assert str(refused).splitlines()[0] == "Too little. 1.000000 AIT are needed."
    assert str(ApiProblem(502, {"detail": "Bad gateway"}, 1.0)) == "Bad gateway\n  (HTTP 502, http_502, request -)"


@pytest.fixture
def silent_server():
    """A server that takes a request and never answers; `.asked` is set once it was called."""
    called, leave = threading.Event(), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            called.set()
            leave.wait(60)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.called = called
    yield server
    leave.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.no_db
@pytest.mark.parametrize("arguments", [("job", "list"), ("job", "watch", "0190f3c2-0000-7000-8000-000000000000"),
                                       ("market", "bookings"), ("gpu", "list", "--json")], ids=" ".join)  # fmt: skip
def test_an_interrupt_ends_quietly_with_130(silent_server, arguments):
    process = program(*arguments, "--key", "k", "--url", f"http://127.0.0.1:{silent_server.server_port}")
    assert silent_server.called.wait(60)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (130, "", "")
