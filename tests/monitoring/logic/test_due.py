"""When something is overdue."""

from __future__ import annotations

import pytest

from apps.monitoring.logic.due import GRACE_SECONDS, overdue_after

pytestmark = pytest.mark.no_db


@pytest.mark.parametrize("seconds", [1.0, 90.0, 86_400.0])
def test_one_missed_turn_is_overdue_and_a_late_one_is_not(seconds):
    assert seconds + GRACE_SECONDS < overdue_after(seconds) < 3 * seconds + 2 * GRACE_SECONDS
