"""`manage.py miner …`: run the reference miner, and look after miners and model servers over HTTP."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from aitbc.core.cli.amounts import AIT
from aitbc.core.cli.arguments import LIMIT, json_object, number, whole
from aitbc.core.cli.commands import BaseApiCommand, known
from aitbc.core.cli.errors import UsageError
from aitbc.core.cli.short_ids import Listed, add_id
from aitbc.core.cli.tables import fields, more, rows
from apps.gpu.management.tables import miners as tables

MINERS = "/gpu/v1/miners"
BACKENDS = "/gpu/v1/backends"
OWN_MINERS, OWN_BACKENDS = Listed("miner", (MINERS,)), Listed("model server", (BACKENDS,))
PROGRAM = {
    "run": "run the miner program on this host",
    "parked": "outcomes of this host's miner that could not be sent",
}
PASSED_ON = ("AITBC_URL", "AITBC_MINER_KEY")
EXAMPLES = """\
  manage.py miner run --slots 4 --price 0.50       the miner program itself (run --help lists its options)
  manage.py miner register --capabilities '{"tasks": ["inference"], "models": ["llama3"]}' --slots 2
  manage.py miner parked                           outcomes that the miner here could not send, and why
  manage.py miner status                           what the exchange knows of your miners
  manage.py miner heartbeat
  manage.py miner poll --wait 20                   take one job by hand
  manage.py miner earnings --from-time 2026-11-01T00:00:00Z
  manage.py miner capabilities '{"price": "0.75", "tasks": ["embedding"]}'
  manage.py miner jobs --limit 10 --json
  manage.py miner gpus
  manage.py miner deregister --drain
  manage.py miner backend add https://llm.example --price 0.20
  manage.py miner backend add http://10.0.0.7:11434 --kind ollama --key $AITBC_OPERATOR_KEY
  manage.py miner backend list
  manage.py miner backend remove 0190f3c2
