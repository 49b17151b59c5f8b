"""`python -m apps.gpu.miner`: the same program as `aitbc-miner`."""

import signal


def main() -> int:
    """Run the command line; return the exit status. Ctrl-C ends the program silently, even while it still loads."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from apps.gpu.miner import cli

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
