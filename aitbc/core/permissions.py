"""Which scopes open which endpoint; what no view names is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission

from aitbc.core.errors import Forbidden

PUBLIC = "public"
READ = "read"
# A read key sees what these scopes see. Miners' reads are left out: a poll hands out work.
READABLE = frozenset({"client", "trader", "voter", "publisher", READ})
Scopes = str | tuple[str, ...]


def scopes_for(view: Any) -> frozenset[str]:
    """Return the scopes that open the view's current action; empty means closed to everybody."""
    required: Mapping[str, Scopes] | Scopes = getattr(view, "required_scopes", {})
    named = required if not isinstance(required, Mapping) else required.get(getattr(view, "action", None) or "", ())
    return frozenset((named,) if isinstance(named, str) else named)


class HasScope(BasePermission):
    """The caller's key carries one of the scopes that the view requires for this action."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Raise Forbidden where a valid key lacks the scope; return False for callers without a key."""
        if getattr(view, "action", "") in (None, "metadata"):
            return True  # the view answers 405, or OPTIONS, which says nothing that the schema does not
        scopes = scopes_for(view)
        if PUBLIC in scopes:
            return True
        if not request.user.is_authenticated:
            return False
        if request.user.may(*scopes) or _may_read(request, scopes):
            return True
        if not scopes:
            raise Forbidden("This action is not open to anyone.")
        raise Forbidden(f"This needs a key with the scope {' or '.join(sorted(scopes))}.")


def _may_read(request: Any, scopes: frozenset[str]) -> bool:
    return request.method in SAFE_METHODS and not scopes.isdisjoint(READABLE) and request.user.may(READ)
