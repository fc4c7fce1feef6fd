"""The progress bar on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from avpipe.cli.output import shown_size, shown_time
from avpipe.updates import Progress as ProgressUpdate

LABELS = {
    "bench": "measuring",
    "listen": "listening",
    "sync": "lining up",
    "fit": "trying sizes",
    "correct": "correcting",
    "audio": "encoding audio",
    "video": "making video",
    "verify": "verifying",
    "compress": "compressing",
    "upload": "uploading",
    "cloud_render": "cloud render",
    "download": "downloading",
}


class Bar:
    """One bar on standard error, a line for each stage, with speed and ETA."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<14}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[pace]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._progress.start()

    def show(self, update: ProgressUpdate) -> None:
        """Draw one progress update."""
        if update.stage not in self._tasks:
            label = LABELS.get(update.stage, update.stage)
            self._tasks[update.stage] = self._progress.add_task(label, total=1.0, pace="")
        pace = "" if update.speed is None else _pace(update.stage, update.speed)
        if update.eta_s is not None and update.done < 1:
            pace += f"  {shown_time(update.eta_s)} left"
        self._progress.update(self._tasks[update.stage], completed=update.done, pace=pace)

    def close(self) -> None:
        """Take the bar off the screen."""
        self._progress.stop()


def _pace(stage: str, speed: float) -> str:
    return f"{shown_size(speed)}/s" if stage in ("upload", "download") else f"{speed:.1f}x"
