"""Cards, miners and bookings moved in any order: after every step each card has one booking at most (U5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from apps.gpu.models import GPURegistry, Miner, Reservation
from apps.gpu.services import gpu_availability, gpus, miner_cache, reservations, silent_miners, uuid_disputes
from apps.gpu.states import BOOKED
from tests.clients import Api
from tests.gpu.factories import RTX_4090, M, closed, register, reserved, started, violations

UUIDS = ("GPU-1", "GPU-2", "GPU-3")
SETTINGS = settings(
    max_examples=6,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
    phases=[Phase.explicit, Phase.generate],  # each example takes a second: shrinking one takes ten minutes
)


def machine(api: Api) -> type[RuleBasedStateMachine]:
    class Market(RuleBasedStateMachine):
        """What marketplace, miner, owner and operator may do, in any order, some of it twice."""

        bookings = Bundle("bookings")

        @initialize()
        def come(self) -> None:
            miner_cache.forget()
            Reservation.objects.all().delete()
            GPURegistry.objects.all().delete()
            self.names(set(UUIDS))

        @rule(uuids=st.sets(st.sampled_from(UUIDS)))
        def names(self, uuids: set[str]) -> None:
            register(api, gpus=[{**RTX_4090, "uuid": uuid} for uuid in sorted(uuids)])

        @rule(target=bookings, uuids=st.sets(st.sampled_from(UUIDS), min_size=1), late=st.sampled_from([0, 0, 900]))
        def is_booked(self, uuids: set[str], late: int):
            registered = GPURegistry.objects.filter(uuid__in=uuids).order_by("uuid")
            fact = reserved(*registered, starts_in=late)
            reservations.reserve([fact])
            return fact

        @rule(fact=bookings)
        def is_published_again(self, fact) -> None:
            reservations.reserve([fact])

        @rule(fact=bookings)
        def is_ready(self, fact) -> None:
            api.post(f"{M}/heartbeat", {"bookings_ready": [fact.booking_id]}, x_miner_id="rig")

        @rule(fact=bookings)
        def starts(self, fact) -> None:
            reservations.start([started(fact)])

        @rule(fact=bookings)
        def closes(self, fact) -> None:
            reservations.close([closed(fact)])

        @rule()
        def time_passes(self) -> None:
            Reservation.objects.update(starts_at=timezone.now() - timedelta(seconds=1))
            reservations.hold_due()
            reservations.close_forgotten()
            gpu_availability.repair()

        @rule()
        def miner_falls_silent(self) -> None:
            for _ in range(2):
                Miner.objects.update(last_heartbeat=timezone.now() - timedelta(hours=1))
                silent_miners.watch_miners()

        @rule()
        def miner_is_heard(self) -> None:
            api.post(f"{M}/heartbeat", {}, x_miner_id="rig")

        @rule(flag=st.sampled_from(["drain", "force"]))
        def miner_leaves(self, flag: str) -> None:
            api.delete(f"{M}/rig?{flag}=1")

        @rule(uuid=st.sampled_from(UUIDS), on=st.booleans())
        def owner_switches(self, uuid: str, on: bool) -> None:
            gpu = GPURegistry.objects.filter(uuid=uuid).exclude(state__in=["quarantined", "retired"]).first()
            if gpu is not None:
                gpus.change(gpu, on=on, actor="owner")

        @rule(uuid=st.sampled_from(UUIDS))
        def operator_quarantines(self, uuid: str) -> None:
            uuid_disputes.quarantine(
                GPURegistry.objects.filter(uuid=uuid).values_list("pk", flat=True), reason="seen", actor="operator"
            )

        @rule(uuid=st.sampled_from(UUIDS))
        def operator_releases(self, uuid: str) -> None:
            for gpu in GPURegistry.objects.filter(uuid=uuid, state="quarantined"):
                uuid_disputes.release(gpu, reason="fine", actor="operator")

        @invariant()
        def holds(self) -> None:
            assert violations() == []
            for miner in Miner.objects.all():
                booked = {gpu.position for gpu in miner.gpus.filter(state__in=BOOKED)}
                assert booked <= set(miner.booked.get("hidden", []))

    return Market


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_gpu_never_has_two_bookings(miner_api: Api):
    run_state_machine_as_test(machine(miner_api), settings=SETTINGS)
