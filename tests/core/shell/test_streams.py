"""Arguments that are not UTF-8, output that cannot be written, texts of strangers that would steer a terminal."""

from __future__ import annotations

import http.server
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading

import pytest

from aitbc.core.cli.tables import Grid, console, fields, rows
from aitbc.core.cli.text import json_text, printable
from apps.gpu.logic.log_lines import PrintableFormatter
from apps.marketplace.management.tables import bookings
from tests.shell import ROOT, Terminal, ended

pytestmark = pytest.mark.no_db
BYTES = "\udcff"  # the byte ff as Python has it in an argument
HOSTILE = "\x1b]0;pwned\x1b\\\x1b[2J\x9b1m\x7f\u202e\u2066\r[red]x[/]:smile:"
SHOWN = r"\x1b]0;pwned\x1b\\x1b[2J\x9b1m\x7f\u202e\u2066\x0d[red]x[/]:smile:"
KEYS = ("signing_key", "list")


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("job", "submit", BYTES, "{}", "--key=k"), "task_type"),
        (("job", "submit", "echo", "{}", "--key=k", "--models", "a", "--models", BYTES), "models"),
        (("job", "status", BYTES, "--key=k"), "job_id"),
        (("job", "list", "--cursor", BYTES, "--key=k"), "cursor"),
        (("job", "list", "--url", BYTES, "--key=k"), "url"),
        (("key", "create", "--owner", BYTES, "--scope", "client"), "owner"),
        (("key", "revoke", BYTES), "prefix"),
        (("market", "search", BYTES, "--key=k"), "filter"),
        (("miner", "register", "--region", BYTES, "--key=k"), "region"),
        (("ledger", "mint", "dev", "1", "--reason", BYTES), "reason"),
        (("ledger", "withdraw", "dev", "1", "--to", BYTES), "to"),
        (("ledger", "balance", BYTES), "owner"),
        (("ledger", "owners", BYTES), "text"),
    ],
    ids=lambda value: " ".join(map(ascii, value)) if isinstance(value, tuple) else "",
)
def test_an_argument_that_is_not_utf8_is_exit_2_and_named(arguments, name, as_json):
    code, out, err = ended(*arguments, *(["--json"] if as_json else []))

    assert (code, out) == (2, "")
    detail = json.loads(err)["detail"] if as_json else err.strip()
    assert detail == f"argument {name}: it is not UTF-8"


@pytest.mark.parametrize(("target", "reason"), [
    ("/dev/full", "cannot write the output: No space left on device\n"),
    ("&-", "cannot write the output: it is closed\n"),
])  # fmt: skip
def test_output_of_the_miner_program_that_cannot_be_written_is_one_line_and_exit_1(target, reason, tmp_path):
    command = f"{sys.executable} -m apps.gpu.miner parked --state-dir {tmp_path} >{target}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (1, reason)


def test_the_miner_program_refuses_it_too():
    code, _, err = ended("miner", "run", "--region", BYTES)
    assert code == 2 and err.endswith("argument region: it is not UTF-8\n")


def test_a_path_may_have_any_bytes_and_a_payload_may_not(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"\xff.json")
    with open(path, "wb") as file:
        file.write(b'{"a": "\xff"}')

    code, out, err = ended("verify", os.fsdecode(path))
    assert (code, err) == (2, "") and r"\udcff.json cannot be read" in out
    code, _, err = ended("job", "submit", "echo", "--file", os.fsdecode(path), "--key=k")
    assert (code, err) == (2, "The payload cannot be read: it is not UTF-8.\n")
    code, _, err = in_shell("printf '\"\\377' | $0 job submit echo - --key=k")
    assert (code, err) == (2, "The payload cannot be read: it is not UTF-8.\n")
    code, _, err = in_shell("$0 job submit echo - --key=k <&-")
    assert (code, err) == (2, "The payload cannot be read: standard input is closed\n")


def in_shell(line):
    """Exit code, output and errors of a line of the shell in which $0 is `manage.py`."""
    program = f"{sys.executable} {ROOT / 'manage.py'}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line.replace("$0", program)], capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["signing_key list", "signing_key list --json", "job --help", "--help"])
def test_output_that_cannot_be_written_is_one_line_and_exit_1(command, unbuffered):
    for where, reason in ((">/dev/full", "No space left on device"), (">&-", "it is closed")):
        code, _, err = in_shell(f"PYTHONUNBUFFERED={unbuffered} $0 {command} {where}")

        assert code == 1
        detail = json.loads(err)["detail"] if "--json" in command else err.removesuffix("\n")
        assert detail == f"cannot write the output: {reason}"

    code, _, err = in_shell(f"PYTHONUNBUFFERED={unbuffered} $0 {command} | true")
    assert (code, err) == (1, "")  # nobody reads: no words either


def test_without_standard_error_a_command_works_and_fails_as_ever():
    code, out, _ = in_shell("$0 signing_key list --json 2>&-")
    assert code == 0 and json.loads(out)["keys"]
    assert in_shell("$0 signing_key nonsense 2>&-") == (2, "", "")


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
@pytest.mark.parametrize(
    "table",
    [
        lambda text: text,
        lambda text: Grid(text, [text], [[text]], note=text),
        lambda text: rows("T", [{"a": text}], ("a",)),
        lambda text: fields(text, {"a": text, "b": [text], "c": {"d": text}}),
        lambda text: bookings.fields(text, {"a": text}),
    ],
)
def test_no_text_steers_the_terminal_or_is_markup(stream, table, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb" if stream is io.StringIO else "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    out = stream()

    console(out).print(table(HOSTILE))

    found = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())  # without the colours of the console itself
    assert SHOWN in found
    for sign in "\x9b\x7f\u202e\u2066\r":
        assert sign not in found
    assert "\x1b" not in found


def test_what_is_printed_keeps_letters_tabs_and_lines_and_json_its_value():
    assert printable("Grüße\t♥\n\ud800") == "Grüße\t♥\n\\ud800"
    written = json_text({"a": HOSTILE + "ü\ud800"}, 2)
    assert json.loads(written) == {"a": HOSTILE + "ü\ud800"}
    assert "ü" in written and printable(written) == written


@pytest.fixture
def exchange():
    """A server that answers every request with a failed job, or a problem, full of control characters."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wrong = "nowhere" in self.path
            job = {"id": "j", "job_id": "j", "state": "failed", "task_type": HOSTILE, "error": HOSTILE}
            body = {"code": "c", "title": HOSTILE, "detail": HOSTILE, "errors": []} if wrong else job
            self.send_response(400 if wrong else 200)
            self.end_headers()
            self.wfile.write(json.dumps(body if "jobs?" not in self.path else {"items": [job]}).encode())

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("flags", [(), ("--json",)])
@pytest.mark.parametrize("verb", [("status", "job-1"), ("result", "job-1"), ("list",), ("status", "nowhere")])
def test_commands_show_what_strangers_wrote_escaped(exchange, verb, flags):
    _, out, err = ended("job", *verb, "--url", exchange, "--key", "k", *flags)

    for text in filter(None, (out, err)):
        assert printable(text) == text
    assert (r"\u001b]0;pwned" if flags else SHOWN) in out + err


def test_a_line_of_the_miners_log_is_one_line_without_control_characters():
    record = logging.LogRecord("m", logging.INFO, "f", 1, "job %s: %s", (HOSTILE, "a\nb"), None)
    assert PrintableFormatter("%(message)s").format(record) == f"job {SHOWN}: a\\nb"
