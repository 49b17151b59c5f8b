"""`make bench`: run the benchmarks and print one table. `python -m bench relay claim` runs just those.

It needs DATABASE_URL and REDIS_URL of servers that may be filled (`make bench` starts its own, which wait for the
disk), and keeps its files, sockets and keys in a folder of its own.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import traceback

from bench.progress import console, step
from bench.report import Measurement, show

NAMES = (
    "relay", "sealing", "sweeps", "serve", "endpoints", "rush", "life", "claim", "booking", "optimize", "search",
    "auction", "herd",  # last: its miners stay
)  # fmt: skip


def prepare(var: str) -> None:
    os.environ |= {"AITBC_VAR_DIR": var, "AITBC_RUN_DIR": f"{var}/run", "AITBC_LOG_LEVEL": "ERROR"}
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitbc.settings")
    import django

    django.setup()
    from bench.stack import migrated

    with step("databases"):
        migrated()


def measure(names: list[str]) -> bool:
    """Run them one after another; one that breaks is reported and does not stop the others."""
    measurements: list[Measurement] = []
    broken: dict[str, str] = {}
    for name in names:
        console.print(f"[bold]{name}[/]")
        try:
            for measurement in importlib.import_module(f"bench.{name}").run():
                console.print(f"  [cyan]{measurement.name}: {measurement.value:,.2f} {measurement.unit}[/]")
                measurements.append(measurement)
        except Exception as error:  # noqa: BLE001  # whatever a benchmark raises is shown in the table
            traceback.print_exc()
            broken[name] = f"{type(error).__name__}: {error}"
    return show(measurements, broken)


def main() -> int:
    names = sys.argv[1:] or list(NAMES)
    if unknown := [name for name in names if name not in NAMES]:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="aitbc-bench-") as var:
        prepare(var)
        return 0 if measure(names) else 1


if __name__ == "__main__":
    sys.exit(main())
