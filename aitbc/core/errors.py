"""What can go wrong in a domain, as exceptions whose docstring is the title of the problem (RFC 9457).

A domain's own errors subclass these: the class says the status, its name the code, the message the detail.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar


class DomainError(Exception):
    """The request could not be carried out."""

    status: ClassVar[int] = 400
    retry_after: float | None = None

    def __init__(self, detail: str = "", *, retry_after: float | None = None, **members: Any) -> None:
        super().__init__(detail or self.title())
        self.detail = detail or self.title()
        self.members = members
        if retry_after is not None:
            self.retry_after = retry_after

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or cls.__name__).strip().split("\n")[0]

    @property
    def code(self) -> str:
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()


class Invalid(DomainError):
    """The request has an invalid value."""

    def __init__(self, detail: str = "", *, errors: list[dict[str, str]] | None = None, **members: Any) -> None:
        super().__init__(detail, **members)
        self.errors = errors or []


class Unauthenticated(DomainError):
    """Credentials are missing or not valid."""

    status = 401


class InsufficientFunds(DomainError):
    """The account does not hold enough money."""

    status = 402


class Forbidden(DomainError):
    """The key does not permit this."""

    status = 403


class NotFound(DomainError):
    """There is no such thing, or it is not yours."""

    status = 404
    code = "not_found"  # of every kind of thing: the title says which; an address without a route is `route_not_found`


class RequestTimeout(DomainError):
    """The request did not arrive in time."""

    status = 408


class Conflict(DomainError):
    """The request does not fit the present state."""

    status = 409


class StateConflict(Conflict):
    """The thing is in another state than the request needs."""


class Gone(DomainError):
    """It has expired."""

    status = 410


class Stale(DomainError):
    """It was changed by somebody else in the meantime."""

    status = 412


class TooLarge(DomainError):
    """The body is larger than this route takes."""

    status = 413


class UnsupportedMedia(DomainError):
    """The body's type or encoding is not accepted here."""

    status = 415


class TooEarly(DomainError):
    """The result is not there yet."""

    status = 425
    retry_after = 1.0


class RateLimited(DomainError):
    """Too many requests."""

    status = 429
    retry_after = 1.0


class Unavailable(DomainError):
    """The service cannot answer at the moment."""

    status = 503
    retry_after = 1.0
