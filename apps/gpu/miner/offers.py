"""What the engines of this host offer; looked up so that one that fails or hangs hides no other."""

import logging
import threading
import time
from dataclasses import dataclass

from apps.gpu.miner import engines

log = logging.getLogger("aitbc.miner")

LOOK_UP_SECONDS = 15.0  # for all engines together, which are looked up side by side
_hanging: dict[str, "_LookUp"] = {}  # by the engine's name


@dataclass(frozen=True)
class Offered:
    """Every task type by which clients may name an engine, and the names of its models."""

    task_types: list[str]
    models: list[str]


def look_up() -> dict[str, Offered]:
    """Return what each engine offers that this host can run, by name; one without an answer in time is left out."""
    started = {name: _LookUp(name) for name in engines.declared() if not _hangs(name)}
    for look in started.values():
        look.start()
    deadline = time.monotonic() + LOOK_UP_SECONDS
    for name, look in started.items():
        look.join(max(deadline - time.monotonic(), 0.0))
        if look.is_alive():
            log.warning("engine %s is left out: it does not say within %.0f s what it offers", name, LOOK_UP_SECONDS)
            _hanging[name] = look
    return {name: look.offered for name, look in started.items() if look.offered and not look.is_alive()}


def _hangs(name: str) -> bool:
    """Whether an earlier look-up of this engine still runs: a second one would only hang beside it."""
    return name in _hanging and _hanging[name].is_alive()


class _LookUp(threading.Thread):
    """The look-up of one engine: third-party code, which may do anything."""

    def __init__(self, engine: str):
        super().__init__(name=f"look-up-{engine}", daemon=True)
        self.engine = engine
        self.offered: Offered | None = None

    def run(self) -> None:
        """Query the engine; what it raises is logged."""
        try:
            engine = engines.load(self.engine)
            if engine.available() and (words := engines.task_types(engine)):
                self.offered = Offered(words, self._models(engine))
        except Exception as error:
            log.warning("engine %s is left out: %s: %s", self.engine, type(error).__name__, error, exc_info=True)

    def _models(self, engine: engines.Engine) -> list[str]:
        try:
            return engines.names(engine.models())
        except Exception:
            log.exception("the models of engine %s cannot be listed", self.engine)
            return []
