"""The benchmark that the exchange requests, in three steps of one child process: measure, commit, answer.

No client can request it: it is in no list of engines. The child is killed like any other when it takes too long.
"""

from typing import TYPE_CHECKING, Any

from apps.gpu.miner.engines import BadInput, Progress

if TYPE_CHECKING:
    from apps.gpu.miner.devices import Device
    from apps.gpu.miner.prover import Prover


class Proof:
    """Between the steps the process keeps the device open and its memory filled: one challenge per process."""

    name = "proof"
    device: "Device | None" = None
    prover: "Prover | None" = None

    def available(self) -> bool:
        """Return True: numpy is all it needs."""
        return True

    def models(self) -> list[str]:
        """Return no model: there is none in it."""
        return []

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Run the step that the payload names."""
        steps = {"measure": self._measure, "commit": self._commit, "answer": self._answer}
        if payload.get("step") not in steps:
            raise BadInput(f"step is one of {', '.join(steps)}")
        return steps[payload["step"]](payload, progress)

    def _measure(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from apps.gpu.miner import devices, measurements

        uuid = str(payload.get("uuid") or "")
        device = devices.pick(uuid=uuid, kind=payload.get("device") or "")
        results = measurements.measure(device, progress)
        Proof.device = device
        return {"figures": results, "environment": measurements.environment(device, uuid), "device": device.kind}

    def _commit(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from apps.gpu.logic.challenge import Task
        from apps.gpu.miner.prover import Prover

        if Proof.device is None:
            raise BadInput("nothing was measured in this process")
        Proof.prover = Prover(Task.from_json(payload["task"]), Proof.device, progress)
        return Proof.prover.commit()

    def _answer(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        if Proof.prover is None:
            raise BadInput("nothing was committed to in this process")
        return Proof.prover.answer(payload["question"])
