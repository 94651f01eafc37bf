"""What a session does with styles: making them of pictures, keeping them, going through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.blending import as_grid
from napari_pixcell.engine.styles.library import free_name
from napari_pixcell.engine.styles.style import Style, checked_name, new_id
from napari_pixcell.engine.sweep import Axis, Sweep
from napari_pixcell.errors import PixCellError
from napari_pixcell.studio.generation.grids import Grids
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.results.results import Result
from napari_pixcell.studio.styles.choice import StyleChoice
from napari_pixcell.studio.styles.from_picture import (
    Opened,
    StyleMaking,
    begin,
    open_picture,
    open_variant,
)
from napari_pixcell.studio.styles.ingredients import Ingredient, mixed
from napari_pixcell.studio.styles.styles import StyleActions

NOT_YET = "{} is not embedded yet; wait for it, or embed it."


class StyleKeeping(StyleActions):
    """The part of a :class:`~napari_pixcell.studio.session.Session` that makes styles."""

    grids: Grids

    # -- new ones ------------------------------------------------------------------------

    def style_from_picture(self, path: Path) -> None:
        """Embed a picture of tissue, and let the active region look like it."""
        taken = {style.name for style in self.styles}
        family = self.settings.model
        self._make_style(free_name("Picture", taken), lambda: open_picture(Path(path), family))

    def use_as_style(self, result: Result) -> None:
        """Embed a variant, and let the active region look like it."""
        family = self.settings.model
        self._make_style(f"Variant · seed {result.seed}", lambda: open_variant(result, family))

    def _make_style(self, name: str, open_it: Callable[[], Opened]) -> None:
        family, encoder, active = self.settings.model, self.encoder, self.active
        self.say("style", "")
        if encoder is None:
            self.say("style", f"{family.title} is not installed; get it in the model manager.")
            return
        making = StyleMaking(name, active.number if active is not None else 0)
        self.styles_coming.append(making)

        def ended(message: str = "") -> None:
            if making in self.styles_coming:
                self.styles_coming.remove(making)
            if message:
                self.say("style", message)
            self.changed.emit()

        def made(embedding: PackedArray) -> None:
            name = free_name(making.name, {style.name for style in self.styles})
            grid = as_grid(embedding.unpack())
            style = Style(name, grid, encoder, family.name, (), making.thumbnail)
            self.made[style.id] = style
            there = active is not None and self._items.get(active.number) is active
            if active is not None and there:
                active.style = StyleChoice.of(style.id)
                self.style_changed.emit()
            ended()
            if making.note:
                self.note("style", making.note)
            elif not there:
                self.note("style", f"“{name}” can be chosen as a style now.")

        begin(making, open_it, family, self.background, self.embedder, made, ended)
        self.changed.emit()

    def cancel_embedding(self) -> None:
        """Stop the embedding that the active region's style waits for."""
        style = self.style_item()
        if self.styles_coming:
            for making in self.styles_coming:
                making.cancel(self.embedder)
            self.changed.emit()
        elif style is not None and style.embedding_job is not None:
            self.embedder.cancel(style.embedding_job)
            self.changed.emit()

    @property
    def embedding_style(self) -> bool:
        """Whether there is something for :meth:`cancel_embedding` to stop."""
        style = self.style_item()
        return bool(self.styles_coming) or (style is not None and style.embedding_job is not None)

    # -- the library ---------------------------------------------------------------------

    def suggested_name(self) -> str:
        """Give a name for the active region's style."""
        names = [one.name for one in self.ingredients(self.active)] if self.active else []
        return free_name(" + ".join(names)[:80], {style.name for style in self.styles})

    def save_style(self, name: str) -> None:
        """Keep the active region's style in the library."""
        item, encoder = self.active, self.encoder
        if item is None or not item.style.parts or self.why_no_style(item) or encoder is None:
            return
        found, family, cells = self.ingredients(item), self.settings.model, self._cells(item)
        with self.reporting("style"):
            name = checked_name(name)

            def work() -> Style:
                if len(found) == 1 and found[0].style is not None:
                    style = replace(found[0].style, name=name)
                    if style.id in self.saved:  # another of the same
                        style = replace(style, id=new_id())
                else:
                    used = [one for one in found if one.share]
                    style = Style(
                        name,
                        as_grid(mixed(found, cells, family).unpack()),
                        encoder,
                        family.name,
                        self.style_source(item),
                        max(used, key=lambda one: one.share).picture(),
                    )
                return self.library.save(style)

            def done(style: Style) -> None:
                self.saved[style.id] = style
                self.made.pop(style.id, None)
                self.note("style", f"Saved as “{style.name}”, for any region of any slide.")

            self.background.compute(work, done, self._say_style)

    def rename_style(self, id_: str, name: str) -> None:
        """Call a style something else."""
        with self.reporting("style"):
            name = checked_name(name)
            if id_ in self.saved:
                self.background.compute(
                    lambda: self.library.rename(id_, name), self._renamed, self._say_style
                )
            elif id_ in self.made:
                taken = {style.name for style in self.styles if style.id != id_}
                self.made[id_] = replace(self.made[id_], name=free_name(name, taken))
        self.changed.emit()

    def _renamed(self, style: Style) -> None:
        self.saved[style.id] = style
        self.changed.emit()

    def remove_style(self, id_: str) -> None:
        """Forget a style; regions that look like it, or like a blend with it, keep the rest."""

        def done(_: None = None) -> None:
            self.saved.pop(id_, None)
            self.made.pop(id_, None)
            self.keep_styles()
            self.changed.emit()

        if id_ in self.saved:
            self.background.compute(lambda: self.library.remove(id_), done, self._say_style)
        else:
            done()

    # -- series --------------------------------------------------------------------------

    def style_series(self, count: int) -> list[StyleChoice]:
        """Give so many blends on the way from the active region's first style to its last."""
        return self.active.style.series(count) if self.active is not None else []

    def generate_series(self, count: int, rows: Sequence[Axis] = ()) -> None:
        """Queue a variant for each blend of a series; ``rows`` sweep other settings below it."""
        item = self.active
        if item is None or self.why_not():
            return
        with self.reporting("style"):
            choices = self.style_series(count)
            family, cells = self.settings.model, self._cells(item)
            steps = [self.ingredients(item, choice) for choice in choices]
            for one in self.ingredients(item):
                problem = self.style_problem(one.style) if one.style is not None else ""
                if problem or not one.count:
                    raise PixCellError(problem or NOT_YET.format(one.name))
            request, place = self._asked(item)
            layout = item.layout.copy() if self.with_layout and item.layout is not None else None
            sources = [self.style_source(item, choice) for choice in choices]
            labels = [_label(found) for found in steps]

            def work() -> list[PackedArray]:
                return [mixed(found, cells, family, over=True) for found in steps]

            def done(embeddings: list[PackedArray]) -> None:
                with self.reporting("style"):
                    styles = Axis.styles(list(zip(labels, embeddings, strict=True)))
                    sweep, previews = Sweep((styles, *rows)), self.settings.previews
                    self.grids.queue(sweep, request, place, layout, previews, sources)

            self.background.compute(work, done, self._say_style)
        self.changed.emit()

    def why_not(self) -> str:
        """Say why nothing can be generated now; empty if it can."""
        raise NotImplementedError

    @property
    def with_layout(self) -> bool:
        """Whether the active region's cells will be put in their places."""
        raise NotImplementedError

    def _asked(self, item: RegionItem) -> Any:
        raise NotImplementedError


def _label(found: list[Ingredient]) -> str:
    """Say in few words what a step of a series is made of."""
    used = [one for one in found if one.share]
    if len(used) == 1:
        return used[0].name
    return " · ".join(f"{100 * one.share:.0f} % {one.name}" for one in used)
