"""Errors of trading; the docstring is the title of the problem that the client sees."""

from aitbc.core.errors import Conflict, Forbidden, Invalid, Unavailable


class TransferConflict(Conflict):
    """A transfer with this id exists and has other content."""


class HoldResolved(Conflict):
    """This hold was already posted or voided."""


class HoldMismatch(Conflict):
    """The resolution does not fit its hold."""


class NotSealed(Conflict):
    """It is committed but not yet in a signed block; try again in a moment."""


class LogDamaged(Unavailable):
    """The log contradicts what was signed; nothing is sealed until an operator has looked."""


class SizeInvalid(Invalid):
    """The log had no tree of this size."""


class HashInvalid(Invalid):
    """A hash is 64 hex digits."""


class NotReversible(Conflict):
    """A transfer of this kind is not reversed."""


class AlreadyReversed(Conflict):
    """This transfer is reversed already, or a proposal to reverse it waits for a second operator."""


class ReversalUncovered(Conflict):
    """The account no longer has the money that the reversal would take back."""


class SecondOperatorNeeded(Forbidden):
    """An amount of this size is decided by two operators, each known as a user."""


class ReferenceUsed(Conflict):
    """Another withdrawal was paid with this external reference."""
