"""Legacy GPU routes under both of their prefixes, for the placeholder detector."""

from __future__ import annotations

from tests.architecture.probes import Life, Probe
from tests.marketplace.renting import AIT, rentable

PREFIXES = {"gpu": "/gpu/v1/marketplace", "market": "/marketplace/v1/marketplace"}
BY_ID_ONLY = "it says of which GPU and booking, by their ids and times"


def live(life: Life) -> None:
    """For each prefix a GPU to book, one to buy and one to take away, of a model of this life's own."""
    n, things = life.number, life.things
    things["legacy_model"] = f"GeForce RTX 4{n}90"
    terms = {"provider": life.miner.owner_id, "gpu_model": things["legacy_model"], "price": n * AIT // 4}
    for prefix in PREFIXES:
        things |= {f"{prefix}_{name}": str(rentable(**terms).pk) for name in ("booked", "bought", "removed")}


def arrived(life: Life) -> None:
    """The money is set aside, or back."""
    life.drain()


def routes(prefix: str, root: str) -> list[Probe]:
    gpu = f"{root}/gpu/{{{prefix}_booked}}"
    registered_gpu = {"name": "{legacy_model}", "memory_gb": "24", "price_per_hour": "0.{number}"}
    bought = {"gpu_id": f"{{{prefix}_bought}}", "duration_hours": "{number}.0"}
    return [
        Probe("miner", "POST", f"{root}/gpu/register", {"gpu": registered_gpu}),
        Probe("anonymous", "GET", f"{root}/gpu/list?model={{legacy_model}}"),
        Probe("anonymous", "GET", f"{root}/pricing/{{legacy_model}}"),
        Probe("anonymous", "GET", gpu),
        Probe("client", "POST", f"{gpu}/book", {"duration_hours": "{number}.0"}),
        Probe("client", "POST", f"{gpu}/confirm", before=arrived, constant=BY_ID_ONLY),
        Probe("client", "POST", f"{gpu}/release"),
        Probe("client", "POST", f"{gpu}/reviews", {"rating": "{number}", "comment": "so so"}, before=arrived),
        Probe("anonymous", "GET", f"{gpu}/reviews"),
        Probe("client", "POST", f"{root}/gpu/purchase", bought),
        Probe("client", "GET", f"{root}/orders"),
        Probe("miner", "DELETE", f"{root}/gpu/{{{prefix}_removed}}", constant=BY_ID_ONLY),
    ]


PROBES = [probe for prefix, root in PREFIXES.items() for probe in routes(prefix, root)]
