"""Every command of the project ends its --help with examples, and each of them is one it understands."""

from __future__ import annotations

import argparse
import shlex

import pytest
from django.core.management import get_commands, load_command_class

from aitbc.core.cli.commands import ProjectCommand

pytestmark = pytest.mark.no_db

OURS = sorted((name, app) for name, app in get_commands().items() if str(app).startswith(("aitbc.", "apps.")))
PLACEHOLDER = {"0190f3c2-…": "0190f3c2-0000-7000-8000-000000000000"}


@pytest.mark.parametrize(("name", "app"), OURS, ids=[name for name, _ in OURS])
def test_its_examples_are_printed_as_written_and_parse(name, app):
    command = load_command_class(app, name)
    assert isinstance(command, ProjectCommand)
    parser = command.create_parser("manage.py", name)
    examples = [line for one in family(parser) for line in examples_of(one)]
    assert examples, f"manage.py {name} --help shows no example"

    for example in examples:
        words = arguments_of(example)
        if words[:1] == [name] and words[1:2] != ["run"]:  # `miner run` is a program with options of its own
            parser.parse_args(words[1:])


def family(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """A parser and those of its verbs."""
    verbs = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [parser, *(one for action in verbs for child in action.choices.values() for one in family(child))]


def examples_of(parser: argparse.ArgumentParser) -> list[str]:
    """The lines below `examples:`, as --help prints them."""
    _, _, below = parser.format_help().partition("examples:\n")
    return below.splitlines()


def arguments_of(line: str) -> list[str]:
    """The words after manage.py, without a remark (three blanks before it) and without a pipe."""
    command = line.strip().split("manage.py ", 1)[-1].split("   ")[0].split(" > ")[0]
    return [PLACEHOLDER.get(word, word) for word in shlex.split(command)]
