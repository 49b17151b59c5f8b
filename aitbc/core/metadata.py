"""What OPTIONS says of an endpoint."""

from __future__ import annotations

from typing import Any

from rest_framework.metadata import SimpleMetadata


class DomainMetadata(SimpleMetadata):
    """DRF's, without the fields of each body: those are published at /schema, for every action and not for one."""

    def determine_actions(self, request: Any, view: Any) -> dict[str, Any]:
        """Return nothing: the serializer of an action is known to the schema alone."""
        return {}
