"""The view switcher: how mattes are shown, the opacity of tints, and the colour behind the subject."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QColorDialog, QGridLayout, QToolButton, QVBoxLayout, QWidget

from gen2studio.app.actions_masks import ROWS
from gen2studio.app.session import MaskView, Session
from gen2studio.ui import key_tips, theme
from gen2studio.ui.widgets.value_slider import ValueSlider

VIEWS = (
    MaskView.OVERLAY, MaskView.MATTE, MaskView.ALPHA, MaskView.CHECKER, MaskView.COLOUR,
    MaskView.OUTLINE, MaskView.ONION, MaskView.SIDE, MaskView.NONE,
)  # fmt: skip
_COLUMNS = 5
_ROWS = {row.id: row for row in ROWS}


class ViewSection(QWidget):
    """Follows ``session.mask_view``; the buttons are the actions F3 … F12."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("masks.view_section")
        self._session = session
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        grid = QGridLayout()
        grid.setSpacing(2)
        self.views: dict[MaskView, QToolButton] = {}
        for index, view in enumerate(VIEWS):
            button = self._button(view)
            self.views[view] = button
            grid.addWidget(button, index // _COLUMNS, index % _COLUMNS)
        self.backdrop = QToolButton(self)
        self.backdrop.setObjectName("masks.backdrop")
        self.backdrop.setAccessibleName("Colour behind the subject")
        self.backdrop.setToolTip("Colour behind the subject in the view On Colour")
        self.backdrop.setIconSize(QSize(18, 18))
        self.backdrop.setFixedHeight(28)
        self.backdrop.clicked.connect(self.choose_backdrop)
        grid.addWidget(self.backdrop, len(VIEWS) // _COLUMNS, len(VIEWS) % _COLUMNS)
        for column in range(_COLUMNS):
            grid.setColumnStretch(column, 1)
        layout.addLayout(grid)
        self.opacity = ValueSlider(
            "masks.view_opacity", "Opacity", low=0, high=100, default=50, step=1, decimals=0, unit="%",
            tip="How strongly overlay and onion skin tint the picture.", compact=True, parent=self,
        )  # fmt: skip
        self.opacity.set_value(session.mask_opacity * 100)
        self.opacity.value_changed.connect(lambda value: session.set_mask_opacity(value / 100))
        layout.addWidget(self.opacity)
        session.mask_view_changed.connect(self._on_view_changed)
        session.mask_opacity_changed.connect(lambda value: self.opacity.set_value(value * 100))
        session.mask_backdrop_changed.connect(lambda _colour: self._show_backdrop())
        self._on_view_changed(session.mask_view)
        self._show_backdrop()

    def _button(self, view: MaskView) -> QToolButton:
        row = _ROWS[f"maskview.{view.value}"]
        button = QToolButton(self)
        button.setObjectName(f"masks.{view.value}")
        button.setAccessibleName(row.text)
        button.setProperty("command", row.id)
        button.setToolTip(key_tips.tip(row))
        button.setIcon(theme.icon(row.icon))
        button.setIconSize(QSize(16, 16))
        button.setFixedHeight(28)
        button.setMinimumWidth(28)
        button.setSizePolicy(button.sizePolicy().Policy.Expanding, button.sizePolicy().Policy.Fixed)
        button.setCheckable(True)
        button.setProperty("role", "choice")
        button.clicked.connect(lambda: self._choose(view))
        return button

    def _choose(self, view: MaskView) -> None:
        self._session.set_mask_view(view)
        self._on_view_changed(self._session.mask_view)

    def _on_view_changed(self, view: MaskView) -> None:
        for which, button in self.views.items():
            button.setChecked(which is view)
        self.opacity.setEnabled(view in (MaskView.OVERLAY, MaskView.ONION))

    def _show_backdrop(self) -> None:
        pixmap = QPixmap(18, 18)
        pixmap.fill(QColor(*self._session.mask_backdrop))
        self.backdrop.setIcon(QIcon(pixmap))

    def choose_backdrop(self) -> None:
        """Ask for another colour, without blocking the window, and show the subject on it."""
        dialog = QColorDialog(QColor(*self._session.mask_backdrop), self)
        dialog.setObjectName("masks.backdrop_dialog")
        dialog.setWindowTitle("Colour behind the subject")
        dialog.currentColorChanged.connect(lambda c: self._session.set_mask_backdrop((c.red(), c.green(), c.blue())))
        dialog.finished.connect(dialog.deleteLater)
        self._session.set_mask_view(MaskView.COLOUR)
        dialog.open()
