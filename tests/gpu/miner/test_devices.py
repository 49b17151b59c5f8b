"""How the miner describes its devices, detects them again, and makes them ready for a renter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.gpu.miner import bookings, gpus
from tests.gpu.miner.conftest import ROOT
from tests.gpu.miner.nvml import GPU_IS_LOST, UNKNOWN, Fault, break_down
from tests.gpu.miner.test_daemon import pid_of

BOOKING = {"booking_id": "b1", "gpu_ids": ["g1"], "gpu_uuids": [], "ready": False}


def registered(exchange) -> dict:
    return exchange.until(lambda: exchange.registered and exchange.registered[-1])["capabilities"]


def ready(exchange) -> list[str]:
    return exchange.heartbeats[-1].get("bookings_ready", []) if exchange.heartbeats else []


no_gpu = pytest.mark.skipif(bool(gpus.detect().gpus), reason="this machine has a GPU")


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


def use_library(folder, *lines: str) -> None:
    """Have the programs started in this folder find a fake NVML."""
    head = "from pathlib import Path", "import pynvml", "from tests.gpu.miner.nvml import *"
    (folder / "plugins" / "sitecustomize.py").write_text("\n".join([*head, *lines]))


CUT = """install(FakeGpu(b"NVIDIA A100-SXM4-80GB", "GPU-A", 80 * GIB, slices=[
    FakeSlice("MIG-1", 10 * GIB, b"NVIDIA A100-SXM4-80GB MIG 1g.10gb"),
    FakeSlice("MIG-2", 40 * GIB, b"NVIDIA A100-SXM4-80GB MIG 3g.40gb"),
]))"""


def visible_to(exchange, job_id: str) -> str:
    entry = exchange.until(lambda: (job := exchange.progress_of(job_id)) and "pid" in job["note"] and job)
    environment = Path(f"/proc/{entry['note'].split()[1]}/environ").read_text().split("\0")
    return next(line.partition("=")[2] for line in environment if line.startswith("CUDA_VISIBLE_DEVICES="))


def test_a_cut_card_is_offered_as_slices_and_each_job_sees_one_that_suffices(exchange, start, folder):
    use_library(folder, CUT)
    exchange.offer("large", "sleeper", {}, constraints={"min_vram_gb": 20})
    start(exchange, "--engine", "sleeper", "--slots", "3")

    offered = registered(exchange)["gpus"]
    assert [(gpu["uuid"], gpu["memory_mb"]) for gpu in offered] == [("MIG-1", 10240), ("MIG-2", 40960)]
    assert visible_to(exchange, "large") == "MIG-2"
    exchange.offer("any", "sleeper", {}, constraints={})
    assert visible_to(exchange, "any") == "MIG-1"
    exchange.offer("booked", "sleeper", {}, booking_id="b1", gpu_uuids=["MIG-1"])
    assert visible_to(exchange, "booked") == "MIG-1"
    measured = exchange.until(lambda: exchange.heartbeats and exchange.heartbeats[-1])["metrics"]["gpus"]
    assert [gpu["memory_total_mb"] for gpu in measured] == [10240, 40960]


@pytest.mark.parametrize(
    "broken",
    [
        'install(FakeGpu(b"\\xff\\xfe", "GPU-1"))',
        'install(FakeGpu(), nvmlDeviceGetCount_v2=Fault("error", 999))',
        'install(FakeGpu(), nvmlInitWithFlags=Fault("missing"))',
        'install(FakeGpu(), nvmlSystemGetCudaDriverVersion_v2=Fault("missing"), nvmlShutdown=Fault("error", 999))',
        'install(FakeGpu(), nvmlDeviceGetUtilizationRates=Fault("hangs"))',
        'import os; install(FakeGpu(), nvmlDeviceGetUtilizationRates=Fault("raises", SystemExit(3)))',
    ],
)
def test_a_driver_in_trouble_stops_neither_registration_nor_heartbeats_nor_jobs(exchange, start, folder, broken):
    use_library(folder, broken)
    start(exchange, "--engine", "sleeper", "--engine", "language")

    capabilities = registered(exchange)
    assert len(capabilities["gpus"]) == ("Count" not in broken and "Init" not in broken)
    exchange.until(lambda: len(exchange.heartbeats) > 3)
    assert "uuid" not in capabilities["cpu"]  # a host whose driver is in trouble is not one without a GPU
    exchange.offer("j1", "language", {"text": "guten Morgen"})
    assert exchange.delivery_of("j1")[0] == "result"


def test_a_driver_in_trouble_is_reported_to_a_scan(exchange, start, folder):
    use_library(folder, 'install(FakeGpu(), nvmlDeviceGetCount_v2=Fault("error", 999))')
    start(exchange, "--engine", "sleeper")
    registered(exchange)
    exchange.commands = [{"order_id": "o1", "kind": "scan", "body": {}}]

    path, body = exchange.until(lambda: exchange.reports and exchange.reports[0])

    assert path == "/orders/o1" and "driver" in body["error"]


PAIR = 'install(FakeGpu(uuid="GPU-1"), FakeGpu(uuid="GPU-2"))'
BAD = Fault("error", UNKNOWN)


def look_again(exchange, scan: str) -> dict:
    """Have the miner look up its devices; return its report. What it registers for that comes with a heartbeat."""
    exchange.commands = [{"order_id": scan, "kind": "scan", "body": {}}]
    report = exchange.until(lambda: next((body for path, body in exchange.reports if path == f"/orders/{scan}"), None))
    beats = len(exchange.heartbeats)
    exchange.until(lambda: len(exchange.heartbeats) > beats + 1)
    return report


def uuids(capabilities: dict) -> list[str]:
    found = [gpu["uuid"] for gpu in capabilities["gpus"]]
    return found + ([capabilities["cpu"]["uuid"]] if "uuid" in capabilities.get("cpu", {}) else [])


@pytest.mark.parametrize(
    ("machine", "faults", "known"),
    [
        (PAIR, {"nvmlDeviceGetHandleByIndex_v2": BAD}, ["GPU-1", "GPU-2"]),
        (PAIR, {"nvmlDeviceGetHandleByIndex_v2": Fault("error", UNKNOWN, only="GPU-2")}, ["GPU-1", "GPU-2"]),
        (PAIR, {"nvmlDeviceGetUUID": BAD, "nvmlDeviceGetName": BAD}, ["GPU-1", "GPU-2"]),
        (PAIR, {"nvmlDeviceGetMigMode": BAD}, ["GPU-1", "GPU-2"]),
        (PAIR, {"nvmlDeviceGetCount_v2": BAD}, ["GPU-1", "GPU-2"]),
        (PAIR, {"nvmlInitWithFlags": BAD}, ["GPU-1", "GPU-2"]),
        (PAIR, {"nvmlInitWithFlags": Fault("error", 9)}, ["GPU-1", "GPU-2"]),
        (PAIR, {"nvmlInitWithFlags": Fault("error", 12)}, ["GPU-1", "GPU-2"]),
        ("CUT", {"nvmlDeviceGetMigDeviceHandleByIndex": BAD}, ["MIG-1", "MIG-2"]),
        ("CUT", {"nvmlDeviceGetUUID": BAD}, ["MIG-1", "MIG-2"]),
    ],
)
def test_cards_stay_registered_while_the_driver_of_a_running_miner_is_in_trouble(
    exchange, start, folder, machine, faults, known
):
    switch = folder / "faults.json"
    use_library(folder, CUT if machine == "CUT" else machine, f"pynvml.nvmlLib.switch = Path({str(switch)!r})")
    start(exchange, "--engine", "sleeper")
    assert uuids(registered(exchange)) == known

    break_down(switch, **faults)
    report = look_again(exchange, "o1")

    assert "error" in report or [gpu["uuid"] for gpu in report["gpus"]] == known
    assert all(uuids(body["capabilities"]) == known for body in exchange.registered)
    break_down(switch)
    exchange.reports.clear()
    if "error" not in report:  # a query that failed is repeated after a minute only
        assert [gpu["uuid"] for gpu in look_again(exchange, "o2")["gpus"]] == known


def test_the_processor_never_takes_the_place_of_a_card_that_is_lost(exchange, start, folder):
    switch = folder / "faults.json"
    use_library(folder, PAIR, f"pynvml.nvmlLib.switch = Path({str(switch)!r})")
    start(exchange, "--engine", "sleeper")
    registered(exchange)

    break_down(switch, nvmlDeviceGetHandleByIndex_v2=Fault("error", GPU_IS_LOST, only="GPU-2"))
    assert [gpu["uuid"] for gpu in look_again(exchange, "o1")["gpus"]] == ["GPU-1"]
    break_down(switch, nvmlDeviceGetHandleByIndex_v2=Fault("error", GPU_IS_LOST))
    look_again(exchange, "o2")

    assert [uuids(body["capabilities"]) for body in exchange.registered] == [["GPU-1", "GPU-2"], ["GPU-1"], []]


@pytest.mark.parametrize(
    "broken",
    [
        'install(FakeGpu(), nvmlDeviceGetHandleByIndex_v2=Fault("error", 999))',
        'install(FakeGpu(slices=[FakeSlice("MIG-1", GIB)]), nvmlDeviceGetMigDeviceHandleByIndex=Fault("error", 999))',
        'install(FakeGpu(slices=[FakeSlice("MIG-1", GIB)]), nvmlDeviceGetUUID=Fault("error", 999))',
        'install(FakeGpu(mig=True), nvmlDeviceGetMigMode=Fault("error", 999))',
    ],
)
def test_a_card_that_cannot_be_read_at_the_start_is_not_replaced_by_the_processor(exchange, start, folder, broken):
    use_library(folder, broken)
    start(exchange, "--engine", "sleeper")
    assert uuids(registered(exchange)) == []
    assert "driver" in look_again(exchange, "o1")["error"]

    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder / 'plugins'}"}
    command = [sys.executable, "-m", "apps.gpu.miner", "gpus"]
    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert printed.returncode == 1 and "does not say" in printed.stderr


def test_the_program_prints_what_the_driver_reports():
    printed = subprocess.run(
        [sys.executable, "-m", "apps.gpu.miner", "gpus"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(json.loads(printed.stdout)) == {"gpus", "cuda", "now"}
