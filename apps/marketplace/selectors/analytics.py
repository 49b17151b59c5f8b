"""Questions about the market as a whole, answered by SQL over offers, bookings and ticks. Reads only.

A statistic that rests on fewer than three providers is suppressed: it would give one of them away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rapidfuzz import process

from aitbc.core.db import cursor
from aitbc.core.errors import Invalid
from apps.marketplace.errors import ModelUnknown
from apps.marketplace.models import PriceTick

FEWEST = 3
INTERVALS = {"1h": timedelta(hours=1), "1d": timedelta(days=1)}
MOST_BUCKETS = 2000
PERCENTILES = (10, 25, 50, 75, 90)

# Buckets are aligned to the epoch, so that the same hour is the same bucket for everybody.
BUCKETS = """bucket AS (
  SELECT at, at + %(interval)s AS until
  FROM generate_series(%(first)s::timestamptz, %(to)s::timestamptz, %(interval)s) at WHERE at < %(to)s
)"""
CELL = """(%(model)s = '' OR x.gpu_model = %(model)s) AND (%(region)s = '' OR x.region = %(region)s)
  AND (%(kind)s = '' OR x.kind = %(kind)s)"""
SPREAD = """min(x.price_gpu_hour), max(x.price_gpu_hour),
  percentile_cont(array[0.1, 0.25, 0.5, 0.75, 0.9]) WITHIN GROUP (ORDER BY x.price_gpu_hour)"""
TRADES = f"""
WITH {BUCKETS}
SELECT bucket.at, count(*), count(DISTINCT x.provider_id), sum(b.gpu_count::numeric * b.metered_ms),
  sum(x.price_gpu_hour::numeric * b.gpu_count * b.metered_ms) / nullif(sum(b.gpu_count::numeric * b.metered_ms), 0),
  (array_agg(x.price_gpu_hour ORDER BY x.at, x.id))[1], (array_agg(x.price_gpu_hour ORDER BY x.at DESC, x.id DESC))[1],
  {SPREAD}
FROM bucket JOIN marketplace_pricetick x ON x.at >= bucket.at AND x.at < bucket.until AND x.source = 'trade'
JOIN marketplace_gpubooking b ON b.id = x.ref
WHERE x.at >= %(first)s AND x.at < %(to)s AND {CELL}
GROUP BY 1
"""
# The last look at the open offers in each bucket.
ASKS = f"""
WITH {BUCKETS}, look AS (
  SELECT bucket.at AS bucket, max(t.at) AS at FROM bucket
  JOIN marketplace_pricetick t ON t.at >= bucket.at AND t.at < bucket.until AND t.source = 'ask' GROUP BY 1
)
SELECT look.bucket, count(*), count(DISTINCT x.provider_id), sum(x.gpus), {SPREAD}
FROM look JOIN marketplace_pricetick x ON x.at = look.at AND x.source = 'ask' WHERE {CELL} GROUP BY 1
"""
# Spans in which a slot was on offer, joined over all its offers; spans in which it was in use.
UTILISATION = f"""
WITH {BUCKETS}, transitions AS (
  SELECT subject_id, to_state, at, lead(at, 1, now()) OVER (PARTITION BY subject_id ORDER BY seq) AS until
  FROM marketplace_offertransition
), offered AS (
  SELECT slot, range_agg(tstzrange(m.at, greatest(m.at, m.until))) AS spans
  FROM transitions m JOIN marketplace_marketplaceoffer x ON x.id = m.subject_id CROSS JOIN unnest(x.slots) AS slot
  WHERE m.to_state IN ('open', 'booked_out') AND {CELL} GROUP BY slot
), used AS (
  SELECT s.slot, range_agg(s.period * tstzrange(b.activated_at, least(coalesce(b.ended_at, now()), now()))) AS spans
  FROM marketplace_bookingslice s JOIN marketplace_gpubooking b ON b.id = s.booking_id
  WHERE b.activated_at < least(coalesce(b.ended_at, now()), now()) AND s.slot IN (SELECT slot FROM offered)
  GROUP BY s.slot
), providers AS (
  SELECT count(DISTINCT provider_id) AS n FROM marketplace_marketplaceoffer x WHERE {CELL}
)
SELECT bucket.at, providers.n,
  coalesce(sum((SELECT sum(extract(epoch FROM upper(r) - lower(r)))
    FROM unnest(offered.spans * tstzmultirange(tstzrange(bucket.at, bucket.until))) r)), 0)::float8,
  coalesce(sum((SELECT sum(extract(epoch FROM upper(r) - lower(r)))
    FROM unnest(offered.spans * used.spans * tstzmultirange(tstzrange(bucket.at, bucket.until))) r)), 0)::float8
