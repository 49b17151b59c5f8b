"""Default deny: an action opens only for the scopes its view names."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission

from aitbc.accounts.scopes import Scope
from aitbc.core.errors import Forbidden
from aitbc.core.permissions import PUBLIC, scopes_for

# Whoever holds one of these sees their own things with a read key as well; reads of miners may hand out work.
READABLE = frozenset({Scope.CLIENT, Scope.TRADER, Scope.VOTER, Scope.PUBLISHER, Scope.READ})


class HasScope(BasePermission):
    """The caller's key carries one of the scopes that the view requires for this action."""

    def has_permission(self, request: Any, view: Any) -> bool:
        if getattr(view, "action", "") in (None, "metadata"):
            return True  # no such method here: the view answers 405
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
    return request.method in SAFE_METHODS and not scopes.isdisjoint(READABLE) and request.user.may(Scope.READ)
