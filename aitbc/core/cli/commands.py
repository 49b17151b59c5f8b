"""Commands that speak HTTP only: a console, a client with the right key, and problems said in plain words."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from rich.console import Console

from aitbc.core.cli import answers, errors, program, short_ids
from aitbc.core.cli.errors import ApiProblem, Failure, NoAnswer
from aitbc.core.cli.streams import Printed
from aitbc.core.cli.tables import console
from aitbc.core.cli.text import json_text
from aitbc.core.errors import DomainError

KEY_NAMES = ("AITBC_API_KEY", "API_KEY")
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
PATIENCE_SECONDS = 60.0  # a restart of the exchange takes less
RETRY_SECONDS = 0.5


class ProjectCommand(BaseCommand):
    """A command whose --help ends with examples, printed as they are written, and whose errors need no traceback.

    With --json every error, also of the arguments, is one JSON object on stderr. Exit codes: cli/errors.py.
    """

    examples: ClassVar[str] = ""
    exit_codes: ClassVar[str] = ""

    def __init__(self, stdout: Any = None, stderr: Any = None, **options: Any) -> None:
        super().__init__(stdout, stderr, **options)
        style = self.stderr.style_func
        self.stdout, self.stderr = Printed(stdout or sys.stdout), Printed(stderr or sys.stderr)
        self.stderr.style_func = style

    def run_from_argv(self, argv: list[str]) -> None:
        if "--json" in argv[2:]:
            self._check_arguments(argv)
        super().run_from_argv(argv)

    def _check_arguments(self, argv: list[str]) -> None:
        """Exit with JSON where argparse would exit with its usage."""
        self._called_from_command_line = True
        with contextlib.redirect_stderr(io.StringIO()) as printed:
            try:
                self.create_parser(argv[0], argv[1]).parse_args(argv[2:])
                return
            except SystemExit as exiting:
                status = exiting.code
        if status == errors.USAGE:
            self.stderr.write(errors.usage_as_json(printed.getvalue()), str)
        sys.exit(status)

    def execute(self, *args: Any, **options: Any) -> Any:
        if out := options.pop("stdout", None):
            self.stdout = Printed(out)
        try:
            errors.refuse_other_than_utf8(options)
            return super().execute(*args, **options)
        except (CommandError, DomainError, OperationalError, InterfaceError) as error:
            failure = errors.failure_of(error)
            if not self._called_from_command_line or options.get("traceback"):
                raise failure from (None if failure is error else error)
        if options.get("as_json") or options.get("json"):
            self.stderr.write(errors.as_json(failure), str)
        else:
            self.stderr.write(str(failure))
        return sys.exit(failure.returncode)

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        options.setdefault("formatter_class", program.HelpFormatter)
        examples = f"examples:\n{self.examples}" if self.examples else ""
        if epilog := "\n".join(filter(None, (self.exit_codes, examples))):
            options.setdefault("epilog", epilog)
        return super().create_parser(prog_name, subcommand, **options)

    def verb(self, verbs: Any, name: str, about: str, *, of: str = "") -> argparse.ArgumentParser:
        """One verb of the command, or of its verb `of`: its own --help shows the examples that are about it."""
        words = re.escape(f"{of} {name}".strip())
        own = [line for line in self.examples.splitlines() if re.search(rf"manage\.py \S+ {words}( |$)", line)]
        verb: argparse.ArgumentParser = verbs.add_parser(
            name, help=about, description=about, formatter_class=program.HelpFormatter,
            epilog="\n".join(filter(None, (self.exit_codes, *(["examples:", *own] if own else ())))) or None,
        )  # fmt: skip
        return verb


class BaseApiCommand(ProjectCommand):
    """A command of one scope; --url, --key and --json come with it. It opens no database."""

    scope: ClassVar[str] = "client"
    requires_system_checks: list[str] = []
    console: Console
    as_json: bool = False
    quiet: bool = False
    _client: httpx.Client | None = None

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_connection(parser)

    def add_connection(self, parser: argparse.ArgumentParser, scope: str = "") -> None:
        """The flags that every (sub)command takes; `scope` where the verb's is not the command's."""
        group = parser.add_argument_group("connection")
        group.add_argument("--url", help="address of the exchange (else AITBC_URL, else var/dev.env)")
        group.add_argument("--key", help=f"API key (else AITBC_{(scope or self.scope).upper()}_KEY, else var/dev.env)")
        group.add_argument("--json", action="store_true", dest="as_json", help="print JSON, nothing else")
        group.add_argument("-q", "--quiet", action="store_true", help="print ids only, for scripts")

    def execute(self, *args: Any, **options: Any) -> Any:
        self.as_json, self.quiet = bool(options.get("as_json")), bool(options.get("quiet"))
        self.console = console(options.get("stdout"))
        self._url, self._key = options.get("url"), options.get("key")
        try:
            return super().execute(*args, **options)
        finally:
            if self._client is not None:
                self._client.close()
                self._client = None

    def api(self, scope: str | None = None) -> httpx.Client:
        """The exchange as seen with the key of this scope."""
        if self._client is None:
            self._scope = scope or self.scope
            name = f"AITBC_{self._scope.upper()}_KEY"
            key = self._key or known(name, *KEY_NAMES)
            if not key:
                raise Failure(f"No key: give --key, set {name}, or start with `make up`.", code="no_key")
            self._client = client(self._url or known("AITBC_URL") or settings.PUBLIC_URL, key)
        return self._client

    def call(self, method: str, path: str, *, shape: answers.Shape = dict, **request: Any) -> Any:
        """The decoded answer, which is an object unless `shape` says otherwise; None has no content.

        A problem becomes an ApiProblem with its words, silence a NoAnswer, any other answer a NotAnExchange.
        """
        api = self.api()
        try:
            answer = api.request(method, path, **request)
        except httpx.HTTPError as error:
            raise NoAnswer(str(api.base_url), str(error) or type(error).__name__) from None
        self._refuse_all_but_success(answer)
        return answers.decoded(answer.content, str(api.base_url), shape)

    def _refuse_all_but_success(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        answer.read()
        if answer.is_error:
            raise errors.problem_of(answer, errors.advice_for(answer.status_code, self._scope))
        raise answers.redirected(answer, str(self.api().base_url))

    def with_whole_ids(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options of a verb, each short id replaced by the id that it means."""
        return short_ids.whole_ids(partial(self.call, shape=dict | list), options.pop("ids", {}), options)

    def call_patiently(self, method: str, path: str) -> Any:
        """The answer, waiting up to a minute for an exchange that is being restarted."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self.call(method, path)
            except (NoAnswer, ApiProblem) as error:
                if time.monotonic() > until or (isinstance(error, ApiProblem) and not error.is_passing):
                    raise
            time.sleep(RETRY_SECONDS)

    def events(self, path: str, *, cursor: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
        """One connection's events of a stream: (id, name, data); the caller reconnects with the last id."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": cursor} if cursor else {})}
        try:
            with self.api().stream("GET", path, headers=headers) as answer:
                self._refuse_all_but_success(answer)
                for event_id, name, data in _parsed(answer.iter_lines()):
                    yield event_id, name, answers.decoded(data, str(self.api().base_url))
        except httpx.TransportError:
            return

    def show(self, answer: Any, table: Any = None) -> None:
        """Print the answer: its ids, or as JSON, when one of these is called for, else as the table given."""
        if self.quiet:
            self.stdout.write("\n".join(ids_of(answer)))
        elif self.as_json or table is None:
            self.stdout.write(json_text(answer, 2))
        else:
            self.console.print(table)


