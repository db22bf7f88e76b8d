"""The camera of a shot: six axes, locked off, and a drawing of the move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from gen2studio.document.look import Camera
from gen2studio.ui.widgets.camera_picture import CameraPicture
from gen2studio.ui.widgets.named import named, text_button
from gen2studio.ui.widgets.value_slider import ValueSlider

AXES = (
    ("horizontal", "Horizontal", "The camera travels: + to the right, − to the left"),
    ("vertical", "Vertical", "The camera travels: + up, − down"),
    ("zoom", "Zoom", "+ goes in, − goes out"),
    ("pan", "Pan", "The camera turns: + to the right, − to the left"),
    ("tilt", "Tilt", "The camera turns: + up, − down"),
    ("roll", "Roll", "The camera rolls: + clockwise, − counter-clockwise"),
)


class CameraSection(QWidget):
    """Shows a :class:`Camera` and hands every change to ``changed(label, merge_key, camera)``."""

    def __init__(
        self, changed: Callable[[str, str, Camera], object], parent: QWidget | None = None, prefix: str = "camera"
    ) -> None:
        super().__init__(parent)
        self._changed = changed
        self._camera = Camera()
        self.picture = CameraPicture(self)
        self.sliders: dict[str, ValueSlider] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addWidget(self.picture)
        column.addSpacing(3)
        for axis, title, tip in AXES:
            slider = ValueSlider(
                f"{prefix}.{axis}", title, low=-10, high=10, default=0, step=0.5, decimals=1, tip=f"{tip}, −10…10",
                compact=True, parent=self,
            )  # fmt: skip
            slider.value_changed.connect(lambda value, a=axis: self._preview(a, value))
            slider.value_committed.connect(lambda value, a=axis, t=title: self._commit(a, t, value))
            self.sliders[axis] = slider
            column.addWidget(slider)
        self.static = named(
            QCheckBox("Static", self),
            f"{prefix}.static",
            "Static camera",
            "Lock the camera off: nothing but the scene moves",
        )
        self.static.toggled.connect(self._on_static)
        self.reset = text_button(
            f"{prefix}.reset", "Reset", "rotate-ccw", "Put every axis back to 0", self._on_reset, self
        )
        row = QHBoxLayout()
        row.addWidget(self.static)
        row.addStretch(1)
        row.addWidget(self.reset)
        column.addLayout(row)

    def show_camera(self, camera: Camera) -> None:
        self._camera = camera
        self.picture.show_camera(camera)
        for axis, slider in self.sliders.items():
            slider.set_value(float(getattr(camera, axis)))
            slider.setEnabled(not camera.static)
        self.static.blockSignals(True)
        self.static.setChecked(camera.static)
        self.static.blockSignals(False)
        self.reset.setEnabled(camera != Camera())

    def _preview(self, axis: str, value: float) -> None:
        self.picture.show_camera(replace(self._camera, **{axis: value}))

    def _commit(self, axis: str, title: str, value: float) -> None:
        self._changed(f"Camera {title.lower()}", f"camera-{axis}", replace(self._camera, **{axis: value}))

    def _on_static(self, on: bool) -> None:
        # A locked-off camera has no move; the axes come back as they were with undo.
        self._changed("Static camera", "", Camera(static=True) if on else replace(self._camera, static=False))

    def _on_reset(self) -> None:
        self._changed("Reset camera", "", Camera())
