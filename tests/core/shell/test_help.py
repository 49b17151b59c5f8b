"""Every command and verb, found by introspection: what it does in one line, examples, a line for each option."""

from __future__ import annotations

import argparse
import re

import pytest

from aitbc.core.cli.amounts import Amount
from aitbc.core.cli.errors import advice_for
from tests.shell import ended, parsers

pytestmark = pytest.mark.no_db
PARSERS = dict(parsers())
ITS_OWN_PROGRAM = {"miner run", "miner parked"}  # words passed on to aitbc-miner, which has its own help
NUMERIC = {
    words: [action for action in parser._actions if getattr(action.type, "low", None) is not None]
    for words, parser in PARSERS.items()
}


@pytest.mark.parametrize("words", sorted(set(PARSERS) - ITS_OWN_PROGRAM))
def test_each_command_and_verb_says_what_it_does_and_shows_how(words):
    parser = PARSERS[words]

    assert parser.description
    _, _, examples = (parser.epilog or "").partition("examples:\n")
    assert re.search(rf"^  .*manage\.py {re.escape(words)}( |$)", examples, re.MULTILINE), parser.epilog
    for action in parser._actions:
        assert action.help or isinstance(action, argparse._SubParsersAction), action.dest


@pytest.mark.parametrize("words", sorted(PARSERS))
def test_each_group_lists_its_verbs_with_one_line_each(words):
    for action in PARSERS[words]._actions:
        if isinstance(action, argparse._SubParsersAction):
            described = {one.dest: one.help or "" for one in action._choices_actions}
            assert set(described) == set(action.choices)
            assert all(about and "\n" not in about and len(about) <= 80 for about in described.values()), described


@pytest.mark.parametrize("words", sorted(PARSERS))
def test_each_option_that_is_a_number_has_a_range(words):
    for action in PARSERS[words]._actions:
        if action.dest != "verbosity":  # Django's own
            assert action.type not in (int, float), f"{words} {action.dest}"


@pytest.mark.parametrize("words", sorted(PARSERS))
def test_each_option_that_is_money_is_read_as_an_amount(words):
    for action in PARSERS[words]._actions:
        if re.search(r"\bAIT\b", action.help or ""):
            assert isinstance(action.type, Amount), f"{words} {action.dest}"


@pytest.mark.parametrize("words", sorted(words for words, numeric in NUMERIC.items() if numeric))
def test_a_number_out_of_its_range_is_refused_with_the_range(words, capsys):
    for action in NUMERIC[words]:
        parser = argparse.ArgumentParser()
        flag = action.option_strings[0] if action.option_strings else action.dest
        parser.add_argument(flag, type=action.type)
        for text in (str(action.type.low - 1), str(action.type.high + 1), "many", "1_0", "٣", "1e3", ""):
            with pytest.raises(SystemExit) as exiting:
                parser.parse_args([flag, text] if action.option_strings else [text])
            assert exiting.value.code == 2
            error = capsys.readouterr().err
            assert f"number from {action.type.low} to {action.type.high}" in error
        low = str(action.type.low)
        parser.parse_args([flag, low] if action.option_strings else [low])


@pytest.mark.parametrize("arguments", [(), ("--help",), ("help",)], ids=str)
def test_the_program_lists_its_commands_with_one_line_each(arguments):
    code, out, err = ended(*arguments)

    assert (code, err) == (0, "")
    for words in PARSERS:
        if " " not in words:
            assert re.search(rf"^  {words} +\w.{{10,}}$", out, re.MULTILINE), words
    assert "migrate" in out
    assert "job" in ended("help", "--commands")[1].split()


@pytest.mark.parametrize("words", [("job",), ("job", "submit"), ("market", "offers"), ("market", "book")], ids=" ".join)
def test_examples_name_the_program_as_it_was_started(words, monkeypatch):
    parser = PARSERS[" ".join(words)]
    assert f"manage.py {' '.join(words)} " in parser.format_help()

    monkeypatch.setattr("sys.argv", ["/opt/bin/aitbc", *words, "--help"])

    assert f"aitbc {' '.join(words)} " in parser.format_help()
    assert "  manage.py" not in parser.format_help()


def test_hints_name_the_program_as_it_was_started(monkeypatch):
    assert "`manage.py key create --scope client` makes one" in advice_for(401, "client")

    monkeypatch.setattr("sys.argv", ["/opt/bin/aitbc"])

    assert "`aitbc key create --scope client` makes one" in advice_for(401, "client")


def test_a_verb_names_the_key_it_is_called_with():
    assert "AITBC_MINER_KEY" in PARSERS["market bid"].format_help()
    assert "AITBC_CLIENT_KEY" in PARSERS["market book"].format_help()


IDS = re.compile(r".*_id|gpu|bid|offer|order|demand|booking|publish|withdraw|miner")
NO_IDS = {
    ("market book", "quote_id"),  # there is no list of quotes: they are open for a minute
    ("market offers create", "external_id"), ("job submit", "gpu"), ("market demand", "gpu"),  # names
    ("market search", "order"),  # of the rows
}  # fmt: skip


@pytest.mark.parametrize("words", sorted(PARSERS))
def test_each_argument_that_is_an_id_may_be_short(words):
    parser = PARSERS[words]
    short = set(parser.get_default("ids") or ())

    named = {action.dest for action in parser._actions if IDS.fullmatch(action.dest)}
    assert {name for name in named - short if (words, name) not in NO_IDS} == set()
