"""Every state that is not final is left by a sweep on the schedule once its deadline has passed, and not before."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from aitbc.core.idempotency import AbstractIdempotencyRecord
from aitbc.core.messaging.relay import drain
from aitbc.core.states import StatefulModel, finals_of
from aitbc.domains import LABELS
from aitbc.schedule import SCHEDULE
from tests.sweeping import Case, Cases, StateReaders

RELAY = "aitbc.core.messaging.relay.drain"  # always at work, hence not on the schedule
#: By model and state, the task that ends what is overdue. After a comma: which of several deadlines.
SWEEPS: dict[str, dict[str, str]] = {
    "ai.AIJob": {
        "submitted": "apps.ai.tasks.expire_overdue",
        "submitted, the request for its money is lost": "apps.ai.tasks.reconcile",
        "queued": "apps.ai.tasks.expire_overdue",
        "running": "apps.ai.tasks.expire_overdue",
        "running, its miner is silent": "apps.gpu.tasks.sweep_leases",
        "cancelling": "apps.ai.tasks.expire_overdue",
        "cancelling, the request to gpu is lost": "apps.ai.tasks.reconcile",
        "succeeded": "apps.ai.tasks.reconcile",
    },
    "gpu.Miner": dict.fromkeys(
        ("online", "suspect", "draining", "draining, it is silent"), "apps.gpu.tasks.sweep_miners"
    ),
    "gpu.Lease": {"leased": "apps.gpu.tasks.sweep_leases"},
    "gpu.Work": {
        "delayed": "apps.gpu.tasks.sweep_leases",
        "waiting": "apps.ai.tasks.expire_overdue",
        "leased": "apps.gpu.tasks.sweep_leases",
        "done": "apps.gpu.tasks.sweep_queue",
    },
    "gpu.GPURegistry": {
        **dict.fromkeys(
            (
                "registered",
                "verifying, its miner is away",
                "available",
                "reserved",
                "reserved, its miner is away",
                "busy",
                "busy, its miner is away",
                "draining",
                "offline",
            ),
            "apps.gpu.tasks.sweep_gpus",
        ),
        "verifying": "apps.gpu.tasks.sweep_benchmarks",
        "available, its test is due": "apps.gpu.tasks.sweep_benchmarks",
    },
    "gpu.Reservation": dict.fromkeys(("waiting", "held"), "apps.gpu.tasks.sweep_gpus"),
    "gpu.GPUBenchmark": dict.fromkeys(("requested", "committed"), "apps.gpu.tasks.sweep_benchmarks"),
    "gpu.MinerCommand": {
        "open": "apps.gpu.tasks.sweep_commands",
        "answered, its effect is not judged": "apps.gpu.tasks.sweep_benchmarks",
        "answered, its effect is not measured": "apps.gpu.tasks.sweep_benchmarks",
    },
    "trading.Payment": {"held": "apps.trading.tasks.release_overdue_holds"},
    "trading.Escrow": dict.fromkeys(("held", "held, its booking is unknown"), "apps.trading.tasks.reconcile_escrows"),
    "trading.Bond": dict.fromkeys(("held", "held, its bid is unknown"), "apps.trading.tasks.reconcile_escrows"),
    "trading.Reversal": {"proposed": "apps.trading.tasks.expire_proposals"},
    "trading.Withdrawal": dict.fromkeys(("requested", "proposed"), "apps.trading.tasks.expire_proposals"),
    "marketplace.MarketplaceOffer": dict.fromkeys(
        ("draft", "open", "paused", "booked_out", "booked_out, a slot is free again"),
        "apps.marketplace.tasks.sweep_offers",
    ),
    "marketplace.MarketplaceDemand": dict.fromkeys(
        ("draft", "open", "open, it was to start by now", "open, its auction is over", "closing", "awarded"),
        "apps.marketplace.tasks.close_auctions",
    ),
    "marketplace.MarketplaceBid": dict.fromkeys(
        ("pending", "pending, it has expired", "open", "open, its auction is over"),
        "apps.marketplace.tasks.close_auctions",
    ),
    "marketplace.GPUBooking": dict.fromkeys(
        (
            "requested",
            "reserved",
            "reserved, its time is over",
            "provisioning",
            "active",
            "active, its extension is not answered",
            "reclaiming",
            "ended",
            "no_show",
            "failed_hardware",
            "cancelled_renter",
            "cancelled_provider",
        ),
        "apps.marketplace.tasks.run_bookings",
    ),
    "marketplace.BookingExtension": dict.fromkeys(
        ("asked", "asked, its booking is over"), "apps.marketplace.tasks.run_bookings"
    ),
    "marketplace.Quote": {"unused": "apps.marketplace.tasks.purge_idempotency_records"},
    "monitoring.Heartbeat": {"expected": "apps.monitoring.tasks.sweep_heartbeats"},
    **{
        f"{label}.IdempotencyRecord": {"stored": f"apps.{label}.tasks.purge_idempotency_records"}
        for label in ("ai", "gpu", "marketplace", "trading")
    },
    **{f"{label}.Outbox": {"waiting": RELAY} for label in LABELS},
}
#: States in which a row may stay for ever, and why; of a model without a column of that name, "*".
RESTING: dict[str, dict[str, str]] = {
    "accounts.ApiKey": {"*": "its time is judged at each request; the row stays as evidence"},
    "gpu.Backend": {"*": "a feeder whose time is over is replaced by poll_backends; the back-end itself stays"},
    "gpu.Miner": {
        "offline": "no promise depends on it: its GPUs and bookings ended with it; it may be heard again",
        "deregistered": "it may register again",
    },
    "gpu.GPURegistry": {
        "quarantined": "until an operator looks, or it passes a benchmark",
        "retired": "until it comes back",
    },
    "marketplace.BookingExtension": {"held": "final", "refused": "final"},
    "marketplace.RegisteredGPU": {"*": "a copy of gpu's row, which has the sweep"},
    "trading.Transfer": {"*": "append-only; a pending one is resolved with its payment, bond or withdrawal"},
    "trading.Withdrawal": {"approved": "it may be paid outside already; an operator, who knows, pays or rejects it"},
}
DEADLINE = re.compile(r"^(due|expires|timeout|closes|starts|ends|retest|reclaim)_at$|_(by|until)$")


def is_ours(model: type[models.Model]) -> bool:
    return model.__module__.startswith(("aitbc.", "apps."))


def needs_sweep(model: type[models.Model]) -> bool:
    """Whether rows of this model can be overdue: they have a state or a deadline, or are kept for a time."""
    dates = [field.name for field in model._meta.fields if isinstance(field, models.DateTimeField)]
    stateful = any(field.name == "state" for field in model._meta.fields)
    return stateful or any(map(DEADLINE.search, dates)) or issubclass(model, AbstractIdempotencyRecord)


def open_states(model: type[models.Model]) -> set[str] | None:
    """The states of this model's rows that may be left; None where the model does not say which there are."""
    transitions = getattr(model, "TRANSITIONS", None)
    if transitions is not None:
        return {str(state) for state in transitions} - {str(state) for state in finals_of(transitions)}
    fields = {field.name: field for field in model._meta.fields}
    choices = fields["state"].choices if "state" in fields else None
    return {str(value) for value, _ in choices} if choices else None


