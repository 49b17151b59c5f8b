"""The driver's process: what NVML knows, and the one setting that may be changed; see apps/gpu/miner/driver.py."""

from typing import Any

from apps.gpu.miner import gpus, power
from apps.gpu.miner.engines import BadInput, Progress, Refused


class Driver:
    """Answers one query at a time; no client can request it."""

    name = "driver"

    def available(self) -> bool:
        """Return True: a host without a driver has no GPU to describe."""
        return True

    def models(self) -> list[str]:
        """Return no model: there is none in it."""
        return []

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Answer the query that the payload names. Raises Refused for a setting that is not changed."""
        queries = {"describe": self._describe, "metrics": self._metrics, "apply": self._apply}
        if payload.get("query") not in queries:
            raise BadInput(f"query is one of {', '.join(queries)}")
        return queries[payload["query"]](payload)

    def _describe(self, payload: dict[str, Any]) -> dict[str, Any]:
        return gpus.detect()._asdict() | {"cuda": gpus.cuda_version()}

    def _metrics(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"gpus": gpus.metrics()}

    def _apply(self, payload: dict[str, Any]) -> dict[str, Any]:
        try:
            return power.apply(str(payload.get("uuid") or ""), payload.get("settings"))
        except power.NotPermitted as error:
            raise Refused(str(error)) from error
