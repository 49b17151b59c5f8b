"""Read the body of `optimize`, in the present or the legacy form, as an OptimizeRequest. No database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aitbc.core.errors import Invalid
from apps.gpu.errors import ModelUnknown
from apps.gpu.logic import llm
from apps.gpu.logic.optimizer import OptimizeRequest

UNCHANGED = ("task", "ctx", "batch", "prompt_tokens", "output_tokens", "gpus", "parallelism", "target_c")


def read_request(workload: Mapping[str, Any], *, objective: str, model_name: str | None = None) -> OptimizeRequest:
    """Return the request for the optimizer; `workload` is a validated WorkloadSerializer.

    Raises ModelUnknown (naming the nearest), or Invalid when no model is named, or two.
    """
    named = workload.get("model") or model_name
    if bool(named) == ("params_b" in workload):
        text = "Name a model, or give params_b; one of them."
        raise Invalid(text, errors=[{"field": "workload.model", "message": text}])
    slo = workload.get("slo_ms")
    targets = [value for value in (workload.get("target_tps"), 1000 / slo if slo else None) if value]
    return OptimizeRequest(
        model=_model(named) if named else llm.of_size(workload["params_b"] * 1e9), objective=objective,
        target_tps=max(targets, default=None),
        quant=llm.quant_of(workload["quantisation"]) if workload.get("quantisation") else None,
        kv=workload.get("kv_dtype", "fp16"), quality=workload.get("min_quality", "small"),
        power_price=workload.get("power_price", 0) / 1_000_000,
        **{name: workload[name] for name in UNCHANGED if name in workload},
    )  # fmt: skip


def _model(name: str) -> llm.Model:
    try:
        return llm.find(name)
    except llm.UnknownModel as error:
        raise ModelUnknown(
            f"{error}.", errors=[{"field": "workload.model", "message": str(error)}], nearest=error.nearest
        ) from None
