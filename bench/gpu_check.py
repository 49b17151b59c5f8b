"""On a machine with a GPU: run the miner's benchmark of this commit and check it as the exchange would. No Django.

python3 bench/gpu_check.py [--backend torch|cupy] [--memory-share 0.9] [--json FILE]
"""

from __future__ import annotations

import argparse
import csv
import json
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# This folder has modules named like the standard library's; only the root is looked into.
sys.path[0] = str(ROOT)

from apps.gpu.logic import benchmark_scoring, challenge, challenge_check  # noqa: E402
from apps.gpu.miner import devices, gpus, measurements, power  # noqa: E402
from apps.gpu.miner.prover import Prover  # noqa: E402

CATALOGUE = ROOT / "apps" / "gpu" / "data" / "gpu_catalogue.csv"
NAMES = {"bandwidth_gbps": "bandwidth_gbps", "fp32_tflops": "fp32_tflops", "fp16_tflops": "fp16_tensor_tflops_dense"}


def main() -> int:
    options = arguments()
    found = gpus.detect().gpus
    gpu = found[0] if found else {"name": "cpu", "memory_mb": 512, "uuid": ""}
    device = devices._cupy() if options.backend == "cupy" else devices.pick()
    model = catalogue_row(gpu["name"])
    print(f"GPU: {gpu}\ncatalogue: {model and model['model']}\nbackend: {device.backend} on {device.name}")
    with clock("suite"):
        measured = measurements.measure(device)
    environment = measurements.environment(device, gpu["uuid"])
    show_measurements(measured, environment)

    task = task_for(device, gpu["memory_mb"], float(model["fp32_tflops"]) if model else 1.0, options.memory_share)
    proof = prove(task, device)
    judged = judge(task, measured, environment, proof, model)
    show_verdict(task, proof, judged)
    print(f"power: {power.state(gpu['uuid'])}")
    if options.json:
        report = {"card": gpu, "figures": measured, "environment": environment, "task": task.to_json(),
                  "verdict": judged, "seconds": proof["commitment"]["seconds"], "took": took}  # fmt: skip
        Path(options.json).write_text(json.dumps(report, indent=1))
    return 0 if proof["refused"] and judged["state"] == "passed" else 1


took: dict[str, float] = {}


@contextmanager
def clock(name: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    took[name] = round(time.perf_counter() - begun, 3)
    print(f"{name}: {took[name]:.2f} s", flush=True)


def prove(task: challenge.Task, device: Any) -> dict[str, Any]:
    """The challenge as miner and exchange go through it, and a forged answer."""
    prover = Prover(task, device)
    with clock("proof"):
        commitment = prover.commit()
    question = challenge_check.draw(task)
    with clock("answer"):
        sent = json.dumps(prover.answer(question))
    print(f"answer: {len(sent) / 1e6:.2f} MB")
    answer = json.loads(sent)
    with clock("check"):
        faults = challenge_check.check(task, commitment, question, answer)
    forged = {**answer, "rows": [answer["rows"][-1], *answer["rows"][1:]]}
    refused = bool(challenge_check.check(task, commitment, question, forged))
    print(f"faults: {faults}; forged answer refused: {refused}")
    return {"commitment": commitment, "faults": faults, "refused": refused}


def judge(task: challenge.Task, measured: dict, environment: dict, proof: dict, model: dict | None) -> dict[str, Any]:
    reference = {name: float(model[column] or 0) or None for name, column in NAMES.items()} if model else {}
    return benchmark_scoring.judge(
        task, measured, reference, elapsed=took["proof"], faults=proof["faults"],
        fp16=benchmark_scoring.Fp16Mode(
            accumulate=environment.get("fp16_accumulate", ""),
            consumer=bool(model) and model["consumer_grade"] == "true",
        ),
    )  # fmt: skip


def task_for(device: Any, memory_mb: int, fp32: float, share: float) -> challenge.Task:
    if not device.gpu:
        return challenge.cpu_task(secrets.token_hex(32), memory_mb=memory_mb)
    return challenge.gpu_task(secrets.token_hex(32), memory_mb=int(memory_mb * share / 0.9), fp32_tflops=fp32)


def catalogue_row(name: str) -> dict[str, str] | None:
    """The longest catalogue name whose words are all in the reported one; good enough for a check by hand."""
    words = name.lower().replace("-", " ").split()
    with CATALOGUE.open() as file:
        rows = [
            row for row in csv.DictReader(file) if set(row["model"].lower().replace("-", " ").split()) <= set(words)
        ]
    loose = {"h100": "H100 SXM", "h200": "H200"}
    with CATALOGUE.open() as file:
        hints = [row for row in csv.DictReader(file) for word, start in loose.items()
                 if word in words and row["model"].startswith(start)]  # fmt: skip
    return max(rows, key=lambda row: len(row["model"]), default=None) or (hints[0] if hints else None)


def show_measurements(measured: dict, environment: dict) -> None:
    for name, one in measured.items():
        span = f"95 % [{one['low']:.4g}, {one['high']:.4g}] of {len(one['runs'])} runs"
        print(f"{name:20} {one['median']:>10.4g} {one['unit']:7} {span}")
    print("environment:", environment)


def show_verdict(task: challenge.Task, proof: dict, judged: dict) -> None:
    size = f"{task.flop / 1e12:.1f} TFLOP, {task.bytes / 2**30:.1f} GiB"
    print(f"task: {task.rounds} products of {task.words}² ({size}); took {proof['commitment']['seconds']} s,"
          f" allowed {judged['allowed_s']:.1f} s")  # fmt: skip
    for term in judged["terms"]:
        mark = "ok" if term["ok"] else "NO"
        print(f"{term['term']:20} {term['measured']:.4g} / {term['reference']:.4g} = {term['ratio']:.2f}  {mark}")
    print("verdict:", judged["state"], judged["reasons"], "score", judged["score"])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=("auto", "torch", "cupy"), default="auto")
    parser.add_argument("--memory-share", type=float, default=0.9, help="of the GPU's memory to fill")
    parser.add_argument("--json", help="write everything there too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
