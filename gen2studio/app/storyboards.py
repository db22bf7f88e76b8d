"""Storyboards at work: panels become an animatic, then shots on the timeline in one look, generated as a batch.

No widgets. Every edit is one undo step; a shot made from a panel follows what the panel says until the artist gives its
clip a look of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from gen2studio.app.board_layout import LaidPanel, lay_panels, lay_sound, panel_shot, shot_look
from gen2studio.app.generation import Generation
from gen2studio.app.importing import media_item
from gen2studio.app.session import Session
from gen2studio.app.shot_wish import default_wish, shot_item
from gen2studio.app.shots import Shots
from gen2studio.core.errors import EditRefused, GenerationError, StudioError, sentence_of
from gen2studio.core.ids import new_id
from gen2studio.document import board_edits, boards, looks, media_edits, sequences, shots
from gen2studio.document.board_values import MockUp, SoundCue
from gen2studio.document.look import Look, Mode
from gen2studio.document.lookup import find_clip
from gen2studio.document.media_edits import find_by_path
from gen2studio.document.model import Board, Clip, Document, MediaItem, Panel, Take
from gen2studio.engine.requests import GenerateRequest

if TYPE_CHECKING:
    from gen2studio.app.board_import import FoundBoard
    from gen2studio.app.board_player import BoardPlayer
    from gen2studio.app.board_state import PanelState
    from gen2studio.app.board_stills import BoardStills
    from gen2studio.app.jobs import EngineSignals, JobRow
    from gen2studio.app.panel_drawing import PanelDrawing
    from gen2studio.app.panel_pictures import PanelPictures

Source = Path | bytes
"""A picture file, or its bytes."""


class Storyboards(QObject):
    """The boards of the open project and the one being worked on. Lives on the UI thread."""

    current_changed = Signal(object)
    """Board | None: another board is worked on, or it was changed."""
    laid = Signal(object)
    """tuple of clip ids that stand for the panels on the timeline now, in order."""
    panel_still_changed = Signal(str)
    """Panel id whose still changed (:meth:`still_of`)."""

    _ready = Signal(object, object, str, int)

    def __init__(
        self,
        session: Session,
        generation: Generation,
        making: Shots,
        add_blob: Callable[[Source], str],
        media_folder: Callable[[], Path],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._generation = generation
        self._shots = making
        self._add_blob = add_blob
        self._media_folder = media_folder
        self.sound_device = True
        """Play sound; off where there is no device to ask for (tests, command line)."""
        self.take_folder: Callable[[str], Path] | None = None
        """Where the frames of a take lie."""
        self._engine: EngineSignals | None = None
        self._is_stale: Callable[[Clip, Take], bool] = lambda _clip, _take: False
        self._rows: Callable[[], Iterable[JobRow]] = lambda: ()
        self._board_id = ""
        self._shown: Board | None = None
        self._round = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="animatic")
        self._ready.connect(self._on_ready)
        session.store.changed.connect(lambda _old, _new: self._tell())
        session.store.replaced.connect(self._on_replaced)

    def attach(
        self,
        engine: EngineSignals,
        is_stale: Callable[[Clip, Take], bool],
        rows: Callable[[], Iterable[JobRow]],
        take_folder: Callable[[str], Path],
        *,
        sound: bool,
    ) -> None:
        """What makes stills, and what knows how far shots have come."""
        self._engine, self._is_stale, self._rows, self.sound_device = engine, is_stale, rows, sound
        self.take_folder = take_folder

    @cached_property
    def still_maker(self) -> BoardStills:
        """Stills of panels."""
        from gen2studio.app.board_stills import BoardStills

        assert self._engine is not None
        maker = BoardStills(self, self._generation, self._engine, self)
        maker.changed.connect(self.panel_still_changed)
        return maker

    def state_of(self, panel: Panel) -> PanelState:
        """How far a panel of the current board has come, and why its shot is stale."""
        from gen2studio.app.board_state import PanelState, panel_state

        board = self.current
        if board is None:
            return PanelState()
        return panel_state(self._session.document, board, panel, self._is_stale, self._rows())

    def add_picture(self, picture: Source) -> str:
        """Store an image in the project; its digest. Raises ProjectError. Any thread."""
        return self._add_blob(picture)

    @cached_property
    def pictures(self) -> PanelPictures:
        """Decoded pictures of panels."""
        from gen2studio.app.panel_pictures import PanelPictures

        return PanelPictures(self._generation.find_blob)

    @cached_property
    def drawing(self) -> PanelDrawing:
        """Drawing on a panel."""
        from gen2studio.app.panel_drawing import PanelDrawing

        return PanelDrawing(self, self.pictures, self._add_blob, self)

    @cached_property
    def player(self) -> BoardPlayer:
        """The animatic, played in place."""
        from gen2studio.app.board_player import BoardPlayer

        return BoardPlayer(self, sound=self.sound_device, parent=self)

    def shutdown(self) -> None:
        if "drawing" in self.__dict__:
            self.drawing.shutdown()
        if "player" in self.__dict__:
            self.player.shutdown()
        if "still_maker" in self.__dict__:
            self.still_maker.shutdown()
        self._pool.shutdown(wait=True, cancel_futures=True)

    # -- the board being worked on ------------------------------------------------------------------------------------

    @property
    def boards(self) -> tuple[Board, ...]:
        return tuple(self._session.document.boards.values())

    @property
    def current(self) -> Board | None:
        """The chosen board, else the first; None while there is none."""
        known = self._session.document.boards
        return known.get(self._board_id) or next(iter(known.values()), None)

    def choose(self, board_id: str) -> None:
        self._board_id = board_id
        self._tell()

    def new_board(self, name: str = "") -> str:
        """A fresh board with the present look, in the size and rate of the model that will make its shots."""
        abilities = self._shots.abilities(Mode.STORYBOARD)
        wish = default_wish(abilities)
        size = shots.shot_size(wish.aspect, abilities.native_sizes if abilities else ())
        made: list[str] = []

        def change(document: Document) -> Document:
            # A generator chosen for footage may not serve storyboards.
            look = replace(self._generation.look, generator="")
            document, board_id = boards.new_board(
                document, name, look, width=size.width, height=size.height, rate=wish.rate
            )
            made.append(board_id)
            return document

        if not self._apply("New storyboard", change):
            return ""
        self.choose(made[0])
        return made[0]

    def remove_board(self, board_id: str) -> bool:
        return self._apply("Delete storyboard", lambda d: boards.remove_board(d, board_id))

    def rename_board(self, board_id: str, name: str) -> bool:
        return self._apply("Rename storyboard", lambda d: boards.rename_board(d, board_id, name))

    def set_look(self, look: Look, label: str = "Change look of storyboard", merge_key: str = "") -> bool:
        """The one look of the board; its shots follow it."""
        return self._on_board(label, lambda d, b: boards.set_board_look(d, b.id, look), merge_key)

    def set_shot(self, aspect: Fraction, rate: Fraction) -> bool:
        """Shape and rate of the board's shots, in a size the model was made for."""
        abilities = self._shots.abilities(Mode.STORYBOARD)
        size = shots.shot_size(aspect, abilities.native_sizes if abilities else ())
        return self._on_board(
            "Change storyboard size", lambda d, b: boards.set_board_size(d, b.id, size.width, size.height, rate)
        )

    def set_board_size(self, width: int, height: int, rate: Fraction | None = None) -> bool:
        """Size in pixels (and rate) of the board's shots."""
        return self._on_board(
            "Change storyboard size", lambda d, b: boards.set_board_size(d, b.id, width, height, rate or b.rate)
        )

    def set_reference(self, panel_id: str, picture: Source | None) -> bool:
        """Lay a picture under the drawing of a panel while one draws (None = take it away)."""
        digest = self._blob(picture)
        if digest is None:
            return False
        return self.change_panel(panel_id, "Reference picture", reference=digest)

    # -- panels -------------------------------------------------------------------------------------------------------

    def add_panel(
        self, picture: Source | None = None, *, prompt: str = "", name: str = "", seconds: Fraction = Fraction(2),
        keep_picture: bool = False, at: int | None = None,
    ) -> str:  # fmt: skip
        """Add a panel (making a board when there is none); returns its id, or empty after saying why not."""
        digest = self._blob(picture)
        if digest is None or (self.current is None and not self.new_board()):
            return ""
        panel = Panel(
            id=new_id("panel"), name=name, picture=digest, prompt=prompt, seconds=seconds, keep_picture=keep_picture
        )
        added = self._on_board("Add panel", lambda d, b: boards.add_panel(d, b.id, panel, at))
        return panel.id if added else ""

    def duplicate_panel(self, panel_id: str) -> bool:
        return self._on_board("Duplicate panel", lambda d, b: boards.duplicate_panel(d, b.id, panel_id))

    def move_panels(self, panel_ids: Collection[str], before: str = "") -> bool:
        return self._on_board("Move panel", lambda d, b: boards.move_panels(d, b.id, panel_ids, before))

    def remove_panels(self, panel_ids: Collection[str]) -> bool:
        return self._on_board("Delete panel", lambda d, b: boards.remove_panels(d, b.id, panel_ids))

    def set_picture(self, panel_id: str, picture: Source | None, keep_picture: bool | None = None) -> bool:
        """Give a panel a picture (None = take it away)."""
        digest = self._blob(picture)
        if digest is None:
            return False
        return self._on_board(
            "Change panel picture", lambda d, b: boards.set_picture(d, b.id, panel_id, digest, keep_picture)
        )

    def change_panel(self, panel_id: str, label: str = "Change panel", merge_key: str = "", **changes: Any) -> bool:
        """Change words, seconds, size, seed, keep_picture, camera, look… of a panel."""
        if "camera" in changes:
            camera = changes.pop("camera")
            moved = self._on_board(label, lambda d, b: board_edits.set_camera(d, b.id, panel_id, camera), merge_key)
            if not changes:
                return moved
        return self._on_board(label, lambda d, b: boards.set_panel(d, b.id, panel_id, **changes), merge_key)

    def find_picture(self, digest: str) -> Path | None:
        """The file of a project image."""
        return self._generation.find_blob(digest) if digest else None

    def use_footage(self, panel_id: str, media_id: str) -> bool:
        """Let footage of the project stand for a panel, from its start and as long as the panel (empty = none)."""
        panel, item = self.panel(panel_id), self._session.document.media.get(media_id)
        if panel is None:
            return False
        mock_up = None
        if item is not None:
            length = item.info.duration if item.info.duration > 0 else panel.seconds
            mock_up = MockUp(media_id=media_id, stop=min(panel.seconds, length))
        return self._on_board(
            "Mock-up footage" if mock_up else "No mock-up footage",
            lambda d, b: board_edits.set_mock_up(d, b.id, panel_id, mock_up),
        )

    def use_sound(self, panel_id: str, media_id: str) -> bool:
        """Let a file be heard with a panel, or with an empty ``panel_id`` under the whole board (empty = none)."""
        cue = SoundCue(media_id=media_id) if media_id else None
        return self._on_board("Sound of storyboard", lambda d, b: board_edits.set_sound(d, b.id, panel_id, cue))

    def add_footage(self, item: MediaItem, at: int | None = None, panel_id: str = "") -> str:
        """A panel for a film: on an existing one, or a fresh one as long as the film (two seconds at least, a panel's
        length at most); returns its id."""
        made: list[str] = []

        def change(document: Document, board: Board) -> Document:
            if item.id not in document.media:
                document = media_edits.add_media(document, item)
            length = item.info.duration if item.info.duration > 0 else Fraction(2)
            if panel_id:
                made.append(panel_id)
                seconds = boards.panel_of(board, panel_id).seconds
                mock_up = MockUp(media_id=item.id, stop=min(length, seconds))
                return board_edits.set_mock_up(document, board.id, panel_id, mock_up)
            seconds = board_edits.whole_frames(board, min(length, shots.LONGEST))
            panel = Panel(
                id=new_id("panel"), name=item.name, seconds=seconds,
                mock_up=MockUp(media_id=item.id, stop=min(length, shots.LONGEST)),
            )  # fmt: skip
            made.append(panel.id)
            return boards.add_panel(document, board.id, panel, at)

        if self.current is None and not self.new_board():
            return ""
        return made[-1] if self._on_board("Mock-up footage", change) else ""

    def panel(self, panel_id: str) -> Panel | None:
        board = self.current
        return next((p for p in board.panels if p.id == panel_id), None) if board else None

    def clip_of(self, panel_id: str) -> Clip | None:
        """The clip on the timeline that stands for a panel."""
        panel = self.panel(panel_id)
        return boards.clip_of_panel(self._session.document, panel) if panel else None

    def still_of(self, panel_id: str) -> str:
        """Digest of the still that stands for a panel: the chosen one, else the last; empty when there is none."""
        panel = self.panel(panel_id)
        if panel is None:
            return ""
        return panel.guide or (panel.stills[-1].picture if panel.stills else "")

    def go_to(self, panel_id: str) -> bool:
        """Select the panel's clip and put the playhead on it, on whichever timeline it is."""
        clip = self.clip_of(panel_id)
        if clip is None:
            return False
        document = self._session.document
        home = next(s for s in document.sequences.values() if find_clip(s, clip.id) is not None)
        if home.id != document.active_sequence:
            self._session.store.apply("Go to panel's timeline", sequences.activate(document, home.id))
        self._session.set_selection(frozenset({clip.id}))
        self._session.set_playhead(clip.start)
        return True

    def panel_under_playhead(self) -> str:
        """Id of the panel that the target clip was made from, whose board becomes the current one; empty = none."""
        clip = self._session.target_clip()
        found = boards.panel_of_clip(self._session.document, clip.id) if clip is not None else None
        if found is None:
            return ""
        self.choose(found[0].id)
        return found[1].id

    # -- from and to files --------------------------------------------------------------------------------------------

    def bring_in(
        self, found: FoundBoard, panels: tuple[Panel, ...], items: tuple[MediaItem, ...], *, fresh: bool
    ) -> bool:
        """Put imported panels on a board of their own (``fresh``), or behind those of the current one."""
        current = self.current
        made: list[str] = []

        def change(document: Document) -> Document:
            document = media_edits.add_media(document, *(item for item in items if item.id not in document.media))
            if fresh or current is None:
                look = replace(self._generation.look, generator="")
                rate = found.rate or Fraction(24)
                abilities = self._shots.abilities(Mode.STORYBOARD)
                if abilities is not None and abilities.native_rate:
                    rate = default_wish(abilities).rate
                size = shots.shot_size(
                    found.aspect or Fraction(16, 9), abilities.native_sizes if abilities is not None else ()
                )
                taken = {board.name for board in document.boards.values()}
                name = found.name[:80].strip() or "Storyboard"
                name = next(
                    n for i in range(1, len(taken) + 2) if (n := name if i == 1 else f"{name} {i}") not in taken
                )
                document, board_id = boards.new_board(
                    document, name, look, width=size.width, height=size.height, rate=rate
                )
            else:
                board_id = current.id
            made.append(board_id)
            return board_edits.insert_panels(document, board_id, panels)

        if not self._apply("Import storyboard", change):
            return False
        self.choose(made[-1])
        return True

    def result_of(self, panel: Panel) -> Path | None:
        """A picture of what was made of a panel: the middle frame of its shot, else its still."""
        clip = boards.clip_of_panel(self._session.document, panel)
        take = self._session.document.takes.get(clip.active_take) if clip is not None else None
        if take is not None and take.done and self.take_folder is not None:
            first, stop = take.done[0]
            found = self.take_folder(take.id) / f"frame_{(first + stop) // 2:06d}.png"
            if found.is_file():
                return found
        still = panel.guide or (panel.stills[-1].picture if panel.stills else "")
        return self.find_picture(still)

    # -- onto the timeline --------------------------------------------------------------------------------------------

    def animatic(self) -> bool:
        """Lay the panels' pictures on the timeline at their lengths, before any shot is made.

        Panels without a picture get an empty shot, and panels whose shot is there keep it. The pictures are read on a
        thread; the clips appear a moment later, as one undo step.
        """
        board = self.current
        if board is None or not board.panels:
            self._session.tell("There is no panel yet. Add one to the storyboard first.", "warning")
            return False
        document, files = self._session.document, dict[str, Path]()
        for panel in board.panels:
            if panel.picture and (path := self._generation.find_blob(panel.picture)) is not None:
                files[panel.id] = path
        known = {path.as_posix(): find_by_path(document, path.as_posix()) for path in files.values()}
        self._pool.submit(self._read, board.id, files, known, self._round)
        return True

    def _read(self, board_id: str, files: dict[str, Path], known: dict[str, MediaItem | None], number: int) -> None:
        from gen2studio.media import codecs

        sentence, items = "", dict[str, MediaItem]()
        try:
            codecs.load()
            from gen2studio.media.probe import probe

            for panel_id, path in files.items():
                item = known.get(path.as_posix())
                if item is None:
                    item = known[path.as_posix()] = media_item(path, probe(path))
                items[panel_id] = item
        except Exception as error:  # the thread must go on
            sentence = sentence_of(error)
        self._ready.emit(board_id, items, sentence, number)

    def _on_ready(self, board_id: str, items: dict[str, MediaItem], sentence: str, number: int) -> None:
        board = self._session.document.boards.get(board_id)
        if number != self._round or board is None:
            return
        if sentence:
            self._session.tell(sentence, "error")
            return
        names = {panel.id: panel.name or f"Panel {i}" for i, panel in enumerate(board.panels, 1)}

        def wanted(panel: Panel) -> LaidPanel:
            mock_up = self._session.document.media.get(panel.mock_up.media_id) if panel.mock_up is not None else None
            item = items.get(panel.id)
            if mock_up is not None:
                return LaidPanel(panel, mock_up, None)
            if item is None:
                return self._shot_of(board, panel, names[panel.id])
            return LaidPanel(panel, replace(item, name=names[panel.id]), None)

        self._lay("Animatic", board, [wanted(panel) for panel in board.panels], keep_shots=True)

    def lay_shots(self, panel_ids: Collection[str] = ()) -> tuple[str, ...]:
        """Make an empty shot of every panel (or of these) on the timeline, in order; returns their clip ids."""
        board = self.current
        if board is None:
            return ()
        chosen = [panel for panel in board.panels if not panel_ids or panel.id in panel_ids]
        names = {panel.id: panel.name or f"Panel {i}" for i, panel in enumerate(board.panels, 1)}
        return self._lay("Lay out storyboard", board, [self._shot_of(board, p, names[p.id]) for p in chosen])

    def _shot_of(self, board: Board, panel: Panel, name: str) -> LaidPanel:
        shot = panel_shot(board, panel)
        return LaidPanel(panel, shot_item(shot, name, self._media_folder()), shot_look(board, panel))

    def _lay(
        self, label: str, board: Board, panels: Sequence[LaidPanel], *, keep_shots: bool = False
    ) -> tuple[str, ...]:
        session = self._session
        try:
            made = lay_panels(
                session.document, board, panels, frame=session.playhead, track=session.track, keep_shots=keep_shots
            )
        except (EditRefused, GenerationError) as error:
            session.tell(str(error), "warning")
            return ()
        for item in made.fresh:
            if item.shot is not None:
                self._shots.expect(item)
        laid = boards.change_board(made.document, board.id, sequence_id=made.document.active_sequence)
        try:
            laid = lay_sound(laid, laid.boards[board.id])
        except EditRefused as error:
            session.tell(str(error), "warning")
        session.store.apply(label, laid)
        for item in made.fresh:
            if item.shot is not None:
                self._shots.write(item)
        self.laid.emit(made.clip_ids)
        return made.clip_ids

    # -- generating ---------------------------------------------------------------------------------------------------

    def generate(self, panel_ids: Collection[str] = ()) -> tuple[str, ...]:
        """Queue the shots of all panels (or of these) with the board's look; returns the job ids."""
        return self._batch(panel_ids, self._generation.plan, self._generation.submit_run)

    def planned(self, panel_ids: Collection[str] = ()) -> tuple[tuple[Clip, GenerateRequest, str], ...]:
        """Lay the shots of all panels (or of these) out, to be made elsewhere: (clip, request, label) of each."""
        found: list[tuple[Clip, GenerateRequest, str]] = []

        def hold(clip: Clip, request: GenerateRequest, label: str) -> str:
            found.append((clip, request, label))
            return clip.id

        self._batch(panel_ids, self._generation.plan, hold)
        return tuple(found)

    def stills(self, panel_ids: Collection[str] = (), count: int = 4) -> tuple[str, ...]:
        """Queue ``count`` stills of every panel (or of these); returns the job ids. Nothing is laid on the timeline."""
        board = self._checked(panel_ids)
        if board is None:
            return ()
        try:
            return self.still_maker.make(board, panel_ids, count)
        except StudioError as error:
            self._session.tell(str(error), "error")
            return ()

    def render_stale(self) -> tuple[str, ...]:
        """Queue the shots that are not up to date, and no others; returns the job ids."""
        from gen2studio.app.board_state import Stage

        board = self.current
        wanted = (Stage.NONE, Stage.PICTURE, Stage.EMPTY, Stage.STALE)
        late = [p.id for p in board.panels if self.state_of(p).stage in wanted] if board is not None else []
        if board is not None and board.panels and not late:
            self._session.tell("Every shot of the storyboard is up to date or in the queue.", "info")
            return ()
        return self.generate(late)

    def _checked(self, panel_ids: Collection[str]) -> Board | None:
        """The board if these panels of it can be made; None after saying why not."""
        board, session = self.current, self._session
        if board is None or not board.panels:
            session.tell("There is no panel yet. Add one to the storyboard first.", "warning")
            return None
        if (reason := self._generation.registry.why_not(Mode.STORYBOARD.value)) != "":
            session.tell(reason, "warning")
            return None
        for number, panel in enumerate(board.panels, 1):
            if (not panel_ids or panel.id in panel_ids) and not _says_something(board, panel):
                session.tell(f"Panel {number} has neither a picture nor words. Give it one of them.", "warning")
                return None
        return board

    def _batch(
        self,
        panel_ids: Collection[str],
        plan: Callable[[Clip, Look], GenerateRequest],
        submit: Callable[[Clip, GenerateRequest, str], str],
    ) -> tuple[str, ...]:
        session = self._session
        board = self._checked(panel_ids)
        if board is None:
            return ()
        found = self._generation.choice_for(replace(board.look, mode=Mode.STORYBOARD))
        ability = found.abilities.mode(Mode.STORYBOARD.value) if found is not None else None
        if found is not None and ability is not None and not ability.makes_clips:
            session.tell(f"{found.abilities.title} draws pictures: choose a video model for the shots.", "warning")
            return ()
        clip_ids = self.lay_shots(panel_ids)
        planned: list[tuple[Clip, GenerateRequest, str]] = []
        try:
            for clip_id in clip_ids:
                clip = session.find_clip(clip_id)
                if clip is None:
                    raise GenerationError("A shot of the storyboard is no longer on the timeline.", "Lay it out again.")
                label = f"{board.name}: {clip.name}"
                planned.append((clip, plan(clip, looks.look_of(session.document, clip)), label))
        except StudioError as error:
            session.tell(str(error), "error")
            return ()
        return tuple(submit(*job) for job in planned)

    # -- plumbing -----------------------------------------------------------------------------------------------------

    def _blob(self, picture: Source | None) -> str | None:
        """Digest of a stored picture, empty for none; None after saying why it can't be used."""
        if picture is None:
            return ""
        try:
            return self._add_blob(picture)
        except (StudioError, OSError) as error:
            self._session.tell(sentence_of(error), "error")
            return None

    @property
    def session(self) -> Session:
        return self._session

    def edit(
        self, label: str, change: Callable[[Document, Board], Document], merge_key: str = "", board_id: str = ""
    ) -> bool:
        """One undo step on a board (the current one); False after saying why it was refused."""
        board = self._session.document.boards.get(board_id) or self.current
        return board is not None and self._apply(label, lambda d: change(d, d.boards[board.id]), merge_key)

    def complete(
        self, label: str, change: Callable[[Document, Board], Document], merge_key: str, board_id: str
    ) -> None:
        """Make a change part of the step made with ``merge_key``: what was worked out for it on a thread."""

        def changed(document: Document) -> Document:
            board = document.boards.get(board_id)
            return change(document, board) if board is not None else document

        self._session.store.extend(label, changed, merge_key)

    def _on_board(self, label: str, change: Callable[[Document, Board], Document], merge_key: str = "") -> bool:
        board = self.current
        if board is None:
            self._session.tell("There is no storyboard yet. Make one first.", "warning")
            return False
        return self._apply(
            label, lambda document: change(document, board), f"{merge_key}-{board.id}" if merge_key else ""
        )

    def _apply(self, label: str, change: Callable[[Document], Document], merge_key: str = "") -> bool:
        before = self._session.document
        try:
            after = change(before)
        except EditRefused as refused:
            self._session.tell(str(refused), "warning")
            return False
        if after is before:
            return False
        self._session.store.apply(label, _followed(before, after), merge_key)
        return True

    def _tell(self) -> None:
        board = self.current
        if board is not self._shown:
            self._shown = board
            self.current_changed.emit(board)

    def _on_replaced(self, _document: Document) -> None:
        self._round += 1
        self._board_id = ""
        self._tell()


def _says_something(board: Board, panel: Panel) -> bool:
    look = boards.look_of_panel(board, panel)
    return bool(panel.picture or look.prompt or look.styles or look.preset)


def _followed(before: Document, after: Document) -> Document:
    """Shots whose look was what their panel said go on saying what it says now."""
    for board in after.boards.values():
        old_board = before.boards.get(board.id)
        if old_board is None or old_board is board:
            continue
        known = {panel.id: panel for panel in old_board.panels}
        for panel in board.panels:
            old = known.get(panel.id)
            clip = boards.clip_of_panel(after, panel) if old is not None else None
            if old is None or clip is None or not shots.is_shot(after, clip):
                continue
            if clip.look == shot_look(old_board, old):
                after = looks.set_look(after, {clip.id}, shot_look(board, panel))
    return after
