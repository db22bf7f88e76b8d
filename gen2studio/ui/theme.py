"""Colours, fonts, icons and the application style. All colours come from ``resources/themes``; widgets ask by name."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QApplication

from gen2studio.core.paths import resources_dir

SPACING = 6
"""Base distance in device-independent pixels; margins and gaps are multiples of it."""

LABELS = ("amber", "orange", "red", "pink", "violet", "blue", "cyan", "green", "grey", "white")
"""What markers and labels may be coloured: names for :func:`label`."""

_ICON_SIZE = 40


@functools.cache
def tokens() -> Mapping[str, str]:
    """Colour name → ``#rrggbb`` of the active theme."""
    with open(resources_dir() / "themes" / "dark.toml", "rb") as handle:
        return tomllib.load(handle)["colours"]


def colour(name: str, alpha: int = 255) -> QColor:
    """A theme colour as QColor. Raises KeyError for a name the theme does not have."""
    value = QColor(tokens()[name])
    value.setAlpha(alpha)
    return value


def label(name: str, alpha: int = 255) -> QColor:
    """The colour of a label; a name that the theme does not have (another program's project) is amber."""
    return colour(f"label_{name if name in LABELS else 'amber'}", alpha)


def label_colour(name: str) -> QColor:
    """:func:`label`, opaque."""
    return label(name)


@functools.cache
def _svg(name: str) -> str:
    with open(f"{_icons()}/{name}.svg", encoding="utf-8") as file:
        return file.read()


@functools.cache
def _icons() -> str:
    return (resources_dir() / "icons").as_posix()


@functools.lru_cache(maxsize=512)
def icon_pixmap(name: str, size: int, ink: str, ratio: float = 1.0) -> QPixmap:
    """An icon of ``resources/icons`` drawn with the theme colour ``ink`` at ``size`` device-independent pixels."""
    from PySide6.QtSvg import QSvgRenderer

    data = _svg(name).replace("currentColor", tokens().get(ink, ink))
    pixmap = QPixmap(round(size * ratio), round(size * ratio))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(data.encode())).render(painter, QRectF(0, 0, pixmap.width(), pixmap.height()))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


@functools.lru_cache(maxsize=512)
def icon(name: str, ink: str = "text", active: str = "accent") -> QIcon:
    """A QIcon in the theme's inks: ``ink`` normally, faint when disabled, ``active`` when checked; an empty ``active``
    for what is never checked.

    The drawing is rendered once, at twice the size buttons show it, and tinted: start-up makes a hundred of these.
    """
    shape = icon_pixmap(name, _ICON_SIZE, ink)
    result = QIcon()
    result.addPixmap(shape, QIcon.Mode.Normal, QIcon.State.Off)
    result.addPixmap(_tinted(shape, "text_faint"), QIcon.Mode.Disabled, QIcon.State.Off)
    if active:
        result.addPixmap(_tinted(shape, active), QIcon.Mode.Normal, QIcon.State.On)
    return result


def _tinted(shape: QPixmap, ink: str) -> QPixmap:
    """``shape`` in another colour; its coverage stays."""
    result = shape.copy()
    painter = QPainter(result)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(result.rect(), colour(ink))
    painter.end()
    return result


def fixed_font(points: float = 9.0) -> QFont:
    """The fixed-width font, for timecode."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPointSizeF(points)
    return font


def palette() -> QPalette:
    """A QPalette of the theme for every role that style and delegates read."""
    role = QPalette.ColorRole
    result = QPalette()
    pairs = {
        role.Window: "panel", role.WindowText: "text", role.Base: "input", role.AlternateBase: "track_alternate",
        role.Text: "text", role.Button: "raised", role.ButtonText: "text", role.BrightText: "danger",
        role.ToolTipBase: "raised", role.ToolTipText: "text", role.PlaceholderText: "text_faint",
        role.Highlight: "accent", role.HighlightedText: "accent_text", role.Link: "accent",
        role.Light: "hover", role.Midlight: "raised", role.Mid: "line_strong", role.Dark: "line",
        role.Shadow: "background",
    }  # fmt: skip
    for which, name in pairs.items():
        result.setColor(which, colour(name))
    for which in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, which, colour("text_faint"))
    result.setColor(QPalette.ColorGroup.Disabled, role.Highlight, colour("line_strong"))
    return result


@functools.cache
def _style_sheet() -> str:
    t = tokens()
    marks = _icons()
    return f"""
