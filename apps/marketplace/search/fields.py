"""Every field that a search may name: its kind, unit, SQL, and the same in Python for the oracle and the answers.

Prices are micro-AIT in SQL and Python, AIT in the grammar. A field that is not known of an offer is null: it then
satisfies no comparison at all, not even `!=`, and sorts last in either direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from aitbc.core.money import UNIT
from apps.marketplace.models.offers import MAKERS
from apps.marketplace.states import OfferState

HOURS_PER_MONTH = 730


class Kind(Enum):
    """What a field's values are."""

    NUMBER = "a number"
    AMOUNT = "an amount of AIT"
    TEXT = "a text"
    FLAG = "true or false"


#: The terms of one language model's decoding (apps.gpu.interface.DecodeModel), as parameters of the SQL below.
MODEL_TERMS = (
    "bytes_per_step", "flops_per_step", "overhead_s", "need_mb", "usable_share", "efficiency_bandwidth",
    "efficiency_compute", "batch",
)  # fmt: skip


@dataclass(frozen=True)
class Workload:
    """What derived fields depend on beside the offer: GB stored, and the language model to run."""

    storage_gb: int = 0
    model: Any = None  # a DecodeModel

    def params(self) -> dict[str, Any]:
        """Named parameters of the SQL below."""
        return {"storage_gb": self.storage_gb, **{name: getattr(self.model, name, None) for name in MODEL_TERMS}}


@dataclass(frozen=True)
class Field:
    """One searchable field; `read` gives of an offer what `sql` gives of its row."""

    name: str
    kind: Kind
    about: str
    sql: str
    read: Callable[[Any, Workload], Any]
    unit: str = ""
    aliases: tuple[str, ...] = ()
    nullable: bool = False
    needs_model: bool = False

    @property
    def ordered(self) -> bool:
        """Whether `<` and `>` make sense."""
        return self.kind in (Kind.NUMBER, Kind.AMOUNT)


def folded(text: str) -> str:
    """Return a text as it is compared: lower case, `_` as a space."""
    return text.replace("_", " ").lower()


def folded_model(text: str) -> str:
    """The same for GPU models, without the maker: `RTX_4090` is `NVIDIA GeForce RTX 4090`."""
    text = folded(text)
    for maker in MAKERS:
        text = text.replace(maker, "")
    return text


