#!/usr/bin/env python
"""The command line of an AITBC installation; also installed as `aitbc`."""

from aitbc.__main__ import main

if __name__ == "__main__":
    main()
