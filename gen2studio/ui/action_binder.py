"""Turns the action table into QActions: menus, shortcuts, tool tips. The only place where QActions are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QMenu, QMenuBar, QWidget

from gen2studio.app.actions import Action
from gen2studio.ui import key_tips, theme
from gen2studio.ui.late_work import LateWork

MENUS = ("File", "Edit", "Clip", "Mask", "Generate", "View", "Playback", "Help")
_ICONS_AT_ONCE = 12


class ActionBinder(QObject):
    """QActions by id. ``bind`` connects a handler; an action without one stays disabled."""

    keys_changed = Signal()
    """Another key map is in force."""

    def __init__(self, rows: Iterable[Action], window: QWidget, late: LateWork) -> None:
        super().__init__(window)
        self.rows = {row.id: row for row in rows}
        self._actions: dict[str, QAction] = {}
        self._bound: set[str] = set()
        self._window = window
        for row in self.rows.values():
            self._actions[row.id] = self._made(row)
        # A hundred drawings. Those on buttons are made with the buttons, those in menus right after the first paint.
        drawn = [row for row in self.rows.values() if row.icon]
        for first in range(0, len(drawn), _ICONS_AT_ONCE):
            late.add(lambda rows=drawn[first : first + _ICONS_AT_ONCE]: [self._draw(row.id) for row in rows])

    def _draw(self, action_id: str) -> QAction:
        action, name = self._actions[action_id], self.rows[action_id].icon
        # Some actions show a state by another icon, and may have done so already.
        if name and action.icon().isNull():
            action.setIcon(theme.icon(name, active="accent" if action.isCheckable() else ""))
        return action

    def _made(self, row: Action) -> QAction:
        action = QAction(row.text, self._window)
        action.setObjectName(row.id)
        # What Qt begins with is not set again: there are hundreds of these, made before the first frame.
        if row.checkable:
            action.setCheckable(True)
        if keys := row.shortcuts():
            action.setShortcuts([QKeySequence(text) for text in keys])
        if row.scope != "window":
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.setToolTip(key_tips.tip(row))
        action.setStatusTip(row.tip)
        action.setEnabled(False)
        if row.scope == "window":
            self._window.addAction(action)
        return action

    def bind(self, action_id: str, handler: Callable[..., object]) -> QAction:
        """Connect and enable. A checkable action passes its state. Raises KeyError for an id outside the table."""
        action = self._actions[action_id]
        if action.isCheckable():
            action.toggled.connect(handler)
        else:
            action.triggered.connect(lambda _checked=False: handler())
        action.setEnabled(True)
        self._bound.add(action_id)
        return action

    def action(self, action_id: str) -> QAction:
        return self._actions[action_id]

    def key_text(self, action_id: str) -> str:
        """The first key of a command as it is written on this system; empty without one."""
        return self._actions[action_id].shortcut().toString(QKeySequence.SequenceFormat.NativeText)

    def use_keys(self, keys: Mapping[str, tuple[str, ...]]) -> None:
        """Give every command the keys of a map (portable text), at once: in menus, tool tips and on buttons.

        Buttons that are no default action's name their command in the property ``command``.
        """
        key_tips.use(keys)
        changed: set[str] = set()
        for action_id, action in self._actions.items():
            wanted = [QKeySequence(text) for text in keys.get(action_id, ())]
            if action.shortcuts() != wanted:
                action.setShortcuts(wanted)
                action.setToolTip(key_tips.tip(self.rows[action_id]))
                changed.add(action_id)
        if not changed:
            return
        for button in self._window.findChildren(QAbstractButton):
            if (command := button.property("command")) in changed:
                button.setToolTip(self._actions[command].toolTip())
        self.keys_changed.emit()

    def for_buttons(self) -> dict[str, QAction]:
        """Every action by id, for panels that put some of them on buttons: each has its icon when it is taken out."""
        return _Drawn(self._actions, self._draw)

    def scope(self, scope: str, widget: QWidget) -> None:
        """Make the keys of ``scope`` live inside ``widget``."""
        for row in self.rows.values():
            if row.scope == scope:
                widget.addAction(self._actions[row.id])

    def unbound(self) -> list[str]:
        return sorted(set(self._actions) - self._bound)

    def fill(self, bar: QMenuBar) -> dict[str, QMenu]:
        """Build the menu bar from the table; returns the menus by path (``View``, ``View/Compare``)."""
        menus: dict[str, QMenu] = {}
        rows: dict[str, list[Action]] = {}
        for row in self.rows.values():
            rows.setdefault(row.menu.partition("/")[0], []).append(row)
        for title in MENUS:
            menu = menus[title] = bar.addMenu(title)
            menu.setObjectName(f"menu.{title.lower()}")
            menu.setToolTipsVisible(True)
            group: str | None = None
            for row in rows.get(title, ()):
                if group is not None and row.group != group:
                    menu.addSeparator()
                group = row.group
                self._placed(menus, row).addAction(self._actions[row.id])
        return menus

    def _placed(self, menus: dict[str, QMenu], row: Action) -> QMenu:
        if row.menu not in menus:
            parent, _, name = row.menu.partition("/")
            menus[row.menu] = menus[parent].addMenu(name)
            menus[row.menu].setObjectName(f"menu.{row.menu.replace('/', '.').lower()}")
            menus[row.menu].setToolTipsVisible(True)
        return menus[row.menu]


class _Drawn(dict[str, QAction]):
    def __init__(self, actions: dict[str, QAction], draw: Callable[[str], QAction]) -> None:
        super().__init__(actions)
        self._draw = draw

    def __getitem__(self, action_id: str) -> QAction:
        return self._draw(action_id)