def gpu_ram(offer: Any) -> int:
    """Return the memory of one GPU in GB as they are sold: 24,564 MB are 24 GB."""
    return int((offer.memory_mb + 512) // 1024)


def total_hour(offer: Any, workload: Workload) -> int:
    """Return the price of the whole offer with the workload's storage in micro-AIT per hour, rounded down."""
    storage = offer.price_storage_gb_month * workload.storage_gb // HOURS_PER_MONTH
    return int(offer.price_gpu_hour * offer.gpu_count + storage)


def per_credit(value: float | None, offer: Any) -> float | None:
    """Return a value per AIT and hour of one GPU's price; None stays None."""
    return None if value is None else value * UNIT / float(offer.price_gpu_hour)


def tokens_s(offer: Any, workload: Workload) -> float | None:
    """Predicted tokens per second of one GPU decoding the model (roofline); None: it does not fit, or is not known.

    A GPU without an fp16 rating computes at its fp32 rate.
    """
    model, bandwidth, compute = workload.model, offer.bandwidth_gbps, offer.fp16_tflops or offer.fp32_tflops
    if model is None or not bandwidth or not compute or model.usable_share * offer.memory_mb < model.need_mb:
        return None
    memory_time = model.bytes_per_step / (model.efficiency_bandwidth * bandwidth * 1e9)
    compute_time = model.flops_per_step / (model.efficiency_compute * compute * 1e12)
    return float(model.batch / (max(memory_time, compute_time) + model.overhead_s))


def tokens_per_credit(offer: Any, workload: Workload) -> float | None:
    """Return predicted tokens for 1 AIT; None where `tokens_s` is."""
    rate = tokens_s(offer, workload)
    return None if rate is None else rate * 3600.0 * UNIT / float(offer.price_gpu_hour)


_CREDIT = "{} * 1000000.0::float8 / price_gpu_hour::float8"
_COMPUTE = "coalesce(nullif(fp16_tflops, 0), fp32_tflops)"
_TOKENS_S = f"""CASE WHEN bandwidth_gbps <> 0 AND {_COMPUTE} <> 0
 AND %(usable_share)s::float8 * memory_mb >= %(need_mb)s::float8
 THEN %(batch)s::float8 / (greatest(
  %(bytes_per_step)s::float8 / (%(efficiency_bandwidth)s::float8 * bandwidth_gbps * 1e9::float8),
  %(flops_per_step)s::float8 / (%(efficiency_compute)s::float8 * {_COMPUTE} * 1e12::float8))
 + %(overhead_s)s::float8) END"""


def _column(name: str, kind: Kind, about: str, *aliases: str, column: str = "", **options: Any) -> Field:
    column = column or name
    sql = f"replace(lower({column}), '_', ' ')" if kind is Kind.TEXT else column
    return Field(name, kind, about, sql, lambda offer, workload: getattr(offer, column), aliases=aliases, **options)


def _number(name: str, about: str, unit: str, *aliases: str, column: str = "", nullable: bool = True) -> Field:
    return _column(name, Kind.NUMBER, about, *aliases, column=column, unit=unit, nullable=nullable)


TABLE = (
    _column("price_gpu_hour", Kind.AMOUNT, "price of one GPU", "dph", "price", "price_per_hour", unit="AIT/h"),
    Field(
        "total_hour", Kind.AMOUNT, "price of the whole offer with the storage wanted",
        f"(price_gpu_hour * gpu_count + price_storage_gb_month * %(storage_gb)s::bigint / {HOURS_PER_MONTH})",
        total_hour, unit="AIT/h", aliases=("dph_total",),
    ),
    _column(
        "price_storage_gb_month", Kind.AMOUNT, "price of storage", "storage_cost", "storage", unit="AIT/GB·month"
    ),
    _number("gpu_count", "GPUs in the offer", "", "num_gpus", "gpus", nullable=False),
    Field(
        "gpu_ram", Kind.NUMBER, "memory of one GPU, in whole GB as cards are sold", "((memory_mb + 512) / 1024)",
        lambda offer, workload: gpu_ram(offer), unit="GB", aliases=("vram", "gpu_memory", "gpu_memory_gb"),
    ),
    Field(
        "gpu_total_ram", Kind.NUMBER, "memory of all its GPUs", "((memory_mb + 512) / 1024 * gpu_count)",
        lambda offer, workload: gpu_ram(offer) * offer.gpu_count, unit="GB",
    ),
    _number("gpu_ram_mb", "memory of one GPU as reported", "MB", column="memory_mb", nullable=False),
    Field(
        "gpu_model", Kind.TEXT, "model, with or without its maker", "model_key",
        lambda offer, workload: offer.gpu_model, aliases=("gpu_name", "gpu"),
    ),
    _column("vendor", Kind.TEXT, "maker"),
    _column("architecture", Kind.TEXT, "architecture", "gpu_arch", "arch"),
    _column("region", Kind.TEXT, "where it stands", "geolocation", "location"),
    _column("device", Kind.TEXT, "gpu, or cpu for a processor offered as one"),
    _number("bandwidth", "memory bandwidth", "GB/s", "gpu_mem_bw", "memory_bandwidth", column="bandwidth_gbps"),
    _number("fp32_tflops", "fp32 compute", "TFLOPS", "total_flops"),
    _number("fp16_tflops", "fp16 compute, dense", "TFLOPS", "tflops"),
    _number("tdp_w", "power limit as designed", "W", "tdp", "power"),
    _number("compute_cap", "CUDA compute capability", "", "compute_capability", "cc", column="compute_capability"),
    _number("cuda", "newest CUDA its driver serves", "", "cuda_vers", "cuda_version", "cuda_max_good"),
    _number("up_mbps", "upload", "Mbit/s", "inet_up"),
    _number("down_mbps", "download", "Mbit/s", "inet_down"),
    _column("verified", Kind.FLAG, "its benchmark was checked"),
    _column("rentable", Kind.FLAG, "its miner is heard; true unless you name it"),
    Field(
        "booked", Kind.FLAG, "every GPU is in a booking now; false unless you name it", "(state = 'booked_out')",
        lambda offer, workload: offer.state == OfferState.BOOKED_OUT, aliases=("rented",),
    ),
    _column("backed", Kind.FLAG, "its GPUs are registered cards"),
    _column("bonded", Kind.FLAG, "the provider pledges a bond"),
    _number("benchmark", "measured score, RTX 3090 = 100", "", "dlperf"),
    _number("reliability", "lower bound of kept promises, 0 to 1", "", "reliability2", nullable=False),
    _number("rating", "stars of reviews, 1 to 5", ""),
    _number("reviews", "how many reviews", "", nullable=False),
    _number("score", "what a search sorts by", "", nullable=False),
    _number("min_duration_s", "shortest booking", "s", nullable=False),
    _number("max_duration_s", "longest booking", "s", "duration", nullable=False),
    Field(
        "tflops_per_credit", Kind.NUMBER, "fp16 TFLOPS for 1 AIT an hour", _CREDIT.format("fp16_tflops"),
        lambda offer, workload: per_credit(offer.fp16_tflops, offer), "TFLOPS/(AIT/h)",
        aliases=("flops_usd", "flops_per_dphtotal"), nullable=True,
    ),
    Field(
        "bw_per_credit", Kind.NUMBER, "memory bandwidth for 1 AIT an hour", _CREDIT.format("bandwidth_gbps"),
        lambda offer, workload: per_credit(offer.bandwidth_gbps, offer), "GB/s/(AIT/h)", nullable=True,
    ),
    Field(
        "benchmark_per_credit", Kind.NUMBER, "measured score for 1 AIT an hour", _CREDIT.format("benchmark"),
        lambda offer, workload: per_credit(offer.benchmark, offer), "1/(AIT/h)",
        aliases=("dlperf_usd", "dlperf_per_dphtotal"), nullable=True,
    ),
    Field(
        "tokens_s", Kind.NUMBER, "predicted tokens a second of the named model on one GPU", f"({_TOKENS_S})",
        tokens_s, "tokens/s", nullable=True, needs_model=True,
    ),
    Field(
        "tokens_per_credit", Kind.NUMBER, "predicted tokens of the named model for 1 AIT",
        f"(({_TOKENS_S}) * 3600.0::float8 * 1000000.0::float8 / price_gpu_hour::float8)",
        tokens_per_credit, "tokens/AIT", nullable=True, needs_model=True,
    ),
)  # fmt: skip

#: Names and aliases alike, in lower case.
FIELDS: dict[str, Field] = {name: field for field in TABLE for name in (field.name, *field.aliases)}


def folding(field: Field) -> Callable[[str], str]:
    """Return how this text field's values are brought to one form."""
    return folded_model if field.name == "gpu_model" else folded