class VerbCommand(BaseApiCommand):
    """A command made of verbs; each group of verbs is a module with `add(command, verbs)`.

    A verb is a function of this command and its options: `command.verb(verbs, "list", "show them", run=list_them)`.
    """

    groups: ClassVar[tuple[Any, ...]] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb", parser_class=argparse.ArgumentParser)
        for group in self.groups:
            group.add(self, verbs)

    def verb(  # type: ignore[override]
        self, verbs: Any, name: str, about: str, *, run: Callable[..., None], scope: str = "client", examples: str = ""
    ) -> argparse.ArgumentParser:
        """Add a verb; `scope` says whose key it is called with, "" that it asks nobody."""
        parser: argparse.ArgumentParser = verbs.add_parser(
            name, help=about, description=about, epilog=f"examples:\n{examples}" if examples else None,
            formatter_class=program.HelpFormatter,
        )  # fmt: skip
        parser.set_defaults(run=run, verb_scope=scope)
        if scope:
            self.add_connection(parser, scope)
        return parser

    def handle(self, *args: Any, run: Callable[..., None], verb_scope: str, **options: Any) -> None:
        if verb_scope:
            self.api(verb_scope)
        run(self, **self.with_whole_ids(options))


def ids_of(answer: Any) -> list[str]:
    """The id of the answer, or those of its items, one a line."""
    found = answer.get("items", [answer]) if isinstance(answer, dict) else answer
    return [str(one["id"] if "id" in one else one.get("receipt_id", "")) for one in found]


def client(url: str, key: str) -> httpx.Client:
    """A client of the exchange at this address. Raises Failure when address or key cannot be sent at all."""
    if not key.isascii() or not key.isprintable():
        raise Failure("The key has characters that no key has; copy it again.", code="no_key")
    try:
        return httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        )  # fmt: skip
    except httpx.InvalidURL as error:
        raise NoAnswer(url, str(error)) from None


def known(*names: str) -> str:
    """The first of these names that the environment or var/dev.env has a value for."""
    written = _dev_env(Path(settings.VAR_DIR) / "dev.env")
    return next((value for name in names if (value := os.environ.get(name) or written.get(name))), "")


def _dev_env(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = [line.strip().removeprefix("export ") for line in path.read_text().splitlines()]
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return {name.strip(): value.strip().strip("'\"") for name, value in pairs}


def _parsed(lines: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif not line and "data" in fields:
            yield fields.get("id", ""), fields.get("event", "message"), fields["data"]
            fields = {}
