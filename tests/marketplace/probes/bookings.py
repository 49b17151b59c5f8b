"""Routes of quotes, bookings, extensions and reviews, for the placeholder detector."""

from __future__ import annotations

from apps.marketplace.models import GPUBooking, MarketplaceOffer
from tests.architecture.probes import Life, Probe
from tests.marketplace.renting import AIT, funded, rentable, reserved, running

MARKET = "/marketplace/v1/marketplace"
BOOKINGS = f"{MARKET}/bookings"
REVIEWED, RUNNING = ("reviewed", "answered"), ("running", "called_off", "longer", "ended_early", "wanted_back")


def live(life: Life) -> None:
    """An offer to book, and a booking for each thing that is done to one, at prices of this life's own."""
    n, things = life.number, life.things
    for party in (life.client, life.miner):
        funded(1000 * n * AIT, party.owner_id)
    things |= {name: str(in_use(life).pk) for name in (*REVIEWED, *RUNNING)}
    for name in REVIEWED:
        life.client.json("POST", f"{BOOKINGS}/{things[name]}/end", status=200)
    things["not_ready"] = str(reserved(of_its_own(life), life.client.owner_id).pk)
    things["moved"] = things["not_ready"] if n == 1 else things["running"]
    things |= {name: str(of_its_own(life).pk) for name in ("to_book", "to_quote", "to_take")}
    body = booked(things["to_quote"])
    things["quote"] = life.client.json("POST", f"{MARKET}/quotes", body, status=201)["id"]
    answer, things["reviewed_party"] = {"rating": n}, str(life.miner.owner_id)
    review = life.client.json("POST", f"{BOOKINGS}/{things['answered']}/review", answer, status=201)
    things["review"] = review["id"]


def of_its_own(life: Life) -> MarketplaceOffer:
    return rentable(provider=life.miner.owner_id, price=life.number * AIT // 2, gpus=life.number)


def in_use(life: Life) -> GPUBooking:
    """A booking of ten hours that has begun."""
    return running(of_its_own(life), life.client.owner_id, duration_s=36_000)


def booked(offer: str) -> dict[str, str]:
    return {"offer_id": offer, "duration_s": "3600"}


PROBES = [
    Probe("client", "POST", f"{MARKET}/quotes", booked("{to_quote}")),
    Probe("client", "GET", f"{MARKET}/quotes/{{quote}}"),
    Probe("client", "POST", BOOKINGS, booked("{to_book}")),
    Probe("client", "POST", f"{MARKET}/offers/{{to_take}}/book", {"duration_hours": "{number}"}),
    Probe("client", "GET", BOOKINGS),
    Probe("client", "GET", f"{BOOKINGS}/{{running}}"),
    Probe("client", "GET", f"{BOOKINGS}/{{moved}}/events"),
    Probe("miner", "POST", f"{BOOKINGS}/{{not_ready}}/ready"),
    Probe("client", "POST", f"{BOOKINGS}/{{longer}}/extend", {"duration_s": 3600}),
    Probe("client", "GET", f"{BOOKINGS}/{{longer}}/extensions"),
    Probe("client", "POST", f"{BOOKINGS}/{{called_off}}/cancel", {"reason": "r{number}"}),
    Probe("client", "POST", f"{BOOKINGS}/{{ended_early}}/end"),
    Probe("miner", "POST", f"{BOOKINGS}/{{wanted_back}}/reclaim", {"reason": "r{number}"}),
    Probe("client", "POST", f"{BOOKINGS}/{{reviewed}}/review", {"rating": "{number}", "text": "so so"}),
    Probe("client", "GET", f"{BOOKINGS}/{{reviewed}}/review"),
    Probe("anonymous", "GET", f"{MARKET}/reviews?subject_id={{reviewed_party}}"),
    Probe("miner", "POST", f"{MARKET}/reviews/{{review}}/reply", {"text": "thanks"}),
    Probe("client", "PATCH", f"{BOOKINGS}/{{reviewed}}/review", {"text": "better {number}"}),
]
