"""The command line of the miner: `aitbc-miner run`, and what this host can offer."""

import argparse
import json
import logging
import signal
import sys
import threading

from apps.gpu.miner import engines, gpus, host
from apps.gpu.miner.child import EngineJob
from apps.gpu.miner.daemon import Miner
from apps.gpu.miner.journal import StateInUse
from apps.gpu.miner.settings import add_arguments, from_arguments
from apps.gpu.miner.workers import Child, Hooks

EXAMPLES = """examples:
  AITBC_URL=https://exchange.example AITBC_MINER_KEY=... aitbc-miner run --slots 2 --price 0.5
  aitbc-miner run --engine inference            offer one engine only
  aitbc-miner engines                           what this host could offer
  aitbc-miner try benchmark '{"size": 1024}'    run an engine here, without an exchange
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = _parser().parse_args(argv)
    status: int = arguments.command(arguments)
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
    return parser


def _run(arguments: argparse.Namespace) -> int:
    configure_logging()
    settings = from_arguments(arguments)
    if not settings.key:
        print("no API key: set AITBC_MINER_KEY (an operator makes one with `manage.py key create`)", file=sys.stderr)
        return 2
    try:
        miner = Miner(settings)
    except StateInUse as error:
        print(error, file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        # In a thread: the handler interrupts the main thread, which may hold a lock that drain needs.
        signal.signal(number, lambda *_: threading.Thread(target=miner.drain).start())
    miner.run()
    return 0


def _engines(arguments: argparse.Namespace) -> int:
    found = {
        name: {"task_types": engines.task_types(engine), "models": engine.models()}
        for name, engine in engines.available().items()
    }
    return _print(found)


def _gpus(arguments: argparse.Namespace) -> int:
    return _print({"gpus": gpus.detect(), "cuda": gpus.cuda_version(), "now": gpus.metrics()})


def _try(arguments: argparse.Namespace) -> int:
    child = Child(arguments.engine, host.memory_mb(), threads=2)
    job: EngineJob = {"job": "try", "payload": json.loads(arguments.payload), "input": None, "state": None}
    outcome = child.run(
        job, seconds=3600, hooks=Hooks(lambda fraction, note: print(f"{fraction:4.0%} {note}", file=sys.stderr))
    )
    child.close()
    if outcome.result is None:
        print(f"{outcome.code}: {outcome.message}", file=sys.stderr)
        return 1
    return _print(outcome.result)


def configure_logging() -> None:
    """Log in colours at a terminal, else one plain line each."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.logging import RichHandler

        logging.basicConfig(
            level="INFO", format="%(message)s", handlers=[RichHandler(console=Console(stderr=True), show_path=False)]
        )
    else:
        logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel("WARNING")


def _print(content: object) -> int:
    print(json.dumps(content, indent=2))
    return 0
