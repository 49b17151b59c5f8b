"""What the driver answers, and what it does not: NVML is a fake at the boundary of ctypes, pynvml the real one."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitbc.core.parsers import loads
from apps.gpu.logic import encoding, telemetry
from apps.gpu.logic.capabilities import normalise
from apps.gpu.logic.miner_payloads import metrics_of
from apps.gpu.miner import gpus, host, memory, nvml, power
from tests.gpu.miner.nvml import (
    GIB,
    GPU_IS_LOST,
    NOT_SUPPORTED,
    UNKNOWN,
    FakeGpu,
    FakeSlice,
    Fault,
    install,
    remove,
)

pytestmark = pytest.mark.no_db

A100 = b"NVIDIA A100-SXM4-80GB"
SLICES = [
    FakeSlice("MIG-11111111", 10 * GIB, A100 + b" MIG 1g.10gb"),
    FakeSlice("MIG-22222222", 20 * GIB, A100),  # older drivers give a slice the name of the whole
]
CUT = FakeGpu(A100, "GPU-A", 80 * GIB, slices=SLICES)


@pytest.fixture(autouse=True)
def _no_library_afterwards():
    yield
    remove()


def test_the_description_of_a_gpu_has_bus_limits_and_clocks_and_leaves_out_what_is_unknown():
    install(FakeGpu(name=b"NVIDIA GeForce RTX 4090"), nvmlDeviceGetVbiosVersion=Fault("missing"))

    (gpu,) = gpus.detect().gpus

    assert gpu["uuid"] == "GPU-1" and gpu["compute_capability"] == "8.9" and gpu["driver"] == "580.65"
    assert gpu["pci"] == {"bus_id": "00000000:01:00.0", "max_generation": 4, "max_lanes": 16}
    assert gpu["power"] == {"min_w": 150, "max_w": 600, "default_w": 450, "limit_w": 400}
    assert gpu["clocks"]["memory_max_mhz"] == 3000 and gpu["display_attached"] is False
    assert gpu["consumer_grade"] is True and gpu["memory_mb"] == 24576
    assert "mig" not in gpu and "nvlink" not in gpu and "vbios" not in gpu


def test_the_metrics_of_a_gpu_name_what_limits_it():
    install(FakeGpu())

    (now,) = gpus.metrics()

    assert now["power_limit_active"] is True and now["thermal_throttling_active"] is False
    assert (now["utilization"], now["power_w"], now["graphics_clock_mhz"]) == (70, 310.4, 2500)
    assert "fan_percent" not in now


def test_a_cut_gpu_is_its_slices_each_with_its_own_uuid_and_memory():
    install(CUT, FakeGpu(A100, "GPU-B", 80 * GIB, mig=True))

    small, large, whole = gpus.detect().gpus

    assert (small["uuid"], small["memory_mb"], small["name"]) == (
        "MIG-11111111",
        10 * 1024,
        "NVIDIA A100-SXM4-80GB MIG 1g.10gb",
    )
    assert (large["uuid"], large["memory_mb"], large["name"]) == (
        "MIG-22222222",
        20 * 1024,
        "NVIDIA A100-SXM4-80GB MIG",
    )
    assert small["mig"] == {"enabled": True, "slot": 0, "parent": "GPU-A"}
    assert small["compute_capability"] == "8.9" and not {"power", "clocks", "nvlink"} & set(small)
    assert (whole["uuid"], whole["memory_mb"]) == ("GPU-B", 80 * 1024)
    assert whole["mig"] == {"capable": True, "enabled": False}


def test_the_metrics_of_a_slice_are_its_memory():
    install(CUT)

    small, _ = gpus.metrics()

    assert small == {"index": 0, "uuid": "MIG-11111111", "memory_used_mb": 2560, "memory_total_mb": 10240}


def test_a_cut_gpu_without_slices_is_no_device():
    install(FakeGpu(A100, "GPU-A", 80 * GIB, slices=[]))

    assert gpus.detect().gpus == []


@pytest.mark.parametrize("fault", [Fault("error", UNKNOWN), Fault("missing"), Fault("absurd", 77)])
def test_a_cut_gpu_is_known_by_its_slices_where_its_mode_cannot_be_read(fault):
    install(CUT, nvmlDeviceGetMigMode=fault)

    assert [gpu["uuid"] for gpu in gpus.detect().gpus] == ["MIG-11111111", "MIG-22222222"]


def test_a_slice_that_cannot_be_addressed_is_left_out():
    install(CUT, nvmlDeviceGetUUID=Fault("error", UNKNOWN))

    assert gpus.detect().gpus == []


@pytest.mark.parametrize("total", [None, 0])
def test_a_gpu_with_unified_memory_has_the_machines(total):
    install(FakeGpu(b"NVIDIA GB10", "GPU-S", total))

    (gpu,), (now,) = gpus.detect().gpus, gpus.metrics()

    assert gpu["memory_mb"] == memory.total_mb() > 0 and gpu["unified_memory"] is True
    assert now["memory_total_mb"] == memory.total_mb() and 0 <= now["memory_used_mb"] <= now["memory_total_mb"]


def test_a_memory_that_cannot_be_read_is_neither_the_machines_nor_zero():
    install(FakeGpu(), nvmlDeviceGetMemoryInfo=Fault("error", GPU_IS_LOST))

    assert "memory_mb" not in gpus.detect().gpus[0]


def test_a_name_that_is_not_utf_8_is_shown_with_what_can_be_read():
    install(FakeGpu(name=b"NVIDIA \xff\xfeRTX\x07 4090"))

    assert gpus.detect().gpus[0]["name"] == "NVIDIA \ufffd\ufffdRTX 4090"


def test_a_lost_gpu_does_not_hide_the_others():
    library = install(FakeGpu(uuid="GPU-1"), FakeGpu(uuid="GPU-2"))
    answer, library.gpus = library.gpus, [FakeGpu(uuid="GPU-1"), FakeGpu(uuid="GPU-2")]
    library.gpus = answer[:1] + [None]

    assert [gpu["uuid"] for gpu in gpus.detect().gpus if "uuid" in gpu] == ["GPU-1"]


@pytest.mark.parametrize("function", ["nvmlInitWithFlags", "nvmlDeviceGetCount_v2"])
@pytest.mark.parametrize("fault", [Fault("error", UNKNOWN), Fault("missing"), Fault("raises", ValueError("x"))])
def test_a_driver_that_does_not_name_its_gpus_is_in_trouble_and_not_absent(function, fault):
    install(FakeGpu(), **{function: fault})

    with pytest.raises(nvml.DriverFailed):
        gpus.detect()


@pytest.mark.parametrize("code", nvml.ABSENT)
def test_without_a_driver_there_is_no_gpu(code):
    install(FakeGpu(), nvmlInitWithFlags=Fault("error", code))

    assert gpus.detect().gpus == [] and gpus.metrics() == [] and gpus.cuda_version() is None


def test_what_was_known_of_a_gpu_stays_while_it_cannot_be_read():
    install(FakeGpu())
    earlier = gpus.detect().gpus
    install(
        FakeGpu(),
        nvmlDeviceGetMemoryInfo=Fault("error", UNKNOWN),
        nvmlDeviceGetName=Fault("missing"),
        nvmlDeviceGetUUID=Fault("error", UNKNOWN),
    )

    assert gpus.completed(gpus.detect().gpus, earlier) == earlier
    assert gpus.completed(gpus.detect().gpus, [])[0]["name"] == "unknown"


FUNCTIONS = sorted(
    {
        "nvmlDeviceGetArchitecture", "nvmlDeviceGetClockInfo", "nvmlDeviceGetCount_v2",
        "nvmlDeviceGetCudaComputeCapability", "nvmlDeviceGetCurrentClocksThrottleReasons", "nvmlDeviceGetDisplayActive",
        "nvmlDeviceGetFanSpeed", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetMaxClockInfo",
        "nvmlDeviceGetMaxMigDeviceCount", "nvmlDeviceGetMaxPcieLinkGeneration", "nvmlDeviceGetMaxPcieLinkWidth",
        "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMigDeviceHandleByIndex", "nvmlDeviceGetMigMode", "nvmlDeviceGetName",
        "nvmlDeviceGetNvLinkState", "nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPowerManagementDefaultLimit",
        "nvmlDeviceGetPowerManagementLimit", "nvmlDeviceGetPowerManagementLimitConstraints", "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetTemperature", "nvmlDeviceGetUUID", "nvmlDeviceGetUtilizationRates", "nvmlDeviceGetVbiosVersion",
        "nvmlInitWithFlags", "nvmlShutdown", "nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetDriverVersion",
    }
)  # fmt: skip
ERRORS = st.sampled_from(
    [ValueError("x"), OSError(5, "x"), RuntimeError("x"), UnicodeDecodeError("utf-8", b"", 0, 1, "x")]
)
FAULTS = st.one_of(
    st.integers(1, 29).map(lambda code: Fault("error", code)),
    st.just(Fault("error", UNKNOWN)),
    st.just(Fault("missing")),
    ERRORS.map(lambda error: Fault("raises", error)),
    st.binary(min_size=1, max_size=16).map(lambda text: Fault("garbage", text.replace(b"\x00", b"\xff"))),
    st.sampled_from([0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1]).map(lambda value: Fault("absurd", value)),
)
HOSTS = st.lists(
    st.sampled_from([FakeGpu(), CUT, FakeGpu(b"NVIDIA GB10", "GPU-S", None), FakeGpu(b"\xff\xfe", "", 0, mig=True)]),
    max_size=3,
)


def test_the_functions_under_test_are_those_that_are_called():
    library = install(FakeGpu(), CUT)
    gpus.detect(), gpus.metrics(), gpus.cuda_version()

    assert library.called == set(FUNCTIONS)


def accepted(body: dict) -> dict:
    """The body as the exchange reads it."""
    encoded = encoding.encode(body)
    loads(encoded)
    return json.loads(encoded)


@given(machine=HOSTS, faults=st.dictionaries(st.sampled_from(FUNCTIONS), FAULTS, max_size=8))
@settings(max_examples=200, deadline=None)
def test_whatever_the_driver_does_the_exchange_takes_registration_and_heartbeat(machine, faults):
    install(*machine, **faults)
    try:
        described, measured = gpus.completed(gpus.detect().gpus, []), gpus.metrics()
        cuda = gpus.cuda_version()
    except nvml.DriverFailed:
        assert {"nvmlInitWithFlags", "nvmlDeviceGetCount_v2"} & set(faults)
        return
    assert power.state() is not None

    offer = normalise(accepted({"gpus": described, **({"cuda": cuda} if cuda else {})}))
    assert len(offer.gpus) == len(described) and all(gpu.name for gpu in offer.gpus)
    believed = faults.get("nvmlDeviceGetMigMode") == Fault("absurd", 0)  # a driver that says: it is not cut
    hidden = faults.get("nvmlDeviceGetMigMode") in (Fault("missing"), Fault("error", 3), Fault("error", 13))
    assert "GPU-A" not in {gpu.uuid for gpu in offer.gpus} or believed or hidden
    json.dumps([gpu.details for gpu in offer.gpus], allow_nan=False)

    columns = telemetry.gpu_metrics(metrics_of(accepted({"metrics": host.metrics(measured)})))
    assert len(columns) <= max(len(measured), 1)
    for one in columns:
        assert 0 <= one.get("gpu_utilization_percent", 0) <= 100 and 0 <= one.get("memory_used_mb", 0) < 2**31


@pytest.mark.parametrize("uuid", ["MIG-11111111", "GPU-9"])
def test_a_power_limit_is_set_on_whole_gpus_that_are_here(uuid):
    install(CUT, FakeGpu(uuid="GPU-1"))

    assert power.apply("GPU-1", {"power_limit_w": 400}) == {"power_limit_w": 400.0}
    with pytest.raises(power.NotPermitted, match="slice|no card"):
        power.apply(uuid, {"power_limit_w": 400})


@pytest.mark.parametrize("value", [None, [], "x", 5, {}, {"power_limit_w": 10**400}, {"power_limit_w": float("nan")}])
def test_settings_that_are_none_are_refused(value):
    install(FakeGpu())

    with pytest.raises(power.NotPermitted):
        power.apply("GPU-1", value)


@pytest.mark.parametrize(
    "fault", [Fault("missing"), Fault("error", NOT_SUPPORTED), Fault("raises", OSError("x")), Fault("absurd", 0)]
)
def test_a_driver_that_fails_over_a_power_limit_refuses_it(fault):
    install(FakeGpu(), nvmlDeviceGetPowerManagementLimitConstraints=fault)

    with pytest.raises(power.NotPermitted):
        power.apply("GPU-1", {"power_limit_w": 400})
