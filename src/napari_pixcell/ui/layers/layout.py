"""The label layers of layouts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from napari.layers import Labels

from napari_pixcell.studio.regions.item import RegionItem
from napari_pixcell.ui.layers.base import LayerStack, SessionLayer
from napari_pixcell.ui.layers.class_colours import ClassColours
from napari_pixcell.ui.layers.layout_tools import LayoutTools
from napari_pixcell.ui.layers.slide import ROLE

PAUSE_MS = 200  # between an edit and the next count of the cells


class LayoutLayers(SessionLayer):
    """One label layer for each layout, and the tools that edit them."""

    roles = ("layout",)

    def __init__(self, stack: LayerStack) -> None:
        super().__init__(stack)
        self._edited: set[int] = set()  # regions
        self._pause = stack.timer(PAUSE_MS, self.count_edited)
        self.tools = LayoutTools(stack, self.note_edited)
        self._colours = ClassColours(self.session.classes)
        stack.connect_to(self.session.classes.changed, self._follow)
        stack.connect_to(self.session.classes.repicked, self._follow_all)
        stack.connect_to(self.session.models.checked, self._dress_all)
        stack.connect_to(self.session.layouts.changed, self._show)
        stack.connect_to(self.session.layouts.wanted, self.count_edited)
        self._aside: Labels | None = None  # hidden while one peeks at the tissue
        stack.connect_to(self.session.gallery.peeked, self._peek)

    def removed(self, layer: Labels) -> None:
        number = layer.metadata["region"]
        if self.session.regions.get(number) is not None:
            self.session.layouts.set(number, None)

    def note_edited(self, layer: Labels) -> None:
        """Schedule a count of the cells after an edit by the user."""
        if not self.stack.changing:
            self._edited.add(layer.metadata["region"])
            self.session.generator.live.touched()
            self._pause.start()

    def count_edited(self) -> None:
        """Pass all edited layouts to the session now."""
        edited, self._edited = self._edited, set()
        for number in edited:
            layer, item = self.find(number), self.session.regions.get(number)
            if layer is not None and item is not None:
                item.layout = layer.data
                self.session.layouts.edited(number)

    def _show(self, item: RegionItem) -> None:
        layer = self.find(item.number)
        with self.stack.own():
            if item.layout is None:
                self.stack.remove(layer)
            elif layer is None:
                self._add(item)
            else:
                tool = self.tools.tool
                layer.data = item.layout  # napari then resets the layer's mode
                layer.visible = True
                self.tools.replaced(layer)
                self._colours.dress(layer, item)
                if tool != self.tools.tool and self.tools.working:
                    self.tools.choose(tool)
        if item.layout is not None:
            self.session.gallery.show_none(item.number)

    def _follow(self, item: RegionItem, classes: dict[int, str]) -> None:
        layer = self.find(item.number)
        if layer is not None:
            self._colours.follow(layer, classes)
            self.session.generator.live.touched()

    def _follow_all(self) -> None:
        for layer, _item in self._shown():
            self._colours.follow(layer, {})

    def _dress_all(self) -> None:
        """Follow the classes of another model."""
        for layer, item in self._shown():
            self._colours.dress(layer, item)

    def _shown(self) -> Iterator[tuple[Labels, RegionItem]]:
        for item in self.session.regions.items.values():
            layer = self.find(item.number)
            if layer is not None:
                yield layer, item

    def _peek(self) -> None:
        """Hide the outlines too while the original is shown."""
        aside, self._aside = self._aside, None
        with self.stack.own():
            if aside is not None and aside in self.stack.viewer.layers:
                aside.visible = True
            layer = self.find(self.session.gallery.peeking)
            if layer is not None and layer.visible:
                layer.visible, self._aside = False, layer

    def _add(self, item: RegionItem) -> None:
        assert item.layout is not None
        layer = Labels(
            item.layout,
            name=f"Layout · {item.name}",
            opacity=0.8,
            metadata={ROLE: "layout", "region": item.number},
            **self.stack.where(item.region, item.layout.shape),
        )
        self.stack.insert(layer, select=True)
        self.tools.attach(layer)
        self._colours.dress(layer, item)

        def edited(_event: Any = None) -> None:
            self.note_edited(layer)

        for signal in (layer.events.paint, layer.events.labels_update, layer.events.data):
            self.stack.connect_to(signal, edited)
