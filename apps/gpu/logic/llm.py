"""Open language models and the formats their weights come in, as the roofline sees them. Pure: no Django.

The table is `data/llm_models.csv`: configurations as published by the models' makers (config.json of each).
"""

from __future__ import annotations

import csv
import difflib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).parents[1] / "data" / "llm_models.csv"
TAIL = re.compile(r"(instruct|chat|gguf|awq|gptq|it|hf|base|latest)$")


class UnknownModel(ValueError):
    """There is no model of this name; `nearest` are the closest names that exist."""

    def __init__(self, name: str) -> None:
        self.nearest = nearest(name)
        super().__init__(f"no model is called {name[:80]!r}; nearest: {', '.join(self.nearest)}")


@dataclass(frozen=True)
class Model:
    """What decides how fast a transformer decodes: parameters (all, and those a token uses), layers, heads."""

    name: str
    params: float
    active_params: float
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    d_model: int
    max_ctx: int
    experts: int = 0
    experts_per_token: int = 0

    def kv_bytes(self, bytes_each: float) -> float:
        """Return the bytes of the key-value cache per token of context: 2 · layers · kv_heads · head_dim · bytes."""
        return 2 * self.layers * self.kv_heads * self.head_dim * bytes_each

    @property
    def expert_params(self) -> float:
        """Parameters in experts, from P = D + E·e and P_active = D + k·e."""
        if self.experts <= self.experts_per_token:
            return 0.0
        return (self.params - self.active_params) / (self.experts - self.experts_per_token) * self.experts

    def touched_params(self, batch: float) -> float:
        """Return the parameters that one decoding step of a batch reads.

        Mixture of experts: dense part + experts · (1 − (1 − k/E)^B), the expected share of experts that B tokens drawn
        evenly and independently touch.
        """
        experts = self.expert_params
        if not experts:
            return self.params
        share: float = 1 - (1 - self.experts_per_token / self.experts) ** batch
        return self.params - experts + experts * share


@dataclass(frozen=True)
class Quant:
    """A format of weights: bits each (llama.cpp's k-quants counted with their scales) and what it costs in quality.

    Classes by the rise of perplexity that llama.cpp's and AWQ's authors publish: none, tiny (< 0.5 %), small (< 2 %),
    visible.
    """

    name: str
    bits: float
    quality: str


#: From the best quality to the smallest.
QUANTS = (
    Quant("fp16", 16.0, "none"),
    Quant("q8_0", 8.5, "none"),
    Quant("fp8", 8.0, "tiny"),
    Quant("q6_k", 6.56, "tiny"),
    Quant("q5_k_m", 5.7, "tiny"),
    Quant("q4_k_m", 4.85, "small"),
    Quant("awq", 4.25, "small"),
    Quant("q3_k_m", 3.9, "visible"),
)
QUANT_NAMES = tuple(quant.name for quant in QUANTS)
KV_BYTES = {"fp16": 2.0, "q8": 1.0625, "fp8": 1.0}


def quant_of(name: str) -> Quant:
    """Return the weight format of this name. Raises ValueError when there is none."""
    normalised = name.lower().replace("-", "_")
    found = next((quant for quant in QUANTS if quant.name == normalised), None)
    if found is None:
        raise ValueError(f"no format is called {name[:40]!r}; there are {', '.join(QUANT_NAMES)}")
    return found


@cache
def models() -> dict[str, Model]:
    """Return every model of the table, by name."""
    with FILE.open(newline="") as file:
        return {row["model"]: _model(row) for row in csv.DictReader(file)}


def find(name: str) -> Model:
    """Return the model of this name, however it is spelled (`llama3.1:8b`, `meta/Llama-3.1-8B-Instruct`).

    Raises UnknownModel.
    """
    found = _by_key().get(_key(name))
    if found is None:
        raise UnknownModel(name)
    return found


def nearest(name: str, n: int = 3) -> list[str]:
    """Return the n names of the table that are closest to this one."""
    keys = _by_key()
    close = difflib.get_close_matches(_key(name), list(keys), n=n, cutoff=0.0)
    return [keys[key].name for key in close]


def of_size(params: float) -> Model:
    """Return a dense model of so many parameters, with the proportions of the nearest dense one of the table."""
    dense = [model for model in models().values() if not model.experts]
    like = min(dense, key=lambda model: abs(model.params - params))
    return Model(
        name=f"{params / 1e9:g}B parameters", params=params, active_params=params, layers=like.layers,
        heads=like.heads, kv_heads=like.kv_heads, head_dim=like.head_dim, d_model=like.d_model, max_ctx=like.max_ctx,
    )  # fmt: skip


@cache
def _by_key() -> dict[str, Model]:
    return {_key(model.name): model for model in models().values()}


def _key(name: str) -> str:
    """Letters and digits of the last part of a path, without the usual endings."""
    plain = re.sub(r"[^a-z0-9.]", "", name.lower().rsplit("/", 1)[-1].replace("meta-", ""))
    plain = plain.replace(".", "")
    while (shorter := TAIL.sub("", plain)) != plain and shorter:
        plain = shorter
    return plain


def _model(row: dict[str, str]) -> Model:
    whole = {name: int(row[name]) for name in ("layers", "heads", "kv_heads", "head_dim", "d_model", "max_ctx")}
    return Model(
        name=row["model"], params=float(row["params_b"]) * 1e9, active_params=float(row["active_params_b"]) * 1e9,
        experts=int(row["experts"] or 0), experts_per_token=int(row["experts_per_token"] or 0), **whole,
    )  # fmt: skip
