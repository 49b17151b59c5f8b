"""Tables at 80 and 120 columns: whole numbers and words, short ids that are unique, the least important columns go."""

from __future__ import annotations

import copy
import io
import itertools
import json
import re
from uuid import UUID, uuid4

import pytest
from rich.cells import cell_len

from aitbc.core.cli.tables import Grid, console, more, rows, shortest_length
from apps.ai.management.tables import jobs
from apps.gpu.management.subcommands import gpus, transactions
from apps.gpu.management.tables import benchmarks, miners, optimization
from apps.marketplace.management.subcommands import auctions
from apps.marketplace.management.tables import bookings, offers
from tests.shell import ROOT, Terminal

pytestmark = pytest.mark.no_db
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
STYLE = re.compile(r"\x1b\[[\d;]*m")
SHORT = re.compile(r"[0-9a-f]{8}[0-9a-f-]*")
NUMBER = re.compile(r"[\d,]+(\.\d+)?")
TEXT = "a sentence of a stranger that goes on for quite a while, [bold]with markup[/] and a-very-long-word-" + "x" * 60
MOMENTS = itertools.count(1 << 40, 4_000)  # something is made every four seconds
#: label, what the exchange answers (of examples.json), how it is shown
TABLES = {
    "job list": ("ai", "JobViewSet.list", jobs.jobs),
    "job explain": ("ai", "JobViewSet.explain", jobs.explanation),
    "gpu list": ("gpu", "GpuViewSet.list", lambda page: rows("Cards", page["items"], gpus.LISTED)),
    "miner status": ("gpu", "MinerViewSet.list", lambda page: rows("Miners", page["items"], miners.MINERS)),
    "miner jobs": ("gpu", "MinerViewSet.jobs", lambda page: rows("Jobs", page["jobs"], miners.JOBS)),
    "miner backend list": ("gpu", "BackendViewSet.list", lambda page: rows("M", page["items"], miners.BACKENDS)),
    "gpu benchmarks": ("gpu", "BenchmarkViewSet.list", benchmarks.benchmarks),
    "gpu benchmark": ("gpu", "BenchmarkViewSet.retrieve", benchmarks.benchmark),
    "gpu optimize": ("gpu", "OptimizationViewSet.optimize", optimization.advice),
    "gpu orders": ("marketplace", "TransactionViewSet.list", transactions.table_of),
    "market bookings": ("marketplace", "BookingViewSet.list", bookings.bookings),
    "market show": ("marketplace", "BookingViewSet.events", lambda page: bookings.timeline(page["items"])),
    "market quote": ("marketplace", "QuoteViewSet.create", bookings.quote),
    "market demands": ("marketplace", "DemandViewSet.list", lambda page: auctions.demand_table(page["items"])),
    "market bids": ("marketplace", "DemandViewSet.bids", lambda page: auctions.bid_table(page["items"])),
    "market award": ("marketplace", "DemandViewSet.award", auctions.award_table),
    "market offers list": ("marketplace", "OfferViewSet.mine", offers.mine),
    "market offers history": ("marketplace", "OfferViewSet.history", offers.history),
    "market search": ("marketplace", "SearchViewSet.search", lambda page: offers.found(page, model="m")),
    "market search --fields": ("marketplace", "SearchViewSet.fields", offers.fields),
    "market reviews": ("marketplace", "ReviewViewSet.list", bookings.reviews),
}


def printed(table, width=None, monkeypatch=None):
    """What a terminal of this width shows, or a pipe without one."""
    if width:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
    out = Terminal() if width else io.StringIO()
    console(out).print(table)
    return STYLE.sub("", out.getvalue())


