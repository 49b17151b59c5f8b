"""In which minutes of an hour a miner was heard, and in which the exchange could hear."""

from __future__ import annotations

from django.db import models


class MinerHour(models.Model):
    """In which minutes of an hour a miner was heard: bit n is minute n. The heartbeat itself writes it."""

    id = models.BigAutoField(primary_key=True)
    miner_id = models.UUIDField()
    hour = models.DateTimeField()
    minutes = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(name="gpu_minerhour_once", fields=["hour", "miner_id"])]

    def __str__(self) -> str:
        return f"{self.miner_id} {self.hour:%Y-%m-%d %H}h: {self.minutes.bit_count()} minutes"


class WatchedHour(models.Model):
    """In which minutes of an hour the exchange was there to hear anybody: silence counts in no other."""

    hour = models.DateTimeField(primary_key=True)
    minutes = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h: {self.minutes.bit_count()} minutes"
