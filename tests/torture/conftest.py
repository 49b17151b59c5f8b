"""Real processes, no database of the test's own."""

from __future__ import annotations

from tests.embedded.conftest import var

__all__ = ["var"]
