"""Errors of the gpu domain. Clients see `code`; where none is set it comes from the class name."""

from __future__ import annotations

from aitbc.core.errors import Conflict, Invalid, NotFound, TooLarge


class MinerNotFound(NotFound):
    """There is no such miner, or it is not yours."""


class LeaseNotFound(NotFound):
    """You never held this job."""


class LeaseFenced(Conflict):
    """The lease is no longer yours."""


class MinerBusy(Conflict):
    """The miner still holds leases."""


class ResultTooLarge(TooLarge):
    """The result is larger than 16 MiB."""


class UnusableResult(Invalid):
    """The result cannot be written as canonical JSON."""


class BackendRefused(Invalid):
    """The back-end's address may not be called."""


class GpuNotFound(NotFound):
    """There is no such card, or it is not yours."""


class CommandNotFound(NotFound):
    """There is no such command, or it is not for your miner."""


class GpuBooked(Conflict):
    """A booking has the card."""

    code = "card_booked"


class MinerAway(Conflict):
    """The miner cannot be reached at the moment."""


class BenchmarkNotFound(NotFound):
    """There is no such benchmark, or it is not for your miner."""


class BenchmarkOpen(Conflict):
    """The card is being measured already."""


class GpuUnfit(Conflict):
    """The card cannot be measured as it is."""

    code = "card_unfit"


class ModelUnknown(Invalid):
    """There is no such model."""


class SettingImpossible(Conflict):
    """The setting cannot be changed on this card."""


class GpuDisputed(Conflict):
    """Two miners claim the card."""

    code = "card_disputed"


class ScanFailed(Conflict):
    """The miner did not look at its cards."""
