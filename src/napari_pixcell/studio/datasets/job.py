"""A dataset in the queue: it gives way to other jobs, and resumes when they are done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_pixcell.datasets.recipe.request import DatasetRequest
from napari_pixcell.studio.generation.job import Job


@dataclass(eq=False, kw_only=True)
class DatasetJob(Job):
    """The making of a dataset; ``requests`` holds its one request."""

    section: str = "dataset"
    gives_way: bool = True
    pictures: bool = False

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def folder(self) -> Path:
        return Path(self.dataset_request.folder)

    @property
    def dataset_request(self) -> DatasetRequest:
        request: DatasetRequest = self.requests[0]
        return request

    def summary(self) -> str:
        most = self.dataset_request.most
        first = f", the first {most}" if most else ""
        return f"dataset {self.folder.name}{first}"

    def sentence(self) -> str:
        match self.state:
            case "waiting":
                return f"waiting, {self.done:,} of {self.total:,} made" if self.total else "waiting"
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

    def rest(self) -> list[DatasetRequest]:
        """Return its request: the dataset itself knows what is missing."""
        return [self.dataset_request]

    def retry(self) -> DatasetJob:
        return DatasetJob(number=self.number, requests=self.requests, on_end=self.on_end)
