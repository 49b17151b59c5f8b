"""The benchmark that the exchange asks for, in three steps of one child process: measure, commit, answer.

No client can ask for it: it is in no list of engines. The child is killed like any other when it takes too long.
"""

from typing import Any

from apps.gpu.miner.engines import BadInput, Progress


class Proof:
    """Between the steps the process keeps the device open and its memory filled."""

    name = "proof"
    prover: Any = None  # of the class: one challenge a process

    def available(self) -> bool:
        """Numpy is all it takes."""
        return True

    def models(self) -> list[str]:
        """There is no model in it."""
        return []

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Do the step that the payload names."""
        steps = {"measure": self._measure, "commit": self._commit, "answer": self._answer}
        if payload.get("step") not in steps:
            raise BadInput(f"step is one of {', '.join(steps)}")
        return steps[payload["step"]](payload, progress)

    def _measure(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from apps.gpu.miner import devices, measurements

        uuid = str(payload.get("uuid") or "")
        device = devices.pick(uuid=uuid, wanted=payload.get("device") or "")
        figures = measurements.measure(device, progress)
        Proof.device = device
        return {"figures": figures, "environment": measurements.environment(device, uuid), "device": device.kind}

    def _commit(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from apps.gpu.logic.challenge import Task
        from apps.gpu.miner.prover import Prover

        Proof.prover = Prover(Task.from_json(payload["task"]), Proof.device, progress)
        return Proof.prover.commit()

    def _answer(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        if Proof.prover is None:
            raise BadInput("nothing was committed to in this process")
        return Proof.prover.answer(payload["question"])
