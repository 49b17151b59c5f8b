"""`manage.py job …`: submit and follow AI jobs from the shell, over HTTP only."""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from aitbc.core.cli import errors, program
from aitbc.core.cli.amounts import AIT
from aitbc.core.cli.arguments import LIMIT, TIMEOUT, json_object, nonempty, number, whole
from aitbc.core.cli.commands import BaseApiCommand
from aitbc.core.cli.errors import Failure, UsageError
from aitbc.core.cli.short_ids import Listed, add_id
from aitbc.core.cli.tables import fields
from aitbc.core.cli.text import json_text
from apps.ai.management.progress import JobProgress
from apps.ai.management.tables import jobs as tables
from apps.ai.states import FINAL, OPEN_PAYMENTS

JOBS = Listed("job", ("/ai/jobs",), has_names=False)
BOOKINGS = Listed("booking", ("/marketplace/v1/marketplace/bookings",), has_names=False)
FINAL_STATES = set(FINAL)
GOOD_STATES = {"succeeded", "settled"}
DAY = 86_400
MONEY_SECONDS = 10.0  # trading pays or gives back behind the end of the job, in less
OF_JOB = "its id, or as much of it as no other job's begins with"
EXIT_CODES = """\
exit codes:
  0    done; where the command waits for a job or watches it: the job succeeded
  1    the job ended otherwise (failed, dead, expired, refused, cancelled), or the exchange answered with an error
  2    the arguments are wrong
  130  interrupted (Ctrl-C); the job goes on
"""

EXAMPLES = """\
  manage.py job submit embedding '{"texts": ["hello", "world"]}' --pay 0.05 --watch
  manage.py job submit inference --prompt "Why is the sky blue?" --model qwen2.5:0.5b --pay 0.10
  manage.py job submit benchmark '{"size": 512}' --gpu "RTX 4090" --min-vram 24 --max-price 0.80
  manage.py job submit embedding '{"texts": ["hello"]}' --booking 0190f3c2-0000-7000-8000-000000000001
  manage.py job submit language --file payload.json --ttl 300 --attempts 2 --json
  manage.py job list --state queued,running --limit 20
  manage.py job status 0190f3c2
  manage.py job explain 0190f3c2         why does it wait?
  manage.py job watch 0190f3c2           follow it until it has ended
  manage.py job result 0190f3c2 --wait
  manage.py job receipt 0190f3c2 --json > receipt.json
  manage.py job cancel 0190f3c2 --reason "not needed any more"
"""


