"""A dataset in the queue: it gives way to what is asked for meanwhile, and goes on afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.studio.generation.job import GenerationJob, Stopped


@dataclass(eq=False)
class DatasetJob(GenerationJob):
    """The making of a dataset; ``requests`` holds its one request.

    Parameters
    ----------
    giving_way : bool
        It was asked to stop so that another job can run; then it waits for its turn again.
    """

    giving_way: bool = False

    @property
    def gave_way(self) -> bool:
        """Whether it stopped for another job, and not because the user wants no more of it."""
        return self.giving_way and not self.cancelled

    @property
    def folder(self) -> Path:
        """Of the dataset."""
        return Path(self.dataset_request.folder)

    @property
    def dataset_request(self) -> DatasetRequest:
        """What is asked for."""
        request: Any = self.requests[0]
        assert isinstance(request, DatasetRequest)
        return request

    @property
    def count(self) -> int:
        """Pairs in all; 1 while that is not known."""
        return self.total or 1

    @property
    def canvas(self) -> bool:
        """It goes on by itself: nothing of it needs to be kept."""
        return False

    @property
    def part(self) -> float:
        """How much of it is done, 0 to 1."""
        return 1.0 if self.state == "done" else self.done / self.count

    def summary(self) -> str:
        """Say what it makes."""
        most = self.dataset_request.most
        first = f", the first {most}" if most else ""
        return f"dataset {self.folder.name}{first}"

    def sentence(self) -> str:
        """Say how it stands, and while it runs how long it will take."""
        match self.state:
            case "waiting":
                made = f", {self.done:,} of {self.total:,} made" if self.total else ""
                return f"waiting{made}"
            case "done":
                return f"done, {self.done:,} pairs"
            case "failed":
                return self.problem
            case "cancelled":
                return f"cancelled, {self.done:,} pairs are kept" if self.total else "cancelled"
        if self.cancelled:
            return "Cancelling…"
        left = self.clock.left if self.total else ""
        return " · ".join([self.message, *([left] if left else [])])

    def rest(self) -> list[Any]:
        """Give what is left to make, for another try: the dataset knows that itself."""
        return [self.dataset_request]

    def again(self) -> DatasetJob:
        """Give a job for another try."""
        return DatasetJob(self.number, self.requests, self.target, ready=True)

    def stopped(self) -> Stopped | None:
        """Nothing of a dataset waits elsewhere than in its folder."""
        return None
