"""The first real job, shown from submit to a receipt that verifies offline; every step is an ordinary HTTP request."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

TEXTS = ["rent a gpu by the hour", "lease a graphics card", "bake banana bread"]
STEPS = {
    "submitted": "accepted; its payment is being held",
    "queued": "paid for; waits for a miner",
    "running": "leased to a miner",
    "succeeded": "result accepted",
    "settled": "miner paid, receipt signed",
}


class DemoFailed(Exception):
    """The first job did not go through; the message says where it stopped."""


class Demo:
    """A client and an operator, talking to the exchange at `url`."""

    def __init__(self, url: str, keys: dict[str, str], var: Path, console: Console) -> None:
        self.http = httpx.Client(base_url=url, timeout=20)
        self.client = {"Authorization": f"Bearer {keys['AITBC_CLIENT_KEY']}"}
        self.operator = {"Authorization": f"Bearer {keys['AITBC_OPERATOR_KEY']}"}
        self.bundle_path = var / "bundle.json"
        self.console = console

    def run(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        self.fund()
        job = self.submit()
        self.follow(job["id"], deadline)
        self.show_result(self.get(f"/ai/jobs/{job['id']}/result"))
        receipt = self.get(f"/ai/jobs/{job['id']}/receipt")
        self.console.print(f"  receipt    [bold]{receipt['receipt_id']}[/]")
        self.verify(receipt["receipt_id"], deadline)

    def get(self, path: str) -> Any:
        answer = self.http.get(path, headers=self.client)
        if not answer.is_success:
            raise DemoFailed(f"GET {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        answer = self.http.post(path, json=body, headers=headers)
        if not answer.is_success:
            raise DemoFailed(f"POST {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def fund(self) -> None:
        """Give the demo client 100 AIT on the first start, by an operator's deposit."""
        who = self.get("/trading/v1/ledger/balance")
        if float(who["available"]) >= 1:
            return
        body = {"owner_id": who["owner_id"], "amount": "100", "reason": "funds for the demonstration"}
        self.post("/trading/v1/deposits", body, {**self.operator, "Idempotency-Key": f"demo-{who['owner_id']}"})

    def submit(self) -> Any:
        engine = "embedding" if importlib.util.find_spec("wordllama") else "benchmark"
        payload: dict[str, Any] = {"texts": TEXTS} if engine == "embedding" else {"size": 512}
        body = {"task_type": engine, "payload": payload, "payment_amount": "0.050000"}
        job = self.post("/ai/jobs", body, self.client)
        self.console.print(f"\n[bold]A first job[/]: {engine}, up to 0.05 AIT\n  job        [bold]{job['id']}[/]")
        return job

    def follow(self, job: str, deadline: float) -> None:
        """Print each state as the job passes through it."""
        seen = 0
        while time.monotonic() < deadline:
            events = self.get(f"/ai/jobs/{job}/events")["items"]
            for event in events[seen:]:
                state = event["to_state"]
                self.console.print(
                    f"  {state:<10} {event['at'][11:23]}Z  [dim]{escape(STEPS.get(state, event['reason']))}[/]"
                )
            seen = len(events)
            if events and events[-1]["to_state"] == "settled":
                return
            if events and events[-1]["to_state"] in {"failed", "cancelled", "expired", "dead", "refused"}:
                raise DemoFailed(f"the job ended {events[-1]['to_state']}: {events[-1]['reason']}")
            time.sleep(0.1)
        raise DemoFailed("the job was not settled in time; `manage.py job explain` says what it waits for")

    def show_result(self, answer: dict[str, Any]) -> None:
        result = answer["result"]
        if "embeddings" not in result:
            self.console.print(f"  result     {escape(json.dumps(result)[:200])}")
            return
        table = Table("text", "likeness to the first", box=None, padding=(0, 2))
        first = result["embeddings"][0]
        for text, vector in zip(TEXTS, result["embeddings"], strict=True):
            table.add_row(text, f"{cosine(first, vector):.2f}")
        self.console.print("  result     embeddings of three sentences:")
        self.console.print(table)

    def verify(self, receipt: str, deadline: float) -> None:
        """Fetch the bundle once its block is sealed, and check it with the stand-alone verifier."""
        path = f"/trading/receipts/{receipt}/bundle"
        while (answer := self.http.get(path, headers=self.client)).status_code == 409:
            if time.monotonic() > deadline:
                raise DemoFailed("the receipt's block was not sealed in time")
            time.sleep(0.2)
        answer.raise_for_status()
        self.bundle_path.write_bytes(answer.content)
        script = Path(__file__).resolve().parents[2] / "apps/trading/verifier/verify_receipt.py"
        done = subprocess.run([sys.executable, str(script), str(self.bundle_path)], capture_output=True, text=True)
        if done.returncode:
            raise DemoFailed(f"the receipt does not verify:\n{done.stdout}{done.stderr}")
        self.console.print(f"  bundle     {self.bundle_path}\n[green]{escape(done.stdout.rstrip())}[/]")


def cosine(one: list[float], other: list[float]) -> float:
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))
