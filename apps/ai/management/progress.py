"""The progress bar of a job that is being watched."""

from __future__ import annotations

from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from apps.ai.states import WITH_RESULT


class JobProgress(Progress):
    """One bar: it pulses until the miner reports progress, starts again with each attempt, and is full at success."""

    def __init__(self, **options: Any) -> None:
        columns = (
            TextColumn("{task.description:>10}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
        )
        super().__init__(*columns, **options)
        self.bar = self.add_task("submitted", total=None)
        self.has_result = False

    def entered(self, state: str) -> None:
        """The job is in this state now."""
        self.has_result = state in WITH_RESULT
        self.update(self.bar, description=state)
        if self.has_result:
            self.update(self.bar, total=1.0, completed=1.0)
        elif state == "queued":
            self.tasks[0].total, self.tasks[0].completed = None, 0  # update() takes None for "as it is"

    def moved(self, share: float) -> None:
        """The miner reports this share as done; a report that arrives after the result changes nothing."""
        if not self.has_result:
            self.update(self.bar, total=1.0, completed=share)