* {{ outline: none; }}
QToolTip {{ background: {t["raised"]}; color: {t["text"]}; border: 1px solid {t["line_strong"]}; padding: 4px 6px; }}
QMainWindow, QDialog {{ background: {t["background"]}; }}
QMainWindow::separator {{ background: {t["background"]}; width: 4px; height: 4px; }}
QMainWindow::separator:hover {{ background: {t["accent_soft"]}; }}
QDockWidget {{ color: {t["text_muted"]}; font-weight: 600; titlebar-close-icon: none; titlebar-normal-icon: none; }}
QDockWidget::title {{ background: {t["panel"]}; padding: 6px 10px; border-bottom: 1px solid {t["line"]}; }}
QDockWidget > QWidget {{ background: {t["panel"]}; }}
QMenuBar {{ background: {t["background"]}; padding: 2px 4px; }}
QMenuBar::item {{ padding: 4px 9px; border-radius: 4px; background: transparent; }}
QMenuBar::item:selected {{ background: {t["hover"]}; }}
QMenu {{ background: {t["raised"]}; border: 1px solid {t["line_strong"]}; padding: 5px; }}
QMenu::item {{ padding: 5px 26px 5px 22px; border-radius: 4px; }}
QMenu::item:selected {{ background: {t["accent"]}; color: {t["accent_text"]}; }}
QMenu::item:disabled {{ color: {t["text_faint"]}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {t["line_strong"]}; margin: 5px 8px; }}
QTabBar::tab {{ background: {t["background"]}; color: {t["text_muted"]}; padding: 6px 12px; border: none;
    border-bottom: 2px solid transparent; }}
QTabBar::tab:selected {{ color: {t["text"]}; background: {t["panel"]}; border-bottom: 2px solid {t["accent"]}; }}
QTabBar::tab:hover:!selected {{ color: {t["text"]}; background: {t["raised"]}; }}
QTabBar {{ background: {t["background"]}; qproperty-drawBase: 0; }}
QTabBar::close-button {{ image: url("{marks}/mark-close.svg"); subcontrol-position: right; padding: 2px; }}
QTabBar::close-button:hover {{ background: {t["hover"]}; border-radius: 3px; }}
QTabWidget::pane {{ border: none; border-top: 1px solid {t["line"]}; }}
QPushButton {{ background: {t["raised"]}; border: 1px solid {t["line_strong"]}; border-radius: 5px; padding: 5px 12px;
    min-height: 16px; }}
QPushButton:hover {{ background: {t["hover"]}; }}
QPushButton:pressed {{ background: {t["pressed"]}; }}
QPushButton:checked {{ background: {t["accent_soft"]}; border-color: {t["accent"]}; }}
QPushButton:focus {{ border-color: {t["accent"]}; }}
QPushButton:disabled {{ color: {t["text_faint"]}; background: {t["panel"]}; border-color: {t["line"]}; }}
QPushButton[primary="true"] {{ background: {t["accent"]}; color: {t["accent_text"]}; border-color: {t["accent"]};
    font-weight: 600; }}