FROM bucket CROSS JOIN providers LEFT JOIN offered ON true LEFT JOIN used USING (slot)
GROUP BY 1, 2 ORDER BY 1
"""
LIQUIDITY = f"""
WITH standing AS (
  SELECT provider_id, sum(gpu_count) AS gpus, count(*) AS offers FROM marketplace_marketplaceoffer x
  WHERE state = 'open' AND rentable AND {CELL} GROUP BY 1
), awarded AS (
  SELECT d.subject_id, min(d.at) FILTER (WHERE d.to_state = 'open') AS opened,
    min(d.at) FILTER (WHERE d.to_state = 'awarded') AS awarded
  FROM marketplace_demandtransition d WHERE d.at > now() - interval '30 days' GROUP BY 1
)
SELECT (SELECT count(*) FROM standing), (SELECT coalesce(sum(offers), 0) FROM standing),
  (SELECT coalesce(sum(gpus), 0) FROM standing),
  (SELECT sum((100 * gpus / total) ^ 2) FROM standing, (SELECT sum(gpus)::float8 AS total FROM standing) t),
  (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM awarded) - extract(epoch FROM opened))
   FROM awarded WHERE awarded IS NOT NULL AND opened IS NOT NULL)
"""
SUMMARY = """
SELECT (SELECT count(*) FROM marketplace_marketplaceoffer WHERE state IN ('open', 'booked_out')),
  (SELECT count(DISTINCT slot) FROM marketplace_marketplaceoffer, unnest(slots) slot
   WHERE state IN ('open', 'booked_out')),
  (SELECT count(DISTINCT provider_id) FROM marketplace_marketplaceoffer WHERE state IN ('open', 'booked_out')),
  (SELECT round(avg(price_gpu_hour)) FROM marketplace_marketplaceoffer WHERE state = 'open'),
  (SELECT count(*) FROM marketplace_gpubooking WHERE state IN ('active', 'reclaiming')),
  (SELECT count(*) FROM marketplace_gpubooking WHERE activated_at > %(since)s),
  (SELECT coalesce(sum(gpu_count::numeric * metered_ms), 0) FROM marketplace_gpubooking WHERE activated_at > %(since)s),
  (SELECT coalesce(sum(owed), 0) FROM marketplace_gpubooking WHERE activated_at > %(since)s),
  (SELECT count(*) FROM marketplace_marketplacedemand WHERE state = 'open'),
  (SELECT count(*) FROM marketplace_gpubooking WHERE ended_at > %(since)s AND outcome = 'ended'),
  (SELECT count(*) FROM marketplace_gpubooking WHERE ended_at > %(since)s AND outcome <> '')
"""
PROVISIONING = """
SELECT avg(extract(epoch FROM activated_at) - extract(epoch FROM greatest(starts_at, created_at)))
FROM marketplace_gpubooking WHERE activated_at > %(since)s
"""
MODELS = """
SELECT gpu_model FROM marketplace_marketplaceoffer WHERE gpu_model <> ''
UNION SELECT gpu_model FROM marketplace_pricetick WHERE gpu_model <> '' ORDER BY 1
"""


@dataclass(frozen=True)
class Span:
    """Which cell, from when to when, in which steps."""

    since: datetime
    until: datetime
    interval: timedelta
    model: str = ""
    region: str = ""
    kind: str = ""

    def values(self) -> dict[str, Any]:
        return {
            "first": floor_to(self.since, self.interval),
            "to": self.until,
            "interval": self.interval,
            "model": self.model,
            "region": self.region,
            "kind": self.kind,
        }


def floor_to(moment: datetime, interval: timedelta) -> datetime:
    """Return the start of the bucket this moment is in."""
    seconds = interval.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, tz=UTC)


def span_of(query: Mapping[str, Any], *, now: datetime) -> Span:
    """Return a validated query as a span. Raises Invalid when it is empty or too long, ModelUnknown with the
    nearest."""
    interval = INTERVALS[query["interval"]]
    until = query.get("to") or now
    since = query.get("from") or until - (timedelta(days=1) if interval < timedelta(days=1) else timedelta(days=30))
    if since >= until:
        raise Invalid("`from` lies before `to`.", errors=[{"field": "from", "message": "It is not before `to`."}])
    if (until - since) / interval > MOST_BUCKETS:
        message = f"At most {MOST_BUCKETS} steps: ask for a shorter span or a longer interval."
        raise Invalid(message, errors=[{"field": "from", "message": message}])
    named = query.get("gpu_model", "")
    model = model_named(named) if named else ""
    return Span(since, until, interval, model, query.get("region", ""), query.get("kind", ""))


def models() -> list[str]:
    """Return every GPU model that was ever offered or traded."""
    return [model for (model,) in _rows(MODELS, {})]


def model_named(text: str) -> str:
    """Return the model as it is spelt here. Raises ModelUnknown, naming the nearest ones."""
    known = {model.casefold(): model for model in models()}
    if found := known.get(text.strip().casefold()):
        return found
    nearest = [known[name] for name, *_ in process.extract(text.casefold(), list(known), limit=3, score_cutoff=50)]
    raise ModelUnknown(f"No offer was ever over {text!r}.", suggestions=nearest)


def prices(span: Span) -> list[dict[str, Any]]:
    """Return asks and trades of each bucket that has either, oldest first; prices in micro-AIT per GPU and hour."""
    values = span.values()
    traded = {row[0]: trades_of(row) for row in _rows(TRADES, values)}
    query = {row[0]: asks_of(row) for row in _rows(ASKS, values)}
    return [{"at": at, "asks": query.get(at), "trades": traded.get(at)} for at in sorted({*traded, *query})]


def trades_of(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return one row of TRADES by name, suppressed where too few providers stand behind it."""
    _, count, providers, gpu_ms, vwap, first, last, low, high, shares = row
    if providers < FEWEST:
        return {"n": count, "suppressed": True}
    listed_counts = {
        "open": first,
        "high": high,
        "low": low,
        "close": last,
        "vwap": None if vwap is None else round(vwap),
    }
    volume = {"volume_gpu_hours": gpu_hours(gpu_ms)}
    return {"n": count, "suppressed": False, **volume, **listed_counts, **spread(low, high, shares)}


