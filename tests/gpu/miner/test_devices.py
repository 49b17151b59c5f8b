"""How the miner describes its devices, detects them again, and makes them ready for a renter."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from apps.gpu.miner import bookings, gpus
from tests.gpu.miner.conftest import ROOT
from tests.gpu.miner.test_daemon import pid_of

BOOKING = {"booking_id": "b1", "gpu_ids": ["g1"], "gpu_uuids": [], "ready": False}


def registered(exchange) -> dict:
    return exchange.until(lambda: exchange.registered and exchange.registered[-1])["capabilities"]


def ready(exchange) -> list[str]:
    return exchange.heartbeats[-1].get("bookings_ready", []) if exchange.heartbeats else []


no_gpu = pytest.mark.skipif(bool(gpus.detect()), reason="this machine has a GPU")


@no_gpu
def test_without_a_gpu_the_processor_is_offered_as_a_device(exchange, start):
    miner = start(exchange, "--engine", "sleeper", "--slots", "2", "--memory-mb", "512")
    cpu = registered(exchange)["cpu"]
    assert cpu["uuid"].startswith("CPU-") and cpu["memory_mb"] == 1024 and cpu["name"] and cpu["cores"] >= 1
    assert (miner.state_dir / "processor").read_text().strip() == cpu["uuid"]
    (metrics,) = exchange.until(lambda: exchange.heartbeats and exchange.heartbeats[-1])["metrics"]["gpus"]
    assert metrics["uuid"] == cpu["uuid"] and 0 <= metrics["utilization"] <= 100
    assert metrics["memory_total_mb"] == 1024
    miner.process.terminate()
    assert miner.wait() == 0
    exchange.registered.clear()
    start(exchange, "--engine", "sleeper", "--memory-mb", "512")
    assert registered(exchange)["cpu"]["uuid"] == cpu["uuid"]


def test_the_processor_can_be_kept_out_of_it(exchange, start):
    start(exchange, "--engine", "sleeper", "--no-cpu-device")
    assert "uuid" not in registered(exchange)["cpu"]


@no_gpu
def test_a_scan_is_reported_once_with_what_is_found(exchange, start):
    start(exchange, "--engine", "sleeper")
    registered(exchange)
    exchange.commands = [{"order_id": "o1", "kind": "scan", "body": {}}, {"order_id": "o2", "kind": "dance"}]
    path, body = exchange.until(lambda: exchange.reports and exchange.reports[0])
    assert path == "/orders/o1" and body["gpus"] == [] and body["discovery_method"] == "cpu"
    assert body["cpu"]["uuid"] == registered(exchange)["cpu"]["uuid"]


def test_a_waiting_poll_is_ended_and_the_miner_beats_at_once(exchange, start):
    exchange.heartbeat_seconds = 300
    start(exchange, "--engine", "sleeper", "--wait-seconds", "60")
    exchange.until(lambda: exchange.polls and exchange.heartbeats)
    beats = len(exchange.heartbeats)
    exchange.call()
    exchange.until(lambda: len(exchange.heartbeats) > beats)
    exchange.until(lambda: exchange.polls[-1].get("attention") == 1)


def test_a_booking_is_ready_at_once_when_no_job_is_in_hand(exchange, start):
    start(exchange, "--engine", "sleeper")
    registered(exchange)
    exchange.bookings = [BOOKING]
    exchange.until(lambda: ready(exchange) == ["b1"])
    exchange.bookings = [{**BOOKING, "ready": True}]
    exchange.until(lambda: ready(exchange) == [])


@no_gpu
def test_a_renter_waits_for_the_jobs_of_others_to_end(exchange, start):
    exchange.offer("j1", "sleeper", {})
    start(exchange, "--engine", "sleeper")
    pid_of(exchange, "j1")
    exchange.bookings = [BOOKING]
    beats = len(exchange.heartbeats)
    exchange.until(lambda: len(exchange.heartbeats) > beats + 3)
    assert ready(exchange) == []
    exchange.cancel = ["j1"]
    exchange.until(lambda: ready(exchange) == ["b1"])


def test_a_renters_own_job_lets_nobody_wait_and_sees_only_its_gpus(exchange, start):
    exchange.offer("j1", "sleeper", {}, booking_id="b1", gpu_uuids=["GPU-7", "GPU-8"])
    start(exchange, "--engine", "sleeper")
    entry = exchange.until(lambda: (job := exchange.progress_of("j1")) and "pid" in job["note"] and job)
    exchange.bookings = [{**BOOKING, "booking_id": "b2"}]
    exchange.until(lambda: ready(exchange) == ["b2"])
    environment = Path(f"/proc/{entry['note'].split()[1]}/environ").read_text().split("\0")
    assert "CUDA_VISIBLE_DEVICES=GPU-7,GPU-8" in environment


def test_patience_with_the_jobs_of_others_ends(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(bookings.time, "monotonic", lambda: now[0])
    known, one = bookings.Bookings(), bookings.parse([BOOKING])
    assert known.update(one, gpus=1, other_jobs=1) is False and known.ready_ids() == []
    assert known.update(one, gpus=2, other_jobs=1) is True  # a GPU is free for the others
    known = bookings.Bookings()
    known.update(one, gpus=1, other_jobs=1)
    now[0] = bookings.PATIENCE_SECONDS + 1
    assert known.update(one, gpus=1, other_jobs=1) is True and known.ready_ids() == ["b1"]


@pytest.mark.parametrize("value", [None, "x", {}, [None, 1, {}]])
def test_bookings_that_cannot_be_parsed_are_ignored(value):
    assert not bookings.parse(value)


class Driver:
    """NVML with one GPU; functions that are not here stand for a library too old to have them."""

    NVMLError = type("NVMLError", (Exception,), {})
    NVML_CLOCK_GRAPHICS, NVML_CLOCK_MEM, NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 0, 2, 1, 0

    def __getattr__(self, function):
        values = {
            "nvmlDeviceGetName": b"NVIDIA GeForce RTX 4090",
            "nvmlDeviceGetUUID": b"GPU-1",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=24564 * 2**20, used=100 * 2**20),
            "nvmlDeviceGetArchitecture": 8,
            "nvmlSystemGetDriverVersion": "580.65",
            "nvmlDeviceGetCudaComputeCapability": (8, 9),
            "nvmlDeviceGetPciInfo": SimpleNamespace(busId=b"00000000:01:00.0"),
            "nvmlDeviceGetMaxPcieLinkGeneration": 4,
            "nvmlDeviceGetMaxPcieLinkWidth": 16,
            "nvmlDeviceGetPowerManagementLimitConstraints": (150_000, 600_000),
            "nvmlDeviceGetPowerManagementDefaultLimit": 450_000,
            "nvmlDeviceGetPowerManagementLimit": 400_000,
            "nvmlDeviceGetMaxClockInfo": 3000,
            "nvmlDeviceGetClockInfo": 2500,
            "nvmlDeviceGetDisplayActive": 0,
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=70, memory=30),
            "nvmlDeviceGetPowerUsage": 310_400,
            "nvmlDeviceGetTemperature": 61,
            "nvmlDeviceGetCurrentClocksThrottleReasons": 0x04,
        }
        if function not in values:
            if function.endswith(("Speed", "MigMode", "NvLinkState", "Version")):
                raise AttributeError(function)
            return self._fail
        return lambda *arguments: values[function]

    def _fail(self, *arguments):
        raise self.NVMLError


def test_the_description_of_a_gpu_has_bus_limits_and_clocks_and_leaves_out_what_is_unknown(monkeypatch):
    monkeypatch.setattr(gpus, "cuda_version", lambda: "12.8")
    gpu = gpus.describe(Driver(), 0, None)
    assert gpu["uuid"] == "GPU-1" and gpu["compute_capability"] == "8.9" and gpu["driver"] == "580.65"
    assert gpu["pci"] == {"bus_id": "00000000:01:00.0", "max_generation": 4, "max_lanes": 16}
    assert gpu["power"] == {"min_w": 150, "max_w": 600, "default_w": 450, "limit_w": 400}
    assert gpu["clocks"]["memory_max_mhz"] == 3000 and gpu["display_attached"] is False
    assert "mig" not in gpu and "nvlink" not in gpu and "vbios" not in gpu


def test_the_metrics_of_a_gpu_name_what_limits_it():
    now = gpus.measure(Driver(), 0, None)
    assert now["power_limit_active"] is True and now["thermal_throttling_active"] is False
    assert (now["utilization"], now["power_w"], now["graphics_clock_mhz"]) == (70, 310.4, 2500)
    assert "fan_percent" not in now


def test_the_program_prints_what_the_driver_reports():
    printed = subprocess.run(
        [sys.executable, "-m", "apps.gpu.miner", "gpus"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(json.loads(printed.stdout)) == {"gpus", "cuda", "now"}
