"""`make bench`: run the benchmarks and print one table. `python -m bench relay claim` runs just those."""

from __future__ import annotations

import importlib
import os
import sys

NAMES = ("relay", "serve", "doors", "claim", "life", "herd", "sweeps", "sealing", "search")


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitbc.settings")
    import django

    django.setup()
    from bench.report import show

    figures = []
    for name in sys.argv[1:] or NAMES:
        print(f"bench: {name} …", file=sys.stderr, flush=True)
        figures += list(importlib.import_module(f"bench.{name}").run())
    return 0 if show(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
