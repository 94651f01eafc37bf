"""What a session does with styles: choosing and blending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psygnal import Signal

from napari_pixcell.engine.canvas.plan import cells_of
from napari_pixcell.engine.packed import PackedArray
from napari_pixcell.engine.styles.library import StyleLibrary
from napari_pixcell.engine.styles.style import Style
from napari_pixcell.errors import PixCellError
from napari_pixcell.models.identity import encoder_kind
from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.studio.regions.regions import RegionActions
from napari_pixcell.studio.styles.choice import Ref, StyleChoice
from napari_pixcell.studio.styles.from_picture import StyleMaking
from napari_pixcell.studio.styles.ingredients import Ingredient, mixed

AT_ONCE = 2**19  # numbers that are blended while the user waits: some milliseconds


@dataclass(eq=False)
class _Blend:
    """The blend for one region, and of what it was made.

    It holds the embeddings whose ids are in its key, so that no other gets the id of one that
    is gone.
    """

    key: tuple[Any, ...]
    embeddings: list[Any]
    made: PackedArray | None = None
    problem: str = ""


class StyleActions(RegionActions):
    """The part of a :class:`~napari_pixcell.studio.session.Session` that is about styles.

    Attributes
    ----------
    library : StyleLibrary
        Saved styles on disk.
    saved : dict of str to Style
        Those of the library that are known by now, by id.
    made : dict of str to Style
        Styles of pictures and variants, which last as long as the session, by id.
    making : list of StyleMaking
        Those that are being made.
    style_changed : Signal
        A region was given another style.
    """

    style_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.library = StyleLibrary()
        self.saved: dict[str, Style] = {}
        self.made: dict[str, Style] = {}
        self.styles_coming: list[StyleMaking] = []
        self._library_stamp = -1
        self._library_known = False
        self._blends: dict[int, _Blend] = {}
        self._encoders: dict[str, str | None] = {}

    # -- which there are -----------------------------------------------------------------

    @property
    def styles(self) -> list[Style]:
        """Styles that can be chosen besides the regions': the saved ones by name, then others."""
        saved = sorted(self.saved.values(), key=lambda style: style.name.casefold())
        return saved + [style for id_, style in self.made.items() if id_ not in self.saved]

    def style(self, id_: Ref) -> Style | None:
        """Look a style up by its id."""
        return (self.saved.get(id_) or self.made.get(id_)) if isinstance(id_, str) else None

    def look_for_styles(self) -> None:
        """Read the library again if it was changed, by another session say."""
        self.background.compute(self._read_library, self._take_library, self._say_style)

    def _read_library(self) -> tuple[int, list[Style], list[str]] | None:
        stamp = self.library.stamp()
        if stamp == self._library_stamp:
            return None
        return stamp, self.library.read(), list(self.library.problems)

    def _take_library(self, found: tuple[int, list[Style], list[str]] | None) -> None:
        if found is None:
            return
        self._library_stamp, styles, problems = found
        self._library_known = True
        self.saved = {style.id: style for style in styles}
        if problems:
            more = f" {len(problems) - 1} more are damaged too." if len(problems) > 1 else ""
            self.say("style", problems[0] + more)
        self.keep_styles()
        self.changed.emit()

    def _say_style(self, message: str) -> None:
        self.say("style", message)

    # -- what a region looks like --------------------------------------------------------

    def set_style(self, ref: Ref) -> None:
        """Let the active region look like a region (number), a style (id), or ``NO_STYLE``."""
        self.choose_style(StyleChoice.of(ref))

    def choose_style(self, choice: StyleChoice) -> None:
        """Let the active region look like one style, several in parts, or nothing."""
        if self.active is not None:
            self.active.style = choice
            self.keep_styles()
            self.style_changed.emit()
            self.changed.emit()

    def keep_styles(self) -> None:
        """Let go of styles that regions look like but that are not there any more."""
        for item in self._items.values():
            kept = item.style.keeping(self._is_there, item.number)
            if kept != item.style:
                item.style = kept
                own = kept.refs == (item.number,)
                names = " and ".join(one.name for one in self.ingredients(item))
                now = "itself" if own else names
                self.note("style", f"A style of {item.name} is gone; it looks like {now} now.")
        self._blends = {number: b for number, b in self._blends.items() if number in self._items}

    def _is_there(self, ref: Ref) -> bool:
        if isinstance(ref, int):
            return ref in self._items
        return self.style(ref) is not None or not self._library_known

    def ingredients(self, item: RegionItem, choice: StyleChoice | None = None) -> list[Ingredient]:
        """Give the styles that a region looks like; one that is not known yet has no embedding."""
        choice = item.style if choice is None else choice
        found = []
        for part, share in zip(choice.parts, choice.shares, strict=True):
            region = self._items.get(part.ref) if isinstance(part.ref, int) else None
            style = self.style(part.ref)
            name = region.name if region is not None else style.name if style is not None else "…"
            found.append(Ingredient(name, share, region, style))
        return found

    def style_item(self) -> RegionItem | None:
        """Give the region whose embedding the active one's style is, or waits for, if any."""
        if self.active is None:
            return None
        found = [one.item for one in self.ingredients(self.active) if one.item is not None]
        return next((item for item in found if item.embedding is None), found[0] if found else None)

    def another_style(self) -> Ref:
        """Give a style that the active region does not look like yet; 0 if there is none."""
        used = self.active.style.refs if self.active is not None else ()
        usable = [style.id for style in self.styles if not self.style_problem(style)]
        refs: list[Ref] = [*(item.number for item in self.regions), *usable]
        return next((ref for ref in refs if ref not in used), 0)

    @property
    def encoder(self) -> str | None:
        """Which encoder the chosen family has; None where it is not installed."""
        family = self.settings.model
        if family.name not in self._encoders:
            self._encoders[family.name] = encoder_kind(family)
        return self._encoders[family.name]

    def why_no_style(self, item: RegionItem) -> str:
        """Say what the style of a region waits for; empty where it is ready, or there is none."""
        making = next((one for one in self.styles_coming if one.number == item.number), None)
        if making is not None:
            return f"Embedding {making.name}…"
        for one in self.ingredients(item):
            if one.share and one.item is not None and one.embedding is None:
                name = one.item.name
                return f"Embedding {name}…" if one.item.embedding_busy else "No style yet: embed it"
            if one.share and one.embedding is None:
                return "Reading the saved styles…"
        problem = self.why_no_blend(item)
        if problem or not item.style.parts:
            return problem.partition(". ")[0]
        return "" if self._blend(item).made is not None else "Blending…"

    def why_no_blend(self, item: RegionItem) -> str:
        """Say what is wrong with the style of a region, in a sentence; empty if nothing is."""
        for one in self.ingredients(item):
            if one.share and one.style is not None and (words := self.style_problem(one.style)):
                return words
        return self._blend(item).problem

    def style_problem(self, style: Style) -> str:
        """Say why a style cannot be used with the chosen model; empty if it can."""
        return style.why_not(self.settings.model, self.encoder)

    def style_embedding(self, item: RegionItem) -> PackedArray | None:
        """Give the embedding of a region's style, once :meth:`why_no_style` has nothing to say."""
        return self._blend(item).made if item.style.parts else None

    def style_source(
        self, item: RegionItem, choice: StyleChoice | None = None
    ) -> tuple[tuple[str, float], ...]:
        """Give names and shares for the record; empty where it is the region's own style."""
        found = self.ingredients(item, choice)
        if [one.item for one in found] == [item]:
            return ()
        return tuple((one.name, round(one.share, 6)) for one in found if one.share)

    def _blend(self, item: RegionItem) -> _Blend:
        """Give the blend of a region as it is now; a large one comes later."""
        found = [one for one in self.ingredients(item) if one.share]
        family, cells = self.settings.model, self._cells(item)
        embeddings = [one.embedding for one in found]
        key = (family.name, cells, *((id(one.embedding), one.share) for one in found))
        known = self._blends.get(item.number)
        if known is not None and known.key == key:
            return known
        blended = self._blends[item.number] = _Blend(key, embeddings)
        if not found or any(one is None for one in embeddings):
            return blended
        if len(found) == 1 and isinstance(embeddings[0], PackedArray):
            blended.made = embeddings[0]
            return blended

        def work() -> PackedArray:
            return mixed(found, cells, family)

        def done(made: PackedArray) -> None:
            blended.made = made
            self.changed.emit()

        def failed(message: str) -> None:
            blended.problem = message
            self.changed.emit()

        size = sum(one.count for one in found) + cells[0] * cells[1] * found[0].dimension
        if size > AT_ONCE:
            self.background.compute(work, done, failed)
            return blended
        try:
            blended.made = work()
        except PixCellError as error:
            blended.problem = str(error)
        return blended

    def _cells(self, item: RegionItem) -> tuple[int, int]:
        family = self.settings.model
        return cells_of(item.size, family.tile, family.grid)
