"""Commands at an address where something else than an exchange answers: exit 1 and one line that says so."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
from django.core.management import call_command

from aitbc.core.cli.answers import NotAnExchange, decoded
from aitbc.core.cli.errors import ApiProblem
from tests.shell import ended

pytestmark = pytest.mark.no_db
ID = "0190f3c2-0000-7000-8000-000000000000"
COMMANDS = (
    ("job", "list"), ("job", "status", ID), ("job", "cancel", ID, "--reason", "r"), ("job", "submit", "echo", "{}"),
    ("job", "watch", ID), ("market", "search"), ("market", "show", ID), ("market", "search", "--fields"),
    ("gpu", "list"),
)  # fmt: skip
TARGET = "http://127.0.0.1:1/login"


@pytest.fixture
def server():
    """A server that answers every request with `.status`, `.content` and a Location."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(self.server.status)
            self.send_header("Location", TARGET)
            self.send_header("Content-Length", str(len(self.server.content)))
            self.end_headers()
            self.wfile.write(self.server.content)

        do_GET = do_POST = answer

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.status, server.content = 200, b""
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def only_line(server, *arguments):
    """What it says on stderr, which is one line, at exit 1."""
    code, out, err = ended(*arguments, "--url", server.url, "--key", "k")
    assert (code, out, err.count("\n")) == (1, "", 1), err
    return err


@pytest.mark.parametrize("command", [COMMANDS[0], COMMANDS[6]], ids=" ".join)
def test_a_redirect_is_refused_and_its_target_named(server, command):
    server.status = 302

    error = json.loads(only_line(server, *command, "--json"))

    assert (error["code"], error["status"]) == ("not_an_exchange", 302)
    assert f"set AITBC_URL to {TARGET}" in error["detail"]


def test_an_answer_of_another_shape_is_one_line_on_stderr(server):
    server.content = b"[1,2,3]"

    assert only_line(server, "job", "list").startswith(f"What answers at {server.url} is not an AITBC exchange")
    assert json.loads(only_line(server, "job", "list", "--json"))["code"] == "not_an_exchange"


@pytest.mark.parametrize("content", [b"[1,2,3]", b"null", b"{}", b'{"items":[7]}', b"<html>"])
@pytest.mark.parametrize("command", [("job", "list"), ("market", "search"), ("gpu", "list")], ids=" ".join)
def test_a_list_of_another_shape_is_one_line(server, command, content):
    server.content = content

    with pytest.raises(NotAnExchange, match=f"What answers at {server.url} is not an AITBC exchange"):
        call_command(*command, "--url", server.url, "--key", "k")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_an_empty_object(server, command):
    server.content = b"{}"

    with pytest.raises(NotAnExchange):
        call_command(*command, "--url", server.url, "--key", "k", "--json")


@pytest.mark.parametrize("content", ["", "null", "7", '"x"', "[]", "[1]", "[" * 100_000, '{"items": {}}', "\ud800"])
def test_an_object_is_expected_and_a_page_of_objects(content):
    with pytest.raises(NotAnExchange):
        decoded(content, "http://x")


def test_an_answer_of_the_right_shape_is_as_it_was_sent():
    page = {"items": [{"id": "a", "result": {"items": [7]}}], "next": None}
    assert decoded(json.dumps(page), "http://x") == page
    assert decoded("[]", "http://x", list) == []
    assert decoded(b"", "http://x", dict | None) is None


@pytest.mark.parametrize(("errors", "listed"), [
    ("a text", [{"message": "a text"}]), ([7], [{"message": "7"}]), ([{"field": "f"}], [{"field": "f"}]), (None, []),
])  # fmt: skip
def test_errors_of_a_problem_may_be_anything(server, errors, listed):
    body = {"detail": "No.", "errors": errors, "returncode": 7, "self": 1, "allowed": 3}
    server.status, server.content = 409, json.dumps(body).encode()

    with pytest.raises(ApiProblem, match=r"No\.") as problem:
        call_command("job", "list", "--url", server.url, "--key", "k")

    assert (problem.value.members["errors"], problem.value.returncode) == (listed, 1)


def test_a_problem_whose_errors_are_a_text_is_no_traceback(server):
    server.status, server.content = 409, b'{"detail": "No.", "errors": "a text"}'

    code, out, err = ended("job", "list", "--url", server.url, "--key", "k")

    assert (code, out, err) == (1, "", "No.\n  a text\n  (HTTP 409, http_409, request -)\n")
