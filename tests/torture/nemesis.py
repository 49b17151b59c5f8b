"""What goes wrong, drawn from a seed."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field

from tests.torture.stack import TARGETS, Stack

FLUSH = "flush"


@dataclass
class Nemesis:
    """Kills something every one to three seconds, or empties Valkey; every kind once before any a second time."""

    stack: Stack
    seed: int
    blows: int
    stop: threading.Event
    log: list[str] = field(default_factory=list)

    def run(self) -> None:
        draw = random.Random(self.seed)
        kinds: list[str] = []
        for _ in range(self.blows):
            if self.stop.wait(draw.uniform(1.0, 3.0)):
                return
            if not kinds:
                kinds = draw.sample([*sorted(TARGETS), FLUSH], len(TARGETS) + 1)
            kind = kinds.pop()
            struck = self.stack.flush() if kind == FLUSH else self.stack.kill(kind, draw)
            self.log.append(kind if struck else f"{kind} (absent)")
