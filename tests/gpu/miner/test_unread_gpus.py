"""Devices that the driver does not say anything of stay what they were; those that it calls lost go."""

import pytest

from apps.gpu.miner import gpus, power
from tests.gpu.miner.nvml import GIB, GPU_IS_LOST, NOT_FOUND, NOT_SUPPORTED, UNKNOWN, FakeGpu, Fault, install, remove
from tests.gpu.miner.test_nvml import A100, CUT

pytestmark = pytest.mark.no_db


@pytest.fixture(autouse=True)
def _no_library_afterwards():
    yield
    remove()


HANDLE, SLICE, MODE, UUID = (
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetMigDeviceHandleByIndex",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetUUID",
)
WHOLE = FakeGpu(A100, "GPU-B", 80 * GIB, mig=True)
BAD = Fault("error", UNKNOWN)


def detected_after(earlier: list[dict], *machine: FakeGpu, **faults: Fault) -> list[dict]:
    """What is registered of a machine after something else was."""
    install(*machine, **faults)
    found = gpus.detect()
    return gpus.completed(found.gpus, earlier, found.unread)


@pytest.mark.parametrize(
    "faults",
    [
        {HANDLE: BAD},
        {HANDLE: Fault("missing")},
        {HANDLE: Fault("raises", OSError("x"))},
        {HANDLE: Fault("error", UNKNOWN, only="GPU-A")},
        {HANDLE: Fault("error", UNKNOWN, only="GPU-B")},
        {HANDLE: Fault("error", 4)},
        {MODE: BAD, SLICE: BAD},
        {MODE: Fault("absurd", 77), SLICE: Fault("error", NOT_SUPPORTED)},
        {SLICE: BAD},
        {SLICE: Fault("missing"), MODE: BAD},
        {"nvmlDeviceGetMaxMigDeviceCount": BAD},
        {"nvmlDeviceGetMaxMigDeviceCount": Fault("absurd", 2**32 - 1)},
        {UUID: Fault("error", UNKNOWN, only="MIG-22222222")},
        {UUID: BAD},
        {UUID: BAD, "nvmlDeviceGetName": BAD, "nvmlDeviceGetMemoryInfo": BAD},
        {"nvmlDeviceGetName": BAD},
        {"nvmlDeviceGetName": Fault("garbage", b"\x01")},
        {"nvmlDeviceGetMemoryInfo": BAD},
        {"nvmlDeviceGetMemoryInfo": Fault("error", NOT_SUPPORTED)},
        {"nvmlDeviceGetMemoryInfo": Fault("absurd", 0)},
    ],
)
def test_the_devices_known_stay_while_the_driver_does_not_say_what_they_are(faults):
    earlier = detected_after([], CUT, WHOLE)
    assert [gpu["uuid"] for gpu in earlier] == ["MIG-11111111", "MIG-22222222", "GPU-B"]

    later = detected_after(earlier, CUT, WHOLE, **faults)

    kept = ("uuid", "index", "name", "memory_mb", "architecture", "unified_memory")
    assert [[gpu.get(name) for name in kept] for gpu in later] == [[gpu.get(name) for name in kept] for gpu in earlier]
    assert detected_after(later, CUT, WHOLE) == earlier


@pytest.mark.parametrize(
    ("faults", "left"),
    [
        ({HANDLE: Fault("error", GPU_IS_LOST, only="GPU-B")}, ["MIG-11111111", "MIG-22222222"]),
        ({HANDLE: Fault("error", NOT_FOUND, only="GPU-A")}, ["GPU-B"]),
        ({MODE: Fault("error", GPU_IS_LOST, only="GPU-B")}, ["MIG-11111111", "MIG-22222222"]),
        ({SLICE: Fault("error", NOT_FOUND)}, ["GPU-B"]),
    ],
)
def test_a_device_that_the_driver_calls_lost_goes_and_no_other(faults, left):
    earlier = detected_after([], CUT, WHOLE)

    assert [gpu["uuid"] for gpu in detected_after(earlier, CUT, WHOLE, **faults)] == left


def test_a_card_that_is_cut_now_does_not_stay_as_a_whole_while_its_slices_cannot_be_read():
    whole = FakeGpu(A100, "GPU-A", 80 * GIB, mig=True)
    earlier = detected_after([], whole, WHOLE)

    assert [gpu["uuid"] for gpu in detected_after(earlier, CUT, WHOLE, **{SLICE: BAD})] == ["GPU-B"]
    assert [gpu["uuid"] for gpu in detected_after(earlier, CUT, WHOLE, **{HANDLE: BAD})] == ["GPU-A", "GPU-B"]


def test_a_card_whose_uuid_cannot_be_read_is_not_another_ones_double():
    one, two = FakeGpu(uuid="GPU-1"), FakeGpu(uuid="GPU-2")
    earlier = detected_after([], one, two)

    later = detected_after(earlier, two, one, **{UUID: Fault("error", UNKNOWN, only="GPU-2")})

    assert [gpu.get("uuid") for gpu in later].count("GPU-1") == 1


def test_limits_of_zero_are_not_known():
    zeros = ("PowerManagementLimit", "PowerManagementLimitConstraints", "PowerManagementDefaultLimit", "MaxClockInfo")
    install(FakeGpu(), **{f"nvmlDeviceGet{name}": Fault("absurd", 0) for name in zeros})

    (gpu,) = gpus.detect().gpus

    assert "power" not in gpu and "clocks" not in gpu and "power_limit_w" not in power.state()
