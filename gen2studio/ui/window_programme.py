"""The programme view in the window: what it needs to know, its commands, and what is said about work in hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QLabel

from gen2studio.core.errors import StudioError
from gen2studio.document import media_edits

if TYPE_CHECKING:
    from gen2studio.ui.main_window import MainWindow

_BANDS = {"rendered": "rendered", "needed": "missing"}
"""Kind of a stretch → the ruler's name for it."""


def wire(window: MainWindow) -> None:
    """Tell the programme how large it is seen; show what is made in the background."""
    programme = window.studio.programme
    window.canvas.frame_size_changed.connect(programme.feed.set_view_size)
    timeline = window.timeline
    timeline.set_render_bands(lambda: [(_BANDS[s.kind], s.start, s.stop) for s in programme.render_states()])
    programme.states.changed.connect(timeline.refresh_render_bands)
    label = QLabel(window)
    label.setContentsMargins(8, 0, 8, 0)
    label.setObjectName("status.programme")
    label.setAccessibleName("Proxies and rendering")
    label.setToolTip("What is made in the background so that the timeline plays smoothly")
    window.statusBar().addPermanentWidget(label)
    label.setText(programme.status)
    programme.status_changed.connect(label.setText)


def handlers(window: MainWindow) -> dict[str, Callable[..., object]]:
    """Commands by id."""
    programme = window.studio.programme
    return {
        "viewer.programme": programme.feed.set_preferred,
        "viewer.proxies": programme.proxies.set_enabled,
        "render.range": programme.render_range,
        "render.delete": programme.delete_rendered,
        "proxy.auto": lambda: _set_proxy(window, "auto"),
        "proxy.always": lambda: _set_proxy(window, "always"),
        "proxy.never": lambda: _set_proxy(window, "never"),
    }


def follow(window: MainWindow) -> None:
    """Keep the commands' ticks and words true."""
    programme, binder = window.studio.programme, window.binder
    view, proxies, render = (binder.action(i) for i in ("viewer.programme", "viewer.proxies", "render.range"))
    view.setChecked(programme.feed.preferred)
    programme.feed.preferred_changed.connect(view.setChecked)
    proxies.setChecked(programme.proxies.enabled)
    programme.proxies.enabled_changed.connect(proxies.setChecked)
    words = render.text()
    programme.rendering_changed.connect(lambda on: render.setText("Stop Rendering" if on else words))


def _set_proxy(window: MainWindow, wish: str) -> None:
    studio = window.studio
    session = studio.session
    clips = [clip for clip_id in session.selection if (clip := session.find_clip(clip_id)) is not None]
    media = dict.fromkeys(clip.media_id for clip in clips)
    if not media:
        session.tell("Select the clips whose media you mean.", "warning")
        return
    try:
        after = media_edits.set_proxy(studio.store.document, tuple(media), wish)
    except StudioError as error:
        session.tell(str(error), "warning")
        return
    if after is studio.store.document:
        session.tell("That is how it is already.")
        return
    studio.store.apply("Choose proxies", after)
    said = {"auto": "made where it is needed", "always": "made in the background", "never": "not used"}[wish]
    session.tell(f"A proxy of the selected clips' media is {said}.")
