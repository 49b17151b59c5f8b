"""The settings of the miner: command line, else environment, else a development checkout's `var/dev.env`."""

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apps.gpu.logic.encoding import decoded

DEV_ENV = Path("var/dev.env")
URL = re.compile(r"https?://[!-~]+")
KEY = re.compile(r"[!-~]+")  # what a header may carry
LONGEST_DRAIN = 86_400
PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
MINER_ID = re.compile(r"[!-~]{0,128}")


class SettingsError(Exception):
    """A setting that the caller must correct; the text says how."""


@dataclass(frozen=True)
class Settings:
    """The settings of one run; memory and input sizes in MiB."""

    url: str
    key: str
    miner_id: str
    state_dir: Path
    slots: int
    price: str
    region: str
    engines: tuple[str, ...]
    memory_mb: int
    job_seconds: int
    drain_seconds: float
    input_mb: int
    wait_seconds: int
    once: int
    cpu_device: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run` to a parser."""
    env = environment()
    add = parser.add_argument
    add("--url", default=env.get("AITBC_URL", "http://127.0.0.1:8000"), help="the exchange (AITBC_URL)")
    add("--key", default="", help="the API key; better set as AITBC_MINER_KEY, where no process list shows it")
    add(
        "--miner-id",
        default=env.get("AITBC_MINER_ID", ""),
        help="which of the key owner's miners this is (AITBC_MINER_ID)",
    )
    add("--state-dir", type=Path, default=state_dir(), help="where unsent results are stored")
    add("--slots", type=_whole(1, 1024), default=env.get("AITBC_MINER_SLOTS", "2"), help="jobs at the same time")
    add(
        "--price",
        type=_price,
        default=env.get("AITBC_MINER_PRICE", ""),
        help="AIT per hour of computing; default: the exchange's reference rate",
    )
    add("--region", default=env.get("AITBC_MINER_REGION", ""), help="where this host is, e.g. eu-central")
    add("--engine", dest="engines", action="append", default=[], help="offer only this engine; may be repeated")
    add(
        "--memory-mb",
        type=_whole(0, 2**31 - 1),
        default=env.get("AITBC_MINER_MEMORY_MB", "0"),
        help="memory limit of one job; 0: a share of the host's",
    )
    add(
        "--job-seconds",
        type=_whole(1, 86_400),
        default=3600,
        help="time limit of one job; the job's own may be shorter",
    )
    add(
        "--drain-seconds",
        type=_seconds,
        default=30.0,
        help="how long SIGTERM waits for running jobs before it hands them back",
    )
    add("--input-mb", type=_whole(1, 2**31 - 1), default=256, help="largest input this miner downloads")
    add("--wait-seconds", type=_whole(0, 3600), default=20, help="how long one poll waits at the exchange for work")
    add(
        "--cpu-device",
        action=argparse.BooleanOptionalAction,
        default=env.get("AITBC_MINER_CPU_DEVICE", "1").lower() not in ("0", "false", "no"),
        help="on a host without a GPU, offer its processor as a device that can be rented (AITBC_MINER_CPU_DEVICE)",
    )
    add("--once", type=_whole(1, 2**31 - 1), default=0, metavar="N", help="exit after N jobs")


def from_arguments(arguments: argparse.Namespace) -> Settings:
    """Return the settings of parsed arguments. Raises SettingsError."""
    values = {name: getattr(arguments, name) for name in Settings.__annotations__}
    # Not a default of the parser: --help prints those.
    key = arguments.key or environment().get("AITBC_MINER_KEY", "")
    settings = Settings(**values | {"engines": tuple(arguments.engines), "key": key})
    _check(settings)
    return settings


def state_dir() -> Path:
    """Return the state folder that no option names."""
    return Path(environment().get("AITBC_MINER_STATE", "var/miner"))


def _check(settings: Settings) -> None:
    if not settings.key:
        raise SettingsError("no API key: set AITBC_MINER_KEY (an operator makes one with `manage.py key create`)")
    if not KEY.fullmatch(settings.key):
        raise SettingsError("the API key has characters that no key has: copy it again into AITBC_MINER_KEY")
    if not URL.fullmatch(settings.url):
        raise SettingsError(f"{settings.url!r} is no address of an exchange: set AITBC_URL, e.g. http://127.0.0.1:8000")
    if not MINER_ID.fullmatch(settings.miner_id):
        raise SettingsError("a miner's id is up to 128 ASCII characters without spaces: correct AITBC_MINER_ID")


def environment() -> dict[str, str]:
    """Return the environment; in a development checkout, above the variables that `make up` wrote."""
    defaults = {}
    if DEV_ENV.is_file():
        lines = decoded(DEV_ENV.read_bytes()).splitlines()
        pairs = (
            line.removeprefix("export ").split("=", 1) for line in lines if "=" in line and not line.startswith("#")
        )
        defaults = {name.strip(): value.strip().strip("'\"") for name, value in pairs}
    return defaults | dict(os.environ)


def _whole(low: int, high: int) -> Callable[[str], int]:
    """A type of arguments: a whole number in this range."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {low} to {high}")
        return int(text)

    return read


def _price(text: str) -> str:
    """A type of arguments: what the exchange takes as a price, or nothing, for its reference rate."""
    if text and not PRICE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not an amount of AIT with at most six places, e.g. 1.5")
    return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text) or float(text) > LONGEST_DRAIN:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of seconds from 0 to {LONGEST_DRAIN}")
    return float(text)
