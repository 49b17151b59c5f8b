"""The console script `aitbc`: the same as manage.py."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130  # 128 + SIGINT, as shells say it


def main() -> None:
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def run() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitbc.settings")
    if sys.argv[1:2] == ["relay"]:
        os.environ.setdefault("AITBC_ROLE", "relay")  # before the settings are read: they decide deadlines and pools
    from aitbc.core.cli import streams
    from aitbc.core.cli.overview import Program

    try:
        with streams.guarded():
            Program(sys.argv).execute()
    except streams.OutputLost as error:
        sys.exit(streams.report(error))


if __name__ == "__main__":
    main()
