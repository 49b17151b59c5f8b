"""The command line of the miner: `aitbc-miner run`, and what this host can offer."""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from apps.gpu.logic.encoding import decoded
from apps.gpu.logic.log_lines import PrintableFormatter, not_utf8, printable
from apps.gpu.miner import memory, offers
from apps.gpu.miner.child import EngineJob
from apps.gpu.miner.daemon import Miner
from apps.gpu.miner.driver import GpuDriver
from apps.gpu.miner.files import Unreadable
from apps.gpu.miner.journal import StateInUse
from apps.gpu.miner.parking import ParkedDeliveries
from apps.gpu.miner.settings import SettingsError, add_arguments, from_arguments, state_dir
from apps.gpu.miner.workers import Child, Hooks

EXAMPLES = """examples:
  AITBC_URL=https://exchange.example AITBC_MINER_KEY=... aitbc-miner run --slots 2 --price 0.5
  aitbc-miner run --engine inference            offer one engine only
  aitbc-miner engines                           what this host could offer
  aitbc-miner try benchmark '{"size": 1024}'    run an engine here, without an exchange
  aitbc-miner parked                            outcomes of jobs that the exchange could not be sent, and why
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status: 2 for what the caller can correct, 130 after Ctrl-C."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if name := not_utf8(vars(arguments)):
        parser.error(f"argument {name}: it is not UTF-8")
    try:
        status: int = arguments.command(arguments)
    except KeyboardInterrupt:
        return 130
    except (SettingsError, StateInUse) as error:
        print(error, file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "aitbc-miner", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser(
        "run", help="register, take jobs, compute them", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add_arguments(run)
    run.set_defaults(command=_run)
    commands.add_parser("engines", help="list the engines that work here, as JSON").set_defaults(command=_engines)
    commands.add_parser("gpus", help="list the GPUs and their state, as JSON").set_defaults(command=_gpus)
    attempt = commands.add_parser("try", help="run one engine on a payload, in a child process as `run` does")
    attempt.add_argument("engine")
    attempt.add_argument("payload", help="a JSON object")
    attempt.set_defaults(command=_try)
    parked = commands.add_parser("parked", help="list outcomes that were put aside, as JSON; show or drop one")
    parked.add_argument("--state-dir", type=Path, default=state_dir(), help="the miner's state folder")
    choice = parked.add_mutually_exclusive_group()
    choice.add_argument("--show", metavar="JOB", help="print the outcome of this job as it was stored")
    choice.add_argument("--drop", metavar="JOB", help="delete the outcome of this job")
    parked.set_defaults(command=_parked)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    configure_logging()
    settings = from_arguments(arguments)
    try:
        miner = Miner(settings)
    except OSError as error:
        raise SettingsError(f"the state folder cannot be used ({error}); choose another with --state-dir") from error
    for number in (signal.SIGTERM, signal.SIGINT):
        # In a thread: the handler interrupts the main thread, which may hold a lock that drain needs.
        signal.signal(number, lambda *_: threading.Thread(target=miner.drain).start())
    miner.run()
    return 0


def _engines(arguments: argparse.Namespace) -> int:
    return _print({name: vars(offered) for name, offered in offers.look_up().items()})


def _gpus(arguments: argparse.Namespace) -> int:
    driver = GpuDriver()
    try:
        described, now = driver.describe(), driver.metrics()
    finally:
        driver.close()
    if described is None:
        print("the GPU driver does not answer; `nvidia-smi` may say more", file=sys.stderr)
        return 1
    unread = ", ".join(str(place["index"]) for place in described["unread"])
    if unread:
        print(f"the GPU driver does not say what there is at {unread}; `nvidia-smi` may say more", file=sys.stderr)
    return _print({"gpus": described["gpus"], "cuda": described["cuda"], "now": now}) or int(bool(unread))


def _try(arguments: argparse.Namespace) -> int:
    job: EngineJob = {"job": "try", "payload": _payload(arguments.payload), "input": None, "state": None}
    child = Child(arguments.engine, memory.total_mb(), threads=2)
    try:
        outcome = child.run(job, seconds=3600, hooks=Hooks(lambda fraction, note: _say(f"{fraction:4.0%} {note}")))
    finally:
        child.close()
    if outcome.result is None:
        _say(f"{outcome.code}: {outcome.message}")
        return 1
    return _print(outcome.result)


def _payload(text: str) -> dict[str, Any]:
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"the payload is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise SettingsError("the payload must be a JSON object")
    return payload


def _parked(arguments: argparse.Namespace) -> int:
    parked = ParkedDeliveries(arguments.state_dir)
    if arguments.show:
        try:
            content = parked.show(arguments.show)
        except Unreadable as error:
            raise SettingsError(f"{arguments.show} in {parked.folder} cannot be shown: {error}") from error
        if content is None:
            raise SettingsError(f"no outcome of job {arguments.show} is in {parked.folder}")
        return _write(decoded(content))
    if arguments.drop:
        if not parked.drop(arguments.drop):
            raise SettingsError(f"no outcome of job {arguments.drop} is in {parked.folder}")
        return 0
    return _print([entry.to_json() for entry in parked.entries()])


def configure_logging() -> None:
    """Log in colours at a terminal, else one plain line each."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.logging import RichHandler

        handler: logging.Handler = RichHandler(console=Console(stderr=True), show_path=False)
        handler.setFormatter(PrintableFormatter("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level="INFO", handlers=[handler])
    logging.getLogger("httpx").setLevel("WARNING")


def _say(text: str) -> None:
    """Write a line of an engine's or a model server's own words to standard error."""
    print(printable(text), file=sys.stderr)


def _print(content: object) -> int:
    return _write(json.dumps(content, indent=2))


def _write(text: str) -> int:
    """Print; returns the exit status: 1 where the output is closed, full, or read by nobody."""
    if sys.stdout is None:
        print("cannot write the output: it is closed", file=sys.stderr)
        return 1
    try:
        print(printable(text), flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the rest goes nowhere, so that it does not fail again at the end
        if not isinstance(error, BrokenPipeError):
            print(f"cannot write the output: {error.strerror}", file=sys.stderr)
        return 1
    return 0
