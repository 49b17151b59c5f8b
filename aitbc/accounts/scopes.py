"""What a key may be good for."""

from __future__ import annotations

from django.db.models import TextChoices


class Scope(TextChoices):
    """One kind of endpoint; a key opens those it names and no others."""

    CLIENT = "client", "submit and read one's own jobs"
    MINER = "miner", "register machines, take jobs, answer them"
    TRADER = "trader", "trade and book"
    VOTER = "voter", "propose and vote"
    PUBLISHER = "publisher", "publish plugins"
    OPERATOR = "operator", "run the exchange"
    READ = "read", "read what the owner may read, change nothing"