"""


class Command(BaseApiCommand):
    help = "Run a miner; register, watch and retire miners and model servers."
    examples = EXAMPLES
    scope = "miner"

    def run_from_argv(self, argv: list[str]) -> None:
        """`run` and `parked` become the miner program, which knows its own options; the rest is parsed here."""
        if argv[2:3] and argv[2] in PROGRAM:
            become_the_program(argv[2:])
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb", parser_class=argparse.ArgumentParser)
        for name, text in PROGRAM.items():
            verbs.add_parser(name, help=text, add_help=False)
        register = self._verb(verbs, "register", "register a miner, or change what it offers")
        register.add_argument(
            "--capabilities", type=json_object, default={}, help="JSON object: tasks, models, gpus, price, region …"
        )
        register.add_argument("--slots", type=whole(1, 1024), default=1, help="jobs at the same time (1)")
        register.add_argument("--region", default="", help="e.g. eu-de")
        self._verb(verbs, "status", "show one miner, or all of yours")
        self._verb(verbs, "heartbeat", "send a heartbeat")
        self._verb(verbs, "poll", "take a job").add_argument(
            "--wait", type=number(0, 3600), default=5, help="seconds to wait for one (5)"
        )
        earnings = self._verb(verbs, "earnings", "show what it was paid")
        for flag in ("--from-time", "--to-time"):
            earnings.add_argument(flag, help="RFC 3339")
        capabilities = self._verb(verbs, "capabilities", "change what it offers")
        capabilities.add_argument("offered", type=json_object, help="JSON object")
        jobs = self._verb(verbs, "jobs", "show what it did, newest first")
        jobs.add_argument("--limit", type=LIMIT, default=20, help="jobs of a page (20)")
        jobs.add_argument("--status", help="leased, completed, failed, expired …")
        jobs.add_argument("--type", help="only this task type")
        jobs.add_argument("--min-reward", type=AIT, help="only jobs that offered at least this, in AIT")
        self._verb(verbs, "gpus", "show its cards")
        leave = self._verb(verbs, "deregister", "take it out of service")
        leave.add_argument("--drain", action="store_true", help="let it finish what it holds")
        leave.add_argument("--force", action="store_true", help="take its jobs back at once")
        self._backend_arguments(verbs)

    def _backend_arguments(self, verbs: Any) -> None:
        backend = self.verb(verbs, "backend", "model servers that the exchange feeds")
        actions = backend.add_subparsers(dest="action", required=True, metavar="action")
        self.add_connection(self.verb(actions, "list", "show them", of="backend"))
        add = self.verb(actions, "add", "register an OpenAI-compatible or Ollama server", of="backend")
        self.add_connection(add)
        add.add_argument("server", help="its address")
        add.add_argument("--kind", choices=("openai", "ollama"), default="openai", help="which API it speaks (openai)")
        add.add_argument("--concurrency", type=whole(1, 64), default=1, help="jobs at the same time (1)")
        add.add_argument("--price", type=AIT, help="AIT per hour")
        add.add_argument("--region", default="", help="e.g. eu-de")
        remove = self.verb(actions, "remove", "take one out of service", of="backend")
        self.add_connection(remove)
        add_id(remove, "backend_id", of=OWN_BACKENDS, help="its id, or the beginning of it")

    def _verb(self, verbs: Any, name: str, about: str) -> argparse.ArgumentParser:
        verb = self.verb(verbs, name, about)
        add_id(verb, "--miner-id", of=OWN_MINERS, help="which of your miners (else AITBC_MINER_ID, else your only one)")
        self.add_connection(verb)
        return verb

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        getattr(self, f"do_{verb}")(**self.with_whole_ids(options))

    def do_run(self, **options: Any) -> None:
        become_the_program([])

    def do_register(self, *, capabilities: dict[str, Any], slots: int, region: str, **options: Any) -> None:
        body = {"capabilities": capabilities, "concurrency": slots, "region": region}
        self._tell("Registered", "POST", "/register", options, json=body)

    def do_status(self, **options: Any) -> None:
        if named := _named(options):
            one = self.call("GET", f"{MINERS}/{named}")
            self.show(one, fields(f"Miner {one['miner_id']}", one))
        else:
            page = self.call("GET", MINERS)
            self.show(page, rows("Miners", page["items"], tables.MINERS, note=more(page)))

    def do_heartbeat(self, **options: Any) -> None:
        self._tell("Heartbeat", "POST", "/heartbeat", options, json={"status": "ONLINE"})

    def do_poll(self, *, wait: int, **options: Any) -> None:
        job = self.call(
            "POST", f"{MINERS}/poll", shape=dict | None, json={"max_wait_seconds": wait}, headers=_identity(options),
            timeout=wait + 15,
        )  # fmt: skip
        self.show(job, fields(f"Job {job['job_id']}", job) if job else "no work")

    def do_earnings(self, *, from_time: str | None, to_time: str | None, **options: Any) -> None:
        period = {name: value for name, value in {"from_time": from_time, "to_time": to_time}.items() if value}
        answer = self.call("GET", f"{MINERS}/{self._one(options)}/earnings", params=period)
        summary = {name: value for name, value in answer.items() if name != "earnings_history"}
        self.show(answer, fields("Earnings", summary))
        if not self.as_json:
            self.console.print(rows("Latest", answer["earnings_history"], tables.EARNINGS))

    def do_capabilities(self, *, offered: dict[str, Any], **options: Any) -> None:
        body = {"capabilities": offered}
        answer = self.call("PUT", f"{MINERS}/{self._one(options)}/capabilities", json=body)
        self.show(answer, fields("Offers now", answer["capabilities"]))

    def do_jobs(self, *, limit: int, **options: Any) -> None:
        filters = {"job_status": options["status"], "job_type": options["type"], "min_reward": options["min_reward"]}
        query = {"limit": limit} | {name: value for name, value in filters.items() if value}
        answer = self.call("GET", f"{MINERS}/{self._one(options)}/jobs", params=query)
        note = more({"items": answer["jobs"], "total": answer["total"]})
        self.show(answer, rows(f"Jobs of {answer['miner_id']}", answer["jobs"], tables.JOBS, note=note))

    def do_gpus(self, **options: Any) -> None:
        gpus = self.call("GET", f"{MINERS}/{self._one(options)}/gpus", shape=list)
        self.show(gpus, rows("GPUs", gpus, tables.GPUS))

    def do_deregister(self, *, drain: bool, force: bool, **options: Any) -> None:
        flags = {name: "1" for name, query in {"drain": drain, "force": force}.items() if query}
        answer = self.call("DELETE", f"{MINERS}/{self._one(options)}", params=flags)
        self.show(answer, fields("Deregistered", answer))

    def do_backend(self, *, action: str, **options: Any) -> None:
        getattr(self, f"_backend_{action}")(**options)

    def _backend_list(self, **options: Any) -> None:
        page = self.call("GET", BACKENDS)
        self.show(page, rows("Model servers", page["items"], tables.BACKENDS, note=more(page)))

    def _backend_add(
        self, *, server: str, kind: str, concurrency: int, price: str | None, region: str, **options: Any
    ) -> None:
        body = {"url": server, "kind": kind, "concurrency": concurrency, "price": price, "region": region}
        answer = self.call("POST", BACKENDS, json=body)
        self.show(answer, fields("Model server", answer))

    def _backend_remove(self, *, backend_id: str, **options: Any) -> None:
        self.call("DELETE", f"{BACKENDS}/{backend_id}", shape=type(None))
        self.show({"removed": backend_id}, f"removed {backend_id}")

    def _tell(self, title: str, method: str, path: str, options: dict[str, Any], **request: Any) -> None:
        answer = self.call(method, MINERS + path, headers=_identity(options), **request)
        self.show(answer, fields(title, answer))

    def _one(self, options: dict[str, Any]) -> str:
        """The miner meant: the one named, else the only one in service."""
        if named := _named(options):
            return named
        mine = self.call("GET", MINERS)["items"]
        found = [one["miner_id"] for one in mine if one["state"] != "deregistered"]
        if len(found) != 1:
            names = ", ".join(found)
            raise UsageError(f"Choose one with --miner-id: {names}" if found else "You have no miner yet: `miner run`.")
        return str(found[0])


def become_the_program(arguments: list[str]) -> None:
    """Replace this process by the miner program, which never imports Django."""
    for name in PASSED_ON:
        if value := known(name):
            os.environ.setdefault(name, value)
    os.environ.setdefault("AITBC_MINER_STATE", str(Path(settings.VAR_DIR) / "miner"))
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "apps.gpu.miner", *arguments])


def _named(options: dict[str, Any]) -> str:
    return options.get("miner_id") or known("AITBC_MINER_ID")


def _identity(options: dict[str, Any]) -> dict[str, str]:
    return {"X-Miner-ID": named} if (named := _named(options)) else {}