class Command(BaseApiCommand):
    help = "Submit, follow and cancel AI jobs."
    examples = EXAMPLES
    exit_codes = EXIT_CODES

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb", parser_class=argparse.ArgumentParser)
        self._submit_arguments(self._verb(verbs, "submit", "submit a job"))
        for name, about in (
            ("status", "show a job"), ("watch", "follow a job until it has ended"),
            ("explain", "explain why it waits"),
        ):  # fmt: skip
            add_id(self._verb(verbs, name, about), "job_id", of=JOBS, help=OF_JOB)
        for name, about in (("result", "show its result"), ("receipt", "show its signed receipt")):
            waiting = self._verb(verbs, name, about)
            add_id(waiting, "job_id", of=JOBS, help=OF_JOB)
            waiting.add_argument("--wait", action="store_true", help="wait until there is one")
            waiting.add_argument("--timeout", type=TIMEOUT, default=900.0, help="seconds to wait at most (900)")
        cancel = self._verb(verbs, "cancel", "cancel it")
        add_id(cancel, "job_id", of=JOBS, help=OF_JOB)
        cancel.add_argument("--reason", type=nonempty, default="cancelled from the shell", help="kept with the job")
        listing = self._verb(verbs, "list", "list jobs, newest first")
        for flag, about in (
            ("--state", "one or several, with commas between"), ("--task-type", "only this type"),
            ("--from-time", "RFC 3339"), ("--to-time", "RFC 3339"), ("--cursor", "of the page before"),
        ):  # fmt: skip
            listing.add_argument(flag, help=about)
        listing.add_argument("--limit", type=LIMIT, default=20, help="jobs of a page (20)")

    def _verb(self, verbs: Any, name: str, about: str) -> argparse.ArgumentParser:
        verb = self.verb(verbs, name, about)
        self.add_connection(verb)
        return verb

    def _submit_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("task_type", help="echo, inference, embedding …: what a miner offers")
        parser.add_argument("payload", nargs="?", help="JSON object; - reads it from standard input")
        parser.add_argument("--file", type=Path, help="read the payload from this file")
        parser.add_argument("--prompt", help="payload.prompt")
        parser.add_argument("--model", help="payload.model")
        parser.add_argument("--pay", type=AIT, default="0", help="AIT to pay at most (0 = unpaid)")
        for flag, about in (
            ("--gpu", "GPU model"), ("--region", "e.g. eu"), ("--cuda", "version"), ("--data-class", "e.g. public"),
        ):  # fmt: skip
            parser.add_argument(flag, help=about)
        add_id(parser, "--booking", of=BOOKINGS, help="run it in this booking of yours; the booking pays")
        parser.add_argument("--min-vram", type=number(0, 4096), help="GiB of GPU memory")
        parser.add_argument("--max-price", type=AIT, help="AIT per hour")
        parser.add_argument("--min-reputation", type=number(0, 1), help="0 to 1")
        parser.add_argument("--models", action="append", help="a model the miner must have (may repeat)")
        for flag, kind, about in (
            ("--priority", whole(0, 10), "0 to 10"), ("--ttl", whole(1, 7 * DAY), "seconds for everything"),
            ("--attempts", whole(1, 10), "1 to 10"), ("--execution", whole(1, DAY), "seconds for one attempt"),
        ):  # fmt: skip
            parser.add_argument(flag, type=kind, help=about)
        parser.add_argument("--request-key", help="Idempotency-Key; the same key never submits twice")
        parser.add_argument("--watch", action="store_true", help="follow it until it has ended")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        getattr(self, f"do_{verb}")(**self.with_whole_ids(options))

    def do_submit(self, *, watch: bool, request_key: str | None, **options: Any) -> None:
        headers = {"Idempotency-Key": request_key or str(uuid.uuid4())}
        job = self.call("POST", "/ai/jobs", json=_body(options), headers=headers)
        self.show(job, f"Job {job['id']}" if watch else tables.job(job))
        if watch:
            self._watch(job)

    def do_status(self, *, job_id: str, **options: Any) -> None:
        job = self.call("GET", f"/ai/jobs/{job_id}")
        self.show(job, tables.job(job))

    def do_list(self, **options: Any) -> None:
        names = ("state", "task_type", "from_time", "to_time", "cursor", "limit")
        page = self.call("GET", "/ai/jobs", params={name: options[name] for name in names if options[name]})
        self.show(page, tables.jobs(page))

    def do_result(self, *, job_id: str, wait: bool, timeout: float, **options: Any) -> None:
        if wait:
            self._wait(job_id, timeout, lambda job: job["state"] in {*FINAL_STATES, *GOOD_STATES})
        result = self.call("GET", f"/ai/jobs/{job_id}/result")
        self.show(result, tables.result(result))
        _refuse_failure(result)

    def _wait(self, job_id: str, timeout: float, is_enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The job once it is as far as that, or as it is when the time is over."""
        deadline = time.monotonic() + timeout
        while True:
            job: dict[str, Any] = self.call_patiently("GET", f"/ai/jobs/{job_id}")
            if is_enough(job) or time.monotonic() > deadline:
                return job
            time.sleep(0.5)

    def do_cancel(self, *, job_id: str, reason: str, **options: Any) -> None:
        job = self.call("POST", f"/ai/jobs/{job_id}/cancel", json={"reason": reason})
        self.show(job, tables.job(job))

    def do_receipt(self, *, job_id: str, wait: bool, timeout: float, **options: Any) -> None:
        job = self._wait(job_id, timeout, lambda job: job["state"] in FINAL_STATES) if wait else None
        receipt = self.call("GET", f"/ai/jobs/{job_id}/receipt")
        self.show(receipt, fields("Receipt", receipt))
        if job:
            _refuse_failure(job)

    def do_explain(self, *, job_id: str, **options: Any) -> None:
        explanation = self.call("GET", f"/ai/jobs/{job_id}/explain")
        self.show(explanation, tables.explanation(explanation))

    def do_watch(self, *, job_id: str, **options: Any) -> None:
        """Follow the job, show how it ended, and exit 1 when that was not success."""
        self._watch(self.call("GET", f"/ai/jobs/{job_id}"))  # a wrong id or address fails at once

    def _watch(self, job: dict[str, Any]) -> None:
        try:
            job = self._follow(job)
        except KeyboardInterrupt:
            self._say_how_to_resume(job["id"])
            raise
        if not self.as_json and not self.quiet:
            job = self._wait(job["id"], MONEY_SECONDS, lambda job: job["payment_status"] not in OPEN_PAYMENTS)
            self.show(job, tables.ended(job))
        _refuse_failure(job)

    def _say_how_to_resume(self, job_id: str) -> None:
        resume = program.line(f"job watch {job_id}")
        words = f"The job goes on; `{resume}` follows it again."
        interrupt = Failure(words, code="interrupted", job_id=job_id, resume=resume)
        self.stderr.write(errors.as_json(interrupt) if self.as_json else words, str)

    def _follow(self, job: dict[str, Any]) -> dict[str, Any]:
        """Show the stream until the job has ended, through reconnects; with the cursor no event is shown twice."""
        job_id, cursor = job["id"], ""
        hidden = self.as_json or self.quiet or not self.console.is_terminal
        with JobProgress(console=self.console, disable=hidden) as progress:
            while True:
                start = cursor
                for event_id, name, data in self.events(f"/ai/jobs/{job_id}/stream", cursor=start):
                    cursor = event_id
                    self._show_event(progress, name, data)
                if job["state"] in FINAL_STATES:
                    return job  # read before the page that has just been shown, so that page was the last
                if start == cursor:
                    time.sleep(0.5)  # a server that does not hold streams open sends one page at a time
                job = self.call_patiently("GET", f"/ai/jobs/{job_id}")

    def _show_event(self, progress: JobProgress, name: str, data: dict[str, Any]) -> None:
        if self.quiet:
            return
        if self.as_json:
            self.stdout.write(json_text({"event": name, **data}))
            self.stdout.flush()  # a pipe sees each event as it happens
        elif name == "progress":
            progress.moved(data["progress"])
        else:
            progress.entered(data["state"])
            progress.console.print(tables.transition(data))


def _body(options: dict[str, Any]) -> dict[str, Any]:
    """The body of the request, without the options that are not set."""
    constraints = {
        "gpu": options["gpu"], "min_vram_gb": options["min_vram"], "models": options["models"],
        "region": options["region"], "cuda": options["cuda"], "max_price": options["max_price"],
        "min_reputation": options["min_reputation"], "data_class": options["data_class"],
        "booking_id": options["booking"],
    }  # fmt: skip
    body = {
        "task_type": options["task_type"], "payload": _payload(options), "payment_amount": options["pay"],
        "constraints": _without_none(constraints), "priority": options["priority"], "ttl_seconds": options["ttl"],
        "max_attempts": options["attempts"], "execution_seconds": options["execution"],
    }  # fmt: skip
    return _without_none(body)


def _refuse_failure(job: dict[str, Any]) -> None:
    """Exit 1, saying why, unless the job has a result."""
    if job["state"] not in GOOD_STATES:
        why = ": ".join(str(job[name]) for name in ("outcome", "error") if job.get(name))
        job_id = job.get("job_id") or job["id"]
        raise Failure(f"Job {job_id} is {job['state']}" + (f" ({why})." if why else "."), code=job["state"])


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _payload(options: dict[str, Any]) -> dict[str, Any]:
    text = options["payload"]
    try:
        if options["file"]:
            text = options["file"].read_bytes().decode()
        elif text == "-":
            text = _standard_input().decode()
        payload = json_object(text or "{}")
    except UnicodeDecodeError:
        raise UsageError("The payload cannot be read: it is not UTF-8.") from None
    except (OSError, argparse.ArgumentTypeError) as error:
        raise UsageError(f"The payload cannot be read: {error}") from None
    return payload | _without_none({"prompt": options["prompt"], "model": options["model"]})


def _standard_input() -> bytes:
    """All of standard input. Raises OSError when it is closed."""
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return sys.stdin.buffer.read()