def collected(name: str) -> dict[str, Any]:
    """A mapping by model, of every tests/<domain>/services/overdue.py and of tests/core/overdue.py."""
    tests = Path(__file__).parents[1]
    found: dict[str, Any] = {}
    for path in sorted([*tests.glob("*/services/overdue.py"), *tests.glob("core/overdue.py")]):
        module = importlib.import_module(".".join(path.relative_to(tests.parent).with_suffix("").parts))
        of_module = getattr(module, name)
        assert not found.keys() & of_module.keys(), path
        found |= of_module
    return found


def states_of(keys: Iterable[str]) -> set[str]:
    return {key.partition(",")[0] for key in keys}


CASES: Cases = collected("CASES")
STATES: StateReaders = collected("STATES")
MODELS = [model for model in apps.get_models() if is_ours(model) and needs_sweep(model)]
TRIED = [(label, key) for label, cases in CASES.items() for key in cases]


def test_models_with_states_are_found():
    labels = {model._meta.label for model in MODELS}

    assert {model._meta.label for model in apps.get_models() if issubclass(model, StatefulModel)} <= labels
    assert labels == SWEEPS.keys() | RESTING.keys()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_each_open_state_has_a_sweep_or_a_reason_to_rest(model):
    label = model._meta.label
    swept, resting = states_of(SWEEPS.get(label, {})), RESTING.get(label, {})

    assert all(resting.values()) and not swept & resting.keys()
    assert swept | resting.keys() == (open_states(model) or swept | resting.keys())


@pytest.mark.parametrize("label", sorted(SWEEPS.keys() | CASES.keys()))
def test_each_sweep_is_tried_on_an_overdue_row(label):
    assert SWEEPS[label].keys() == CASES[label].keys()


@pytest.mark.parametrize(("label", "key"), TRIED, ids=[": ".join(one) for one in TRIED])
def test_an_overdue_row_is_swept_and_no_other(label, key):
    case: Case = CASES[label][key]
    with closing(case()) as steps:
        row = next(steps)
        assert row._meta.label == label
        state = state_of(row)
        assert state == key.partition(",")[0]
        sweep(SWEEPS[label][key])
        assert state_of(row) == state, "it was not overdue"
        next(steps, None)
        assert state_of(row) == state
        sweep(SWEEPS[label][key])
        assert state_of(row) != state


def sweep(task: str) -> None:
    """Run a task as its schedule does, and let everybody hear of it."""
    if task != RELAY:
        task_called(task)()
    drain()


def task_called(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def state_of(row: models.Model) -> str | None:
    """The state of a row in the database; None once it is deleted."""
    present = type(row)._base_manager.filter(pk=row.pk).first()
    if present is None:
        return None
    return str(STATES.get(row._meta.label, lambda one: one.state)(present))


@pytest.mark.parametrize("task", sorted({task for table in SWEEPS.values() for task in table.values()} - {RELAY}))
def test_each_sweep_is_scheduled(task):
    assert task in SCHEDULE


@pytest.mark.parametrize("task", sorted({entry["task"] for entry in SCHEDULE.values()}))
def test_each_scheduled_task_exists(task):
    assert task_called(task).name == task
