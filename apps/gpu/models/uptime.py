"""Heartbeats by minute: per miner and hour, and the minutes in which the exchange was up."""

from __future__ import annotations

from django.db import models


class MinerHour(models.Model):
    """The minutes of an hour with a heartbeat of this miner: bit n is minute n. heartbeats.BEAT writes it."""

    id = models.BigAutoField(primary_key=True)
    miner_id = models.UUIDField()
    hour = models.DateTimeField()
    minutes = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(name="gpu_minerhour_once", fields=["hour", "miner_id"])]

    def __str__(self) -> str:
        return f"{self.miner_id} {self.hour:%Y-%m-%d %H}h: {self.minutes.bit_count()} minutes"


class WatchedHour(models.Model):
    """The minutes of an hour in which the exchange was up: silence counts in no other."""

    hour = models.DateTimeField(primary_key=True)
    minutes = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h: {self.minutes.bit_count()} minutes"