def cells(text):
    """The cells of the rows of all tables in it, by line."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line.startswith("│")]


def answer(label, name):
    """The example with three times as many rows, each with ids and large amounts of its own, and long texts."""
    found = json.loads((ROOT / "apps" / label / "examples.json").read_text())[name]["response"]
    if isinstance(found, list):
        return [row for _ in range(3) for row in varied(found)]
    for member in ("items", "jobs"):
        if isinstance(found.get(member), list):
            found[member] = [row for _ in range(3) for row in varied(found[member])]
    return found


def made_at(milliseconds):
    """An id as it is made in this millisecond."""
    return str(UUID(f"{milliseconds:012x}7{uuid4().hex[13:]}"))


def varied(found):
    def changed(value, name=""):
        if isinstance(value, dict):
            return {key: changed(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [changed(inner, name) for inner in value]
        if isinstance(value, str) and ID.fullmatch(value):
            return made_at(next(MOMENTS))
        if isinstance(value, str) and re.fullmatch(r"\d+\.\d{6}", value):
            return "123456789.123456"
        return TEXT if name in ("reason", "text", "about", "last_error", "title") else value

    return [changed(copy.deepcopy(row)) for row in found]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("label", TABLES)
def test_nothing_is_cut_into_pieces(label, width, monkeypatch):
    domain, name, shown = TABLES[label]
    table = shown(answer(domain, name))

    narrow, whole = printed(table, width, monkeypatch), printed(table)

    assert max(map(cell_len, narrow.splitlines())) <= width
    entire = {cell for line in cells(whole) for cell in line}
    ids = {cell for cell in entire if ID.fullmatch(cell)}
    for cell in (cell for line in cells(narrow) for cell in line):
        if NUMBER.fullmatch(cell):
            assert cell in entire or any(one.startswith(cell) for one in ids)
        elif SHORT.fullmatch(cell) and cell not in entire:
            assert sum(one.startswith(cell) for one in ids) == 1, cell
    for column in zip(*[line for line in cells(narrow) if len(line) == len(cells(narrow)[0])], strict=True):
        assert max(map(len, column)) > 1 or all(cell in entire for cell in column), "one letter per line"


def test_a_pipe_has_whole_ids_and_all_columns_on_one_line_each():
    table = jobs.jobs(answer("ai", "JobViewSet.list"))

    text = printed(table)

    assert all(ID.fullmatch(line[0]) for line in cells(text))
    assert len(cells(text)) == len(table.lines)
    assert "not shown" not in text and "attempt" in text


def test_the_last_columns_go_first_and_are_named(monkeypatch):
    table = Grid("T", ["id", "state", "amount (AIT)", "miner"], [[made_at(1 << 40), "running", "1.000000", "m" * 30]])

    assert "not shown" not in printed(table, 80, monkeypatch)
    narrow = printed(table, 60, monkeypatch)
    assert "not shown: miner" in narrow and "1.000000" in narrow
    assert "not shown: amount (AIT), miner" in " ".join(printed(table, 26, monkeypatch).split())
    assert "m" * 30 in printed(table)


def test_ids_are_as_short_as_is_unique_in_the_table(monkeypatch):
    first, second, far = (
        "0190f3c2-1a2b-7000-8000-000000000001", "0190f3c2-1a2c-7000-8000-000000000001",
        "0290f3c2-1a2b-7000-8000-000000000001",
    )  # fmt: skip
    assert shortest_length({first, far}) == 8
    assert shortest_length({first, second, far}) == 13
    assert shortest_length({first, first[:-1] + "2"}) == 36
    assert shortest_length(set()) == 8

    text = printed(rows("T", [{"id": first}, {"id": second}], ("id",)), 80, monkeypatch)
    assert "│ 0190f3c2-1a2b │" in text and "│ 0190f3c2-1a2c │" in text


def test_text_wraps_between_words_and_keeps_its_markup_as_text(monkeypatch):
    words = "one two three four five six seven eight nine ten"
    text = printed(Grid("T", ["id", "why"], [["x" * 20, f"{words} [red]"]]), 50, monkeypatch)

    shown = " ".join(line[1] for line in cells(text))
    assert shown == f"{words} [red]"


def test_the_line_below_a_page_counts_all_and_says_how_to_go_on():
    assert more({"items": [1, 2], "next": None}) == ""
    assert more({"items": [1, 2], "next": "abc"}) == "more: --cursor abc"
    assert more({"items": [1, 2], "next": "abc", "total": 7}) == "2 of 7; more: --cursor abc"
    assert more({"items": [1, 2], "next": None, "total": 2}) == ""
    assert printed(Grid("Jobs", ["id"], [])) == "Jobs: none\n"
