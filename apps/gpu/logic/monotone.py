"""Curves that never turn: monotone cubic interpolation, and the nearest rising steps. Pure, no libraries."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


class Pchip:
    """Piecewise cubic Hermite interpolation that keeps the data's shape (Fritsch and Butland, 1984); flat outside."""

    def __init__(self, x: Sequence[float], y: Sequence[float]) -> None:
        self.x, self.y = list(x), list(y)
        self._steps = [right - left for left, right in zip(self.x, self.x[1:], strict=False)]
        rises = zip(self.y, self.y[1:], self._steps, strict=False)
        self._slopes = [(right - left) / step for left, right, step in rises]
        self._tangents = self._all_tangents()

    def __call__(self, at: float) -> float:
        if at <= self.x[0]:
            return self.y[0]
        if at >= self.x[-1]:
            return self.y[-1]
        n = bisect_right(self.x, at) - 1
        h = self._steps[n]
        t = (at - self.x[n]) / h
        left = self.y[n] * (1 + 2 * t) * (1 - t) ** 2 + h * self._tangents[n] * t * (1 - t) ** 2
        return left + self.y[n + 1] * t**2 * (3 - 2 * t) - h * self._tangents[n + 1] * t**2 * (1 - t)

    def _all_tangents(self) -> list[float]:
        h, m = self._steps, self._slopes
        if len(m) == 1:
            return [m[0], m[0]]
        inner = [_harmonic(h[n - 1], h[n], m[n - 1], m[n]) for n in range(1, len(m))]
        return [_end(h[0], h[1], m[0], m[1]), *inner, _end(h[-1], h[-2], m[-1], m[-2])]


def isotonic(y: Sequence[float]) -> list[float]:
    """Return the nearest never falling sequence by least squares: pool adjacent violators (Ayer et al., 1955)."""
    pools: list[tuple[float, int]] = []
    for value in y:
        mean, size = float(value), 1
        while pools and pools[-1][0] > mean:
            before, count = pools.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        pools.append((mean, size))
    return [mean for mean, size in pools for _ in range(size)]


def _harmonic(h0: float, h1: float, m0: float, m1: float) -> float:
    """The tangent between two intervals: zero at a turn, else a weighted harmonic mean of the slopes."""
    if m0 * m1 <= 0:
        return 0.0
    w0, w1 = 2 * h1 + h0, h1 + 2 * h0
    return (w0 + w1) / (w0 / m0 + w1 / m1)


def _end(h0: float, h1: float, m0: float, m1: float) -> float:
    """The tangent at an end, by three points, kept from overshooting."""
    tangent = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
    if tangent * m0 <= 0:
        return 0.0
    return 3 * m0 if m0 * m1 <= 0 and abs(tangent) > abs(3 * m0) else tangent