QPushButton[primary="true"]:hover {{ background: #76b2ff; }}
QPushButton[primary="true"]:disabled {{ background: {t["raised"]}; color: {t["text_faint"]};
    border-color: {t["line_strong"]}; }}
QPushButton[danger="true"] {{ color: {t["danger"]}; }}
QToolButton {{ background: transparent; border: 1px solid transparent; border-radius: 5px; padding: 4px; }}
QToolButton:hover {{ background: {t["hover"]}; }}
QToolButton:pressed {{ background: {t["pressed"]}; }}
QToolButton:checked {{ background: {t["accent_soft"]}; border-color: {t["accent"]}; }}
QToolButton:focus {{ border-color: {t["accent"]}; }}
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {{ background: {t["input"]};
    border: 1px solid {t["line_strong"]}; border-radius: 5px; padding: 4px 6px;
    selection-background-color: {t["accent"]}; selection-color: {t["accent_text"]}; }}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus {{
    border-color: {t["accent"]}; }}
QLineEdit:disabled, QPlainTextEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {{
    color: {t["text_faint"]}; border-color: {t["line"]}; }}
QAbstractSpinBox QLineEdit {{ background: transparent; border: none; border-radius: 0; padding: 0 5px; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ background: transparent; border: none; width: 18px; }}
QAbstractSpinBox::up-arrow {{ image: url("{marks}/mark-up.svg"); width: 9px; height: 9px; }}
QAbstractSpinBox::down-arrow {{ image: url("{marks}/mark-down.svg"); width: 9px; height: 9px; }}
QAbstractSpinBox[plain="true"]::up-button, QAbstractSpinBox[plain="true"]::down-button,
QAbstractSpinBox[plain="true"]::up-arrow, QAbstractSpinBox[plain="true"]::down-arrow {{ width: 0; height: 0;
    image: none; }}
QComboBox::drop-down {{ border: none; width: 20px; }}
QComboBox::down-arrow {{ image: url("{marks}/mark-down.svg"); width: 12px; height: 12px; }}
QComboBox QAbstractItemView {{ background: {t["raised"]}; border: 1px solid {t["line_strong"]}; padding: 3px; }}
QAbstractItemView {{ background: {t["input"]}; border: 1px solid {t["line"]}; border-radius: 5px; }}
QAbstractItemView::item {{ padding: 3px 5px; border-radius: 4px; }}
QAbstractItemView::item:hover {{ background: {t["raised"]}; }}
QAbstractItemView::item:selected {{ background: {t["accent_soft"]}; color: {t["text"]}; }}
QHeaderView::section {{ background: {t["panel"]}; color: {t["text_muted"]}; border: none; padding: 4px 6px;
    border-bottom: 1px solid {t["line"]}; }}
QScrollBar {{ background: transparent; margin: 0; }}
QScrollBar:vertical {{ width: 11px; }}
QScrollBar:horizontal {{ height: 11px; }}
QScrollBar::handle {{ background: {t["line_strong"]}; border-radius: 4px; margin: 2px; min-height: 28px;
    min-width: 28px; }}
QScrollBar::handle:hover {{ background: {t["text_faint"]}; }}
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{ background: none;
    border: none; width: 0; height: 0; }}
QScrollArea {{ border: none; background: transparent; }}
QScrollArea > QWidget > QWidget {{ background: transparent; }}
QAbstractItemView:focus {{ border-color: {t["accent"]}; }}
QTabBar:focus::tab:selected, QTabBar::tab:selected:focus {{ color: {t["accent"]}; }}
QRadioButton:focus {{ color: {t["accent"]}; }}
QSlider::groove:horizontal {{ height: 4px; background: {t["line_strong"]}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {t["accent"]}; border-radius: 2px; }}
QSlider::handle:horizontal {{ background: {t["text"]}; width: 12px; height: 12px; margin: -4px 0; border-radius: 6px; }}
QSlider::handle:horizontal:hover {{ background: #ffffff; }}
QSlider::handle:horizontal:focus {{ background: {t["accent"]}; }}
QSlider::sub-page:horizontal:disabled {{ background: {t["line_strong"]}; }}
QSlider::handle:horizontal:disabled {{ background: {t["text_faint"]}; }}
QProgressBar {{ background: {t["input"]}; border: 1px solid {t["line"]}; border-radius: 4px; height: 14px;
    text-align: center; color: {t["text"]}; }}
QProgressBar::chunk {{ background: {t["accent_soft"]}; border-radius: 3px; }}
QCheckBox, QRadioButton {{ spacing: 7px; }}
QCheckBox::indicator {{ width: 14px; height: 14px; border: 1px solid {t["text_faint"]}; border-radius: 3px;
    background: {t["input"]}; }}
QListView::indicator, QTreeView::indicator {{ width: 14px; height: 14px; border: 1px solid {t["text_faint"]};
    border-radius: 3px; background: {t["input"]}; }}
QListView::indicator:checked, QTreeView::indicator:checked {{ background: {t["accent"]}; border-color: {t["accent"]};
    image: url("{marks}/mark-check.svg"); }}
QCheckBox::indicator:checked {{ background: {t["accent"]}; border-color: {t["accent"]};
    image: url("{marks}/mark-check.svg"); }}
QRadioButton::indicator {{ width: 12px; height: 12px; border: 1px solid {t["text_faint"]}; border-radius: 7px;
    background: {t["input"]}; }}
QRadioButton::indicator:checked {{ border: 4px solid {t["accent"]}; width: 6px; height: 6px;
    background: {t["accent_text"]}; }}
QRadioButton::indicator:disabled {{ border-color: {t["line_strong"]}; }}
QRadioButton:disabled, QCheckBox:disabled {{ color: {t["text_faint"]}; }}
QCheckBox::indicator:disabled {{ border-color: {t["line_strong"]}; }}
QCheckBox:focus {{ color: {t["accent"]}; }}
QGroupBox {{ border: none; margin-top: 22px; font-weight: 600; }}
QGroupBox::title {{ subcontrol-origin: margin; left: 0; color: {t["text_muted"]}; }}
QStatusBar {{ background: {t["background"]}; color: {t["text_muted"]}; }}
QStatusBar::item {{ border: none; }}
QLabel[role="muted"] {{ color: {t["text_muted"]}; }}
QLabel[role="faint"] {{ color: {t["text_faint"]}; }}
QLabel[role="heading"] {{ font-weight: 600; color: {t["text"]}; }}
QLabel[role="warning"] {{ color: {t["warning"]}; }}
QLabel[role="error"] {{ color: {t["danger"]}; }}
QFrame[role="strip"] {{ background: {t["panel"]}; }}
QFrame[role="divider"] {{ background: {t["line_strong"]}; }}
QFrame[role="bar"] {{ color: {t["line_strong"]}; }}
QWidget[role="footer"] {{ border-top: 1px solid {t["line"]}; }}
QToolButton[role="tile"] {{ padding: 3px 0; }}
QToolButton[role="choice"] {{ background: {t["raised"]}; border-color: {t["line"]}; padding: 4px 1px 3px 1px; }}
QToolButton[role="choice"]:hover {{ background: {t["hover"]}; }}
QToolButton[role="choice"]:checked {{ background: {t["accent_soft"]}; border-color: {t["accent"]}; }}
QToolButton[role="choice"]:focus {{ border-color: {t["accent"]}; }}
QToolButton[role="switch"] {{ background: {t["raised"]}; border-color: {t["line_strong"]}; padding: 4px 9px; }}
QToolButton[role="switch"]:hover {{ background: {t["hover"]}; }}
QToolButton[role="switch"]:checked {{ background: {t["accent_soft"]}; border-color: {t["accent"]}; }}
QToolButton[role="over_picture"] {{ background: {t["raised"]}; border-color: {t["line_strong"]}; padding: 2px; }}
QToolButton[role="over_picture"]:hover {{ background: {t["hover"]}; }}
QToolButton[role="section"] {{ border: none; background: transparent; padding: 4px 0; color: {t["text_muted"]}; }}
QToolButton[role="section"]:hover {{ background: transparent; color: {t["text"]}; }}
QFrame[role="line"] {{ background: {t["line"]}; max-height: 1px; border: none; }}
"""


def new_application(name: str) -> QApplication:
    """The program's QApplication, in the theme.

    The style is named on Qt's command line: asking for it afterwards hands out a QStyle, and Python then learns the
    six hundred names that class holds, before the first frame.
    """
    application = QApplication([name, "-style", "fusion"])
    _colour(application)
    return application


def apply(application: QApplication) -> None:
    """Give the whole application the Fusion style in the theme's colours; a second call costs nothing."""
    if application.styleSheet() != _style_sheet():
        application.setStyle("Fusion")
        _colour(application)


def _colour(application: QApplication) -> None:
    application.setPalette(palette())
    font = application.font()
    font.setPointSizeF(9.5)
    application.setFont(font)
    application.setStyleSheet(_style_sheet())


def icon_size(points: int = 18) -> QSize:
    return QSize(points, points)