def asks_of(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return one row of ASKS by name, suppressed where too few providers stand behind it."""
    _, count, providers, gpus, low, high, shares = row
    if providers < FEWEST:
        return {"n": count, "suppressed": True}
    return {"n": count, "suppressed": False, "gpus": gpus, **spread(low, high, shares)}


def spread(low: int, high: int, shares: list[float]) -> dict[str, int]:
    """Return minimum, percentiles and maximum by name, in whole micro-AIT."""
    named = {f"p{share}": round(value) for share, value in zip(PERCENTILES, shares, strict=True)}
    return {"min": low, **named, "max": high}


def utilisation(span: Span) -> list[dict[str, Any]]:
    """Return which share of the slot-time on offer was in use, bucket by bucket."""
    return [
        {"at": at, "suppressed": True}
        if providers < FEWEST
        else {
            "at": at, "suppressed": False, "offered_gpu_hours": round(offered / 3600, 3),
            "booked_gpu_hours": round(used / 3600, 3), "utilisation": round(used / offered, 4) if offered else None,
        }
        for at, providers, offered, used in _rows(UTILISATION, span.values())
    ]  # fmt: skip


def liquidity(*, model: str = "", region: str = "", kind: str = "") -> dict[str, Any]:
    """Return how deep a market is: open offers and GPUs, concentration (HHI, 0 to 10,000), time to award in seconds."""
    ((providers, offers, gpus, hhi, seconds),) = _rows(LIQUIDITY, {"model": model, "region": region, "kind": kind})
    if 0 < providers < FEWEST:
        return {"suppressed": True}
    return {
        "suppressed": False,
        "providers": providers,
        "open_offers": int(offers),
        "open_gpus": int(gpus),
        "hhi": None if hhi is None else round(hhi),
        "median_time_to_award_s": None if seconds is None else round(float(seconds), 1),
    }


def summary(*, since: datetime) -> dict[str, Any]:
    """Return counts of what is listed now, and of what was booked since; amounts in micro-AIT."""
    names = (
        "listed_offers", "listed_gpus", "providers", "average_price_gpu_hour", "running_bookings", "bookings",
        "gpu_ms", "volume", "open_demands", "kept", "over",
    )  # fmt: skip
    (row,) = _rows(SUMMARY, {"since": since})
    found = dict(zip(names, row, strict=True))
    found["booked_gpu_hours"] = gpu_hours(found.pop("gpu_ms"))
    average = found["average_price_gpu_hour"]
    found["average_price_gpu_hour"] = None if average is None else int(average)
    found["volume"] = int(found["volume"])
    over = found["over"]
    found["success_rate"] = round(found["kept"] / over, 4) if over else None
    return found


def performance(*, since: datetime, now: datetime) -> dict[str, Any]:
    """Return how well renters were served since then: success, time to provision, use of what was offered (0 to 1)."""
    found = summary(since=since)
    ((wait,),) = _rows(PROVISIONING, {"since": since})
    ((_, _, offered, used),) = _rows(UTILISATION, Span(since, now, now - since).values() | {"first": since})
    return {
        **{name: found[name] for name in ("bookings", "booked_gpu_hours", "success_rate")},
        "mean_provisioning_s": None if wait is None else round(float(wait), 1),
        "utilisation": round(used / offered, 4) if offered else None,
    }


def gpu_hours(gpu_ms: int | None) -> float:
    """Return GPU milliseconds as hours."""
    return round(int(gpu_ms or 0) / 3_600_000, 6)


def _rows(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with cursor(PriceTick) as sql:
        sql.execute(statement, values)
        return list(sql.fetchall())
