"""What a session does to find tissue like a region's."""

from __future__ import annotations

from napari_pixcell.engine.styles.similarity import Match
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.similar import SimilarTissue
from napari_pixcell.studio.styles.series import StyleKeeping


class SimilarActions(StyleKeeping):
    """The part of a :class:`~napari_pixcell.studio.session.Session` that searches the slide.

    Attributes
    ----------
    similar : SimilarTissue
        The search and its outcome.
    """

    similar: SimilarTissue

    def why_not_similar(self) -> str:
        """Say why nothing can be looked for now; empty if it can."""
        item = self.active
        if not self.ready:
            return "Open a slide whose pixel size is known first"
        if self.not_here:
            return f"{self.settings.model.title} is not installed"
        if item is None:
            return "Add a region first: its tissue is what is looked for"
        if item.family != self.settings.family:
            return "The slide is too small for this model"
        if self.similar.job is not None:
            return "Already looking"
        if item.embedding is None:
            return f"Embedding {item.name}…" if item.embedding_busy else f"Embed {item.name} first"
        return ""

    def find_similar(self) -> None:
        """Look for tissue like the active region's all over the slide."""
        item = self.active
        if item is not None and not self.why_not_similar():
            self.similar.look(self.slide, item, self.settings.model)

    def add_similar(self, place: Match) -> RegionItem | None:
        """Add a region at a place that was found."""
        region = place.region
        return self.add_region((region.x + region.width / 2, region.y + region.height / 2))

    def use_similar(self, place: Match) -> None:
        """Let the active region take the style of a place that was found.

        A region is added there, as a style is a region's; the active region stays the same.
        """
        item = self.active
        added = self.add_similar(place)
        if item is not None and added is not None:
            self.activate(item.number)
            self.set_style(added.number)

    def follow_similar(self) -> None:
        """Drop an outcome that the slide and its regions do not match any more."""
        self.similar.follow(self.slide, self.item)
