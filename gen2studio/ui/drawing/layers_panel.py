"""The layers of the panel being drawn, its reference picture and its onion skin."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.panel_drawing import PanelDrawing
from gen2studio.document.board_values import LayerBlend
from gen2studio.document.model import Panel
from gen2studio.ui.widgets.named import chooser, named, text_button
from gen2studio.ui.widgets.value_slider import ValueSlider

_ID = Qt.ItemDataRole.UserRole


class LayersPanel(QWidget):
    """Binds to a :class:`~gen2studio.app.panel_drawing.PanelDrawing`."""

    def __init__(
        self,
        drawing: PanelDrawing,
        choose_reference: Callable[[], object],
        drop_reference: Callable[[], object],
        reference_opacity: Callable[[float], object],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("drawing.layers")
        self._drawing = drawing
        self.list = named(QListWidget(self), "drawing.layers.list", "Layers",
                          "Upper ones cover lower ones; the mark shows a layer, a double click renames it")  # fmt: skip
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setMinimumHeight(74)
        self.list.setMaximumHeight(150)
        self.list.currentItemChanged.connect(self._on_current)
        self.list.itemChanged.connect(self._on_item)
        heading = QLabel("Layers", self)
        heading.setProperty("role", "heading")
        top = QHBoxLayout()
        top.addWidget(heading, 1)

        def clear() -> None:
            self._with(drawing.clear_layer)

        self.buttons = [
            text_button(f"drawing.layers.{name}", title, icon, tip, act, self, text=False)
            for name, title, icon, tip, act in (
                ("add", "Add layer", "plus", "Add a clear layer above this one (Shift+N)", drawing.add_layer),
                ("up", "Layer up", "arrow-up", "Move the layer up", lambda: self._with(drawing.move_layer, 1)),
                ("down", "Layer down", "arrow-down", "Move the layer down", lambda: self._with(drawing.move_layer, -1)),
                ("clear", "Clear layer", "eraser", "Rub out everything on the layer", clear),
                ("remove", "Delete layer", "trash-2", "Delete the layer", lambda: self._with(drawing.remove_layer)),
            )
        ]  # fmt: skip
        for button in self.buttons:
            top.addWidget(button)
        self.blend = chooser(
            "drawing.layers.blend", "Blending", "How the layer is laid over those below",
            [("Normal", LayerBlend.NORMAL), ("Multiply", LayerBlend.MULTIPLY)], self,
        )  # fmt: skip
        self.blend.activated.connect(
            lambda row: self._with(lambda i: drawing.change_layer(i, "Layer blending", blend=self.blend.itemData(row)))
        )
        self.opacity = ValueSlider(
            "drawing.layers.opacity", "Opacity", low=0, high=100, default=100, step=1, decimals=0, unit="%",
            tip="How much of the layer is seen", compact=True, parent=self,
        )  # fmt: skip
        self.opacity.value_committed.connect(
            lambda value: self._with(lambda i: drawing.change_layer(i, "Layer opacity", opacity=value / 100))
        )
        self.reference = text_button(
            "drawing.reference", "Reference…", "image-plus", "Lay a picture under the drawing; it is in no result",
            choose_reference, self,
        )  # fmt: skip
        self.no_reference = text_button(
            "drawing.reference.remove", "Remove reference", "x", "Take the reference picture away", drop_reference,
            self, text=False,
        )  # fmt: skip
        self.strength = ValueSlider(
            "drawing.reference.opacity", "Strength", low=0, high=100, default=50, step=1, decimals=0, unit="%",
            tip="How strongly the reference is seen", compact=True, parent=self,
        )  # fmt: skip
        self.strength.value_committed.connect(lambda value: reference_opacity(value / 100))
        self.onion = self._onion("drawing.onion", "Before", "How strongly the panel before shines through (O)")
        self.onion.value_changed.connect(lambda value: drawing.set(onion=value / 100))
        self.onion_next = self._onion("drawing.onion_next", "After", "How strongly the panel after shines through")
        self.onion_next.value_changed.connect(lambda value: drawing.set(onion_next=value / 100))
        skin = QLabel("Onion skin", self)
        skin.setProperty("role", "heading")
        under = QHBoxLayout()
        under.addWidget(self.reference)
        under.addStretch(1)
        under.addWidget(self.no_reference)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 8, 6)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self.list)
        column.addWidget(self.opacity)
        column.addWidget(self.blend)
        column.addSpacing(4)
        column.addLayout(under)
        column.addWidget(self.strength)
        column.addSpacing(4)
        column.addWidget(skin)
        column.addWidget(self.onion)
        column.addWidget(self.onion_next)
        drawing.panel_changed.connect(self._show)
        drawing.layer_changed.connect(lambda _layer: self._show(drawing.panel))
        drawing.settings_changed.connect(lambda _settings: self._show_onion())
        self._show(drawing.panel)
        self._show_onion()

    def _onion(self, name: str, title: str, tip: str) -> ValueSlider:
        return ValueSlider(
            name, title, low=0, high=100, default=0, step=1, decimals=0, unit="%", tip=tip, compact=True, parent=self
        )

    def sizeHint(self) -> QSize:
        return QSize(280, 360)

    def _with(self, act: Callable[..., object], *more: object) -> None:
        if self._drawing.layer_id:
            act(self._drawing.layer_id, *more)

    def _show(self, panel: object) -> None:
        layers = panel.layers if isinstance(panel, Panel) else ()
        with QSignalBlocker(self.list):
            self.list.clear()
            for layer in reversed(layers):
                item = QListWidgetItem(layer.name)
                item.setData(_ID, layer.id)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable)
                item.setCheckState(Qt.CheckState.Checked if layer.visible else Qt.CheckState.Unchecked)
                self.list.addItem(item)
                if layer.id == self._drawing.layer_id:
                    self.list.setCurrentItem(item)
            if not layers:
                item = QListWidgetItem("The first stroke makes a layer")
                item.setFlags(Qt.ItemFlag.NoItemFlags)
                self.list.addItem(item)
        chosen = next((layer for layer in layers if layer.id == self._drawing.layer_id), None)
        for widget in (*self.buttons[1:], self.blend, self.opacity):
            widget.setEnabled(chosen is not None)
        self.buttons[0].setEnabled(isinstance(panel, Panel))
        if chosen is not None:
            self.blend.setCurrentIndex(self.blend.findData(chosen.blend))
            self.opacity.set_value(chosen.opacity * 100)
        has = isinstance(panel, Panel) and bool(panel.reference)
        self.no_reference.setVisible(has)
        self.strength.setVisible(has)
        if isinstance(panel, Panel):
            self.strength.set_value(panel.reference_opacity * 100)

    def _show_onion(self) -> None:
        for slider, value in (
            (self.onion, self._drawing.settings.onion),
            (self.onion_next, self._drawing.settings.onion_next),
        ):
            if round(slider.value) != round(value * 100):
                slider.set_value(value * 100)

    def _on_current(self, item: QListWidgetItem | None, _before: object) -> None:
        if item is not None and item.data(_ID):
            self._drawing.choose_layer(item.data(_ID))

    def _on_item(self, item: QListWidgetItem) -> None:
        panel = self._drawing.panel
        layer = next((x for x in panel.layers if x.id == item.data(_ID)), None) if panel is not None else None
        if layer is None:
            return
        visible, name = item.checkState() == Qt.CheckState.Checked, item.text().strip()
        if visible != layer.visible:
            self._drawing.change_layer(layer.id, "Show layer" if visible else "Hide layer", visible=visible)
        elif name and name != layer.name:
            self._drawing.change_layer(layer.id, "Rename layer", name=name)
        else:
            self._show(panel)
