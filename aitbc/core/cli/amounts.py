"""Amounts of AIT as arguments: argparse's types for them."""

from __future__ import annotations

from argparse import ArgumentTypeError

from aitbc.core.money import parse_amount


class Amount:
    """An amount of AIT as requests carry it: the text as it is typed, once it is one."""

    def __init__(self, *, above_zero: bool = False) -> None:
        self.least = 1 if above_zero else 0
        self.words = f"an amount of AIT{' above zero' if above_zero else ''} with at most six places, e.g. 1.5"

    def __call__(self, typed: str) -> str:
        try:
            micro = parse_amount(typed)
        except ValueError:
            micro = -1
        if micro < self.least:
            raise ArgumentTypeError(f"{typed[:40]!r} is not {self.words}")
        return typed


AIT = Amount()
AIT_ABOVE_ZERO = Amount(above_zero=True)
