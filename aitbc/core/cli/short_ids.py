"""Short ids: the beginning of an id, as tables show it, means the only id in a list that begins so.

They are resolved here, by reading the lists of the exchange: its routes take whole ids only.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aitbc.core.cli.errors import ApiProblem, Failure, UsageError

Call = Callable[[str, str], Any]
TOO_SHORT = re.compile(r"[0-9a-f]{1,7}", re.IGNORECASE)
BEGINNING = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}", re.IGNORECASE)  # of an id, or all of it
WHOLE = 36  # characters of an id
PAGE, PAGES = 200, 50  # rows of a page, and pages read of one list
FORBIDDEN = 403


@dataclass(frozen=True)
class Listed:
    """What an argument is the id of, and the lists that have it; their paths may name other arguments: {demand}."""

    what: str
    lists: tuple[str, ...]
    key: str = "id"
    newest_first: bool = True
    has_names: bool = True  # a row may be called by a name that its owner gave it


def add_id(parser: argparse.ArgumentParser, *flags: str, of: Listed, **options: Any) -> None:
    """Add an argument that is an id, or a list of ids; commands get it whole."""
    action = parser.add_argument(*flags, **options)
    parser.set_defaults(ids={**(parser.get_default("ids") or {}), action.dest: of})


def whole_ids(call: Call, ids: Mapping[str, Listed], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with each short id replaced by the id it means; in the order in which they were added."""
    found = dict(options)
    for name, listed in ids.items():
        lists = [path.format_map(found) for path in listed.lists]
        if isinstance(found[name], list):
            found[name] = [whole_id(call, listed, lists, text) for text in found[name]]
        elif found[name]:
            found[name] = whole_id(call, listed, lists, found[name])
    return found


def whole_id(call: Call, listed: Listed, lists: list[str], text: str) -> str:
    """The id that begins with this text; a whole id, a name or an owner's own id is returned as it is.

    Raises UsageError when the text is too short or, with the candidates, when several begin so; Failure when none does.
    """
    if TOO_SHORT.fullmatch(text):
        return own_name(call, listed, lists, text)
    if len(text) == WHOLE or not BEGINNING.fullmatch(text):
        return text
    found: set[str] = set()
    for path in lists:
        for row in rows_of(call, path, until=text if listed.newest_first else ""):
            if text in row.values():
                return text
            if str(row.get(listed.key, "")).startswith(text.lower()):
                found.add(str(row[listed.key]))
    return only(found, listed.what, text)


def own_name(call: Call, listed: Listed, lists: list[str], text: str) -> str:
    """This text where somebody named a row so. Raises UsageError: an id needs more characters."""
    if listed.has_names and any(text in row.values() for path in lists for row in rows_of(call, path)):
        return text
    raise UsageError(f"{text} is too short: give at least 8 characters of the id of the {listed.what}.")


def only(found: set[str], what: str, text: str) -> str:
    """The one id of this set. Raises UsageError when there are several, Failure when there is none."""
    if not found:
        raise Failure(f"No {what} that you can list begins with {text}.", code="not_found")
    if len(found) > 1:
        candidates = sorted(found)
        listed = "\n".join(f"  {one}" for one in candidates)
        raise UsageError(f"{text} is the beginning of several ids; give more of it:\n{listed}", candidates=candidates)
    return found.pop()


def rows_of(call: Call, path: str, *, until: str = "") -> Iterator[dict[str, Any]]:
    """The rows of a list, page by page; of one that is newest first no page behind the time of the id `until`."""
    start = f"{path}{'&' if '?' in path else '?'}limit={PAGE}"
    cursor = ""
    for _ in range(PAGES):
        page = readable(call, f"{start}&cursor={quote(cursor)}" if cursor else start)
        rows = page if isinstance(page, list) else page["items"]
        yield from rows
        cursor = "" if isinstance(page, list) else page.get("next") or ""
        if not cursor or not rows or (until and is_older(rows[-1], until)):
            return


def readable(call: Call, path: str) -> Any:
    """The page, empty when this key may not read the list."""
    try:
        return call("GET", path)
    except ApiProblem as problem:
        if problem.status != FORBIDDEN:
            raise
        return []


def is_older(row: Mapping[str, Any], text: str) -> bool:
    """Whether a row was made before all ids that begin so: ids are UUIDv7, their first eight digits count 65 seconds.

    One of these is left for the clocks of several machines.
    """
    return int(str(row["id"])[:8], 16) + 1 < int(text[:8], 16)
