"""Errors of the ai domain: the docstring is the title, the name the code of the problem."""

from aitbc.core.errors import Conflict, Gone, InsufficientFunds, Invalid, NotFound, TooEarly, TooLarge


class CannotPay(InsufficientFunds):
    """The balance does not cover the payment offered for the job."""


class ResultNotReady(TooEarly):
    """The job has no result yet."""


class ResultRemoved(Gone):
    """The result is not kept any more."""


class ReceiptNotIssued(NotFound):
    """The job has no receipt yet."""

    code = "receipt_not_issued"  # the job is there: whoever waits for the receipt may ask again


class ArtifactNotFound(NotFound):
    """There is no such artifact, or it is not yours."""


class ArtifactInUse(Conflict):
    """An unfinished job uses this artifact."""


class ArtifactQuotaExceeded(TooLarge):
    """Your artifacts would take more space than you may use."""


class PayloadTooLarge(TooLarge):
    """The payload is larger than 1 MiB."""


class StreamCursorInvalid(Invalid):
    """The cursor is not one of this stream's."""


class BookingUnusable(Invalid):
    """The job cannot be done in this booking."""


class InputUnusable(Invalid):
    """The input does not go with this job."""
