"""The ceiling of a paid job whose client names none: a multiple of the market's median rate."""

from __future__ import annotations

GRID = 10_000  # micro-AIT per hour: gpu compares ceilings on this grid
ENOUGH_OWNERS = 3  # with fewer, one of them alone can raise the median as it likes


def market_ceiling(median: int | None, *, owners: int, percent: int, default: int) -> int:
    """Return the ceiling in micro-AIT per hour: this percentage of the median, rounded up to two digits and the grid.

    It is the default where there is no median, and not above it where that is of fewer than three owners.
    """
    if median is None:
        return default
    exact = median * percent // 100
    grid: int = max(GRID, 10 ** max(0, len(str(exact)) - 2))
    ceiling = -(-exact // grid) * grid
    return ceiling if owners >= ENOUGH_OWNERS else min(ceiling, default)
