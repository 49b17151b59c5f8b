"""The canonical requirement: rounded onto a grid, never past what the client allows, and few in number."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ai.logic import requirements

pytestmark = pytest.mark.no_db


@given(st.integers(min_value=0, max_value=10**15))
def test_a_price_ceiling_is_rounded_down_to_two_digits(price):
    ceiling = requirements.price_ceiling(price)

    assert ceiling == int(str(price)[:2] + "0" * (len(str(price)) - 2))
    assert ceiling <= price
    assert requirements.price_ceiling(ceiling) == ceiling


@given(st.decimals(min_value=0, max_value=4096, places=3))
def test_a_memory_floor_is_the_least_step_that_is_enough(gibibytes):
    floor = requirements.memory_mb(gibibytes)

    assert floor == next(step for step in range(0, 4096 * 1024 + 1, 256) if step >= gibibytes * 1024)


@given(st.decimals(min_value=0, max_value=1, places=5))
def test_a_reputation_floor_is_the_least_step_that_is_enough(share):
    floor = requirements.reputation_floor(share)

    assert floor == next(step for step in range(0, 1001, 10) if step >= share * 1000)


@pytest.mark.parametrize(
    ("constraints", "count"),
    [({}, 0), ({"region": "eu"}, 0), ({"cuda": "12"}, 1), ({"min_vram_gb": Decimal(8)}, 1), ({"gpu_count": 3}, 3)],
)
def test_a_constraint_on_a_gpu_needs_a_gpu(constraints, count):
    assert requirements.gpu_count(constraints) == count


def test_equal_constraints_are_one_requirement_whatever_their_form():
    one = requirements.requirement_of("a", {"models": ["x", "y", "x"], "max_price": 456_700, "region": ""})
    same = requirements.requirement_of("a", {"models": ["y", "x"], "max_price": 450_000, "cuda": None})

    assert one == same
    assert "booking_id" not in one
