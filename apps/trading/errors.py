"""What can go wrong with money; the docstring is the title of the problem."""

from aitbc.core.errors import Conflict, Invalid, Unavailable


class TransferConflict(Conflict):
    """A transfer with this id exists and says something else."""


class HoldResolved(Conflict):
    """This hold was already posted or voided."""


class HoldMismatch(Conflict):
    """The resolution does not fit its hold."""


class NotSealed(Conflict):
    """It is committed but not yet in a signed block; ask again in a moment."""


class LogDamaged(Unavailable):
    """The log does not agree with what was signed; nothing is sealed until somebody looks."""


class SizeInvalid(Invalid):
    """The log had no tree of this size."""


class HashInvalid(Invalid):
    """A hash is 64 hex digits."""
