"""Lines of a log that show texts of others: what would steer a terminal or begin another line is shown, never sent."""

from __future__ import annotations

import logging

from aitbc.core.cli.text import not_utf8, one_line, printable

__all__ = ["PrintableFormatter", "not_utf8", "printable"]


class PrintableFormatter(logging.Formatter):
    """A formatter whose message stays one line; a traceback below it keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = one_line(record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))
