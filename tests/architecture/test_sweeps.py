"""Every state that is not final has a sweep that looks after it, on the schedule."""

from __future__ import annotations

import importlib

import pytest
from django.apps import apps

from aitbc.core.states import StatefulModel, finals_of
from aitbc.schedule import SCHEDULE

SWEEPS = {
    "ai.AIJob": {
        "submitted": "apps.ai.tasks.expire_overdue",
        "queued": "apps.ai.tasks.expire_overdue",
        "running": "apps.gpu.tasks.sweep_leases",
        "succeeded": "apps.ai.tasks.reconcile",
    },
    "gpu.Miner": {
        "online": "apps.gpu.tasks.sweep_miners",
        "suspect": "apps.gpu.tasks.sweep_miners",
        "offline": "apps.gpu.tasks.sweep_miners",
        "draining": "apps.gpu.tasks.sweep_miners",
    },
    "gpu.Lease": {"leased": "apps.gpu.tasks.sweep_leases"},
    "gpu.GPURegistry": dict.fromkeys(
        ("registered", "verifying", "available", "reserved", "busy", "draining", "offline"), "apps.gpu.tasks.sweep_gpus"
    ),
    "gpu.GPUBenchmark": dict.fromkeys(("requested", "committed"), "apps.gpu.tasks.sweep_benchmarks"),
    "gpu.MinerCommand": {"open": "apps.gpu.tasks.sweep_commands"},
    "trading.Payment": {
        "held": "apps.trading.tasks.release_overdue_holds",
    },
    "trading.Escrow": {"held": "apps.trading.tasks.reconcile_escrows"},
    "trading.Bond": {"held": "apps.trading.tasks.reconcile_escrows"},
    "marketplace.MarketplaceOffer": dict.fromkeys(
        ("draft", "open", "paused", "booked_out"), "apps.marketplace.tasks.sweep_offers"
    ),
    "marketplace.MarketplaceDemand": dict.fromkeys(
        ("draft", "open", "closing", "awarded"), "apps.marketplace.tasks.close_auctions"
    ),
    "marketplace.MarketplaceBid": dict.fromkeys(("pending", "open"), "apps.marketplace.tasks.close_auctions"),
    "marketplace.GPUBooking": dict.fromkeys(
        (
            "requested",
            "reserved",
            "provisioning",
            "active",
            "reclaiming",
            "ended",
            "no_show",
            "failed_hardware",
            "cancelled_renter",
            "cancelled_provider",
        ),
        "apps.marketplace.tasks.run_bookings",
    ),
}
# States a thing may stay in for ever, though it may leave them again: a deregistered miner may come back.
RESTING = {
    "gpu.Miner": {"deregistered"},
    "gpu.GPURegistry": {"quarantined", "retired"},  # until an operator looks; until it comes back
    "gpu.MinerCommand": {"answered"},
}
MODELS = [model for model in apps.get_models() if issubclass(model, StatefulModel)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_each_non_final_state_has_a_sweep(model):
    open_states = set(model.TRANSITIONS) - set(finals_of(model.TRANSITIONS)) - RESTING.get(model._meta.label, set())

    assert set(SWEEPS[model._meta.label]) == open_states


@pytest.mark.parametrize("task", sorted({task for table in SWEEPS.values() for task in table.values()}))
def test_each_sweep_is_scheduled(task):
    assert task in SCHEDULE


@pytest.mark.parametrize("task", sorted({entry["task"] for entry in SCHEDULE.values()}))
def test_each_scheduled_task_exists(task):
    module, _, name = task.rpartition(".")

    assert getattr(importlib.import_module(module), name).name == task
