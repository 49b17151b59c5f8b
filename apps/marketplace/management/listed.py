"""The lists in which the ids that `market` takes can be found, for its short ids."""

from __future__ import annotations

from aitbc.core.cli.short_ids import Listed

MARKET = "/marketplace/v1/marketplace"
SEARCH, MINE = f"{MARKET}/offers/search", f"{MARKET}/offers/mine"
DEMANDS = f"{MARKET}/demands"

BOOKING = Listed("booking", (f"{MARKET}/bookings",), has_names=False)
OPEN_OFFER = Listed("offer", (SEARCH,), newest_first=False)
OWN_OFFER = Listed("offer", (MINE,))
ANY_OFFER = Listed("offer", (MINE, SEARCH), newest_first=False)
PROVIDER = Listed("provider", (SEARCH,), key="provider_id", newest_first=False)
REVIEW = Listed("review", (f"{MARKET}/reviews",))
DEMAND = Listed("demand", (DEMANDS, f"{DEMANDS}?mine=true", f"{DEMANDS}?state=awarded"))
OWN_DEMAND = Listed("demand", (f"{DEMANDS}?mine=true",))
OWN_BID = Listed("bid", (f"{MARKET}/bids/mine",))
BID_OF_DEMAND = Listed("bid", (f"{DEMANDS}/{{demand}}/bids",))
GPU = Listed("card", ("/gpu/v1/gpu",))
