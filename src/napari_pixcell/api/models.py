"""Models: what is installed, and how the rest is downloaded and checked."""

from __future__ import annotations

from dataclasses import dataclass

from napari_pixcell.api.progress import ProgressDisplay, RequestCancelled, WantedProgress
from napari_pixcell.errors import PixCellError
from napari_pixcell.models import hub
from napari_pixcell.models.catalogue import Family, WeightSet
from napari_pixcell.models.families import get_weight_set, is_stain, weight_sets
from napari_pixcell.models.integrity import family_problems
from napari_pixcell.models.store import missing


@dataclass(frozen=True)
class Model:
    """A family of models, or Cellpose: its weights on this machine and on the hub.

    Parameters
    ----------
    weights : WeightSet
        Its entry in the catalogue.
    """

    weights: WeightSet

    @property
    def name(self) -> str:
        """Name, as :class:`Engine` takes it."""
        return self.weights.name

    @property
    def title(self) -> str:
        """Name for display."""
        return self.weights.title

    @property
    def stain(self) -> bool:
        """Whether it makes a virtual stain."""
        return isinstance(self.weights, Family) and is_stain(self.weights)

    @property
    def installed(self) -> bool:
        """Whether all of its files are on this machine."""
        return not missing(self.weights)

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return self.weights.bytes

    @property
    def licence(self) -> str:
        """Licences of its weights. Their terms apply to what they make."""
        return self.weights.licence

    @property
    def offer(self) -> str:
        """What a download would get: size, source, licences, and what must be requested."""
        return hub.offer(self.weights)

    def download(
        self, *, accept_licence: bool = False, encoder: bool = True, progress: WantedProgress = True
    ) -> None:
        """Download the files that are missing. An interrupted download resumes.

        Parameters
        ----------
        accept_licence : bool
            True once you have read :attr:`offer`.
        encoder : bool
            False leaves out the encoder. Styles then come from files of features.
        progress : bool or callable
            As for :class:`Engine`, in bytes.

        Raises
        ------
        PixCellError
            If the licence is not accepted, or a file cannot be downloaded or is damaged.
        RequestCancelled
            If ``progress`` returned False.
        """
        parts = hub.wanted_parts(self.weights, encoder)
        if parts and not accept_licence:
            raise PixCellError(f"{self.offer} Pass accept_licence=True to accept.")
        stopped = False

        def on_progress(done: int, total: int, message: str) -> None:
            nonlocal stopped
            stopped = stopped or not display.show(done, total, message)

        with ProgressDisplay(progress) as display:
            try:
                hub.download(parts, on_progress, lambda: stopped)
            except hub.DownloadCancelled as error:
                raise RequestCancelled(str(error)) from error

    def check(self) -> list[str]:
        """Compare its files with their sizes and hashes.

        Returns
        -------
        list of str
            One sentence for each problem; empty if all files are complete and unchanged.
        """
        return family_problems(self.weights)


def list_models() -> list[Model]:
    """Return all models: the bundled and published families, your own, and Cellpose."""
    return [Model(weights) for weights in weight_sets().values()]


def get_model(name: str) -> Model:
    """Return a model by its name.

    Raises
    ------
    PixCellError
        If there is none.
    """
    return Model(get_weight_set(name))
