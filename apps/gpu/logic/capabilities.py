"""Normalise what miners declare, in the format of any client generation, to one Offer. Pure: no Django, no database.

Each client generation names things its own way (gpus or gpu, supported_tasks or a bare list, megabytes
under the name memory_gb); everything after this module sees an Offer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from aitbc.core.money import parse_amount

MOST = 256  # names in a list, cards in a machine
LONGEST = 200
TASK_NAMES = ("tasks", "task_types", "supported_tasks", "engines")
LARGEST_MB = 2**31 - 1
MEGABYTES_FROM = 1024  # no card has a terabyte: a "memory_gb" this large was meant in megabytes


KINDS = ("gpu", "cpu")
# Details of a card that are stored: one level of named values, no more than these.
DETAILS = {
    "index": (), "compute_capability": (), "consumer_grade": (), "display_attached": (), "serial": (), "vbios": (),
    "unified_memory": (),
    "pci": ("bus_id", "generation", "max_generation", "lanes", "max_lanes"),
    "power": ("min_w", "max_w", "default_w", "limit_w"),
    "clocks": ("graphics_max_mhz", "memory_max_mhz", "sm_max_mhz"),
    "mig": ("enabled", "capable", "instances", "slot", "parent"),
    "network": ("up_mbps", "down_mbps"),
    "nvlink": ("links", "peers"),
    "processor": ("cores", "platform"),
}  # fmt: skip


@dataclass(frozen=True)
class Gpu:
    """One device: a graphics card, or the processor of a machine that has none."""

    name: str
    memory_mb: int = 0
    uuid: str = ""
    driver: str = ""
    cuda: str = ""
    architecture: str = ""
    kind: str = "gpu"
    details: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_slice(self) -> bool:
        """Whether it is a part of a card (NVIDIA MIG), which its UUID shows."""
        return self.uuid.startswith("MIG-")


MATCHED = ("name", "memory_mb", "uuid", "driver", "cuda", "architecture")


@dataclass(frozen=True)
class Offer:
    """What a miner offers, normalised. Empty tasks mean "not declared": any task may be tried."""

    tasks: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    data_classes: frozenset[str] = frozenset()
    gpus: tuple[Gpu, ...] = field(default_factory=tuple)
    processor: Gpu | None = None  # offered as a device; no job that requires a GPU is matched with it
    cuda: str = ""
    region: str = ""
    price: int | None = None  # micro-AIT per hour

    @property
    def devices(self) -> tuple[Gpu, ...]:
        """What the registry lists: the GPUs, or the processor where there is none."""
        return self.gpus or ((self.processor,) if self.processor else ())

    def to_json(self) -> dict[str, Any]:
        """Return what matching needs of it, as JSON; the processor and the details of GPUs are left out."""
        lists = {name: sorted(getattr(self, name)) for name in ("tasks", "models", "data_classes")}
        return {
            **lists,
            "gpus": [{name: getattr(gpu, name) for name in MATCHED} for gpu in self.gpus],
            "cuda": self.cuda,
            "region": self.region,
            "price": self.price,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Offer:
        """Return the offer that `to_json` stored; absent members count as not declared."""
        return cls(
            tasks=frozenset(stored.get("tasks", ())),
            models=frozenset(stored.get("models", ())),
            data_classes=frozenset(stored.get("data_classes", ())),
            gpus=tuple(Gpu(**gpu) for gpu in stored.get("gpus", ())),
            cuda=stored.get("cuda", ""),
            region=stored.get("region", ""),
            price=stored.get("price"),
        )


def normalise(sent: Any, *, region: str = "") -> Offer:
    """Return the offer that these capabilities describe, in the format of whichever client generation sent them.

    Unknown members are dropped, unreadable ones count as absent. Memory becomes MB, the price (AIT per hour) micro-AIT.
    Raises ValueError on a price that is no amount or negative.
    """
    if isinstance(sent, (list, tuple)):
        sent = {"tasks": sent}
    if not isinstance(sent, Mapping):
        sent = {}
    gpus = _gpus(sent)
    cuda = (
        _text(sent.get("cuda")) or _text(sent.get("cuda_version")) or next((gpu.cuda for gpu in gpus if gpu.cuda), "")
    )
    return Offer(
        tasks=frozenset().union(*(_names(sent.get(name)) for name in TASK_NAMES)),
        models=_names(sent.get("models")),
        data_classes=_names(sent.get("data_classes")) | _names([sent.get("data_class")]),
        gpus=gpus,
        processor=_processor(sent.get("cpu")),
        cuda=cuda,
        region=_text(region) or _text(sent.get("region")),
        price=_price(sent),
    )


def _price(sent: Mapping[str, Any]) -> int | None:
    value = next((sent[name] for name in ("price", "price_per_hour") if sent.get(name) is not None), None)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise ValueError("a price is a number of AIT per hour")
    price = parse_amount(Decimal(str(value)) if isinstance(value, float) else value)
    if price < 0:
        raise ValueError("a price is not negative")
    return price


def _gpus(sent: Mapping[str, Any]) -> tuple[Gpu, ...]:
    entries = sent.get("gpus", sent.get("gpu"))
    if isinstance(entries, (Mapping, str)):
        entries = [entries]
    if not isinstance(entries, (list, tuple)):
        return ()
    return tuple(_gpu(entry) for entry in entries[:MOST] if isinstance(entry, (Mapping, str)))


def _gpu(entry: Mapping[str, Any] | str) -> Gpu:
    if isinstance(entry, str):
        return Gpu(name=_text(entry)[:120])
    return Gpu(
        name=(_text(entry.get("name")) or _text(entry.get("model")))[:120],
        memory_mb=_memory_mb(entry),
        uuid=_text(entry.get("uuid"))[:80],
        driver=(_text(entry.get("driver")) or _text(entry.get("driver_version")))[:40],
        cuda=(_text(entry.get("cuda")) or _text(entry.get("cuda_version")))[:40],
        architecture=_text(entry.get("architecture"))[:40],
        details=_details(entry),
    )


def _processor(sent: Any) -> Gpu | None:
    """The processor as a device: only when the miner sends a UUID and the memory for renters."""
    if not isinstance(sent, Mapping) or not _text(sent.get("uuid")) or not _memory_mb(sent):
        return None
    entry = _gpu(sent)
    return replace(entry, name=entry.name or "CPU", kind="cpu", details=_details(sent) | _details({"processor": sent}))


def _details(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The details of a card whose meaning is known; anything else is dropped."""
    found: dict[str, Any] = {}
    for name, inner in DETAILS.items():
        value = entry.get(name)
        if not inner:
            found[name] = _plain(value)
        elif isinstance(value, Mapping):
            found[name] = {key: plain for key in inner if (plain := _plain(value.get(key))) is not None}
    return {name: value for name, value in found.items() if value not in (None, {})}


def _plain(value: Any) -> Any:
    """A number, a flag, a short text, or a short list of texts."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float, Decimal)):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, str):
        return value[:80]
    return [str(item)[:80] for item in value[:32]] if isinstance(value, (list, tuple)) else None


def _memory_mb(entry: Mapping[str, Any]) -> int:
    megabytes = _number(entry.get("memory_mb")) or _number(entry.get("memory_total_mb"))
    if not megabytes:
        size = _number(entry.get("memory_gb"))
        megabytes = size if size >= MEGABYTES_FROM else size * 1024
    return min(int(megabytes), LARGEST_MB)


def _number(value: Any) -> float:
    usable = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and 0 <= value <= LARGEST_MB
    return float(value) if usable else 0.0


def _text(value: Any) -> str:
    return str(value)[:LONGEST] if isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool) else ""


def _names(values: Any) -> frozenset[str]:
    if isinstance(values, (str, Mapping)):
        values = [values] if isinstance(values, str) else list(values)
    if not isinstance(values, Iterable):
        return frozenset()
    return frozenset(text for value in list(values)[:MOST] if (text := _text(value)))
