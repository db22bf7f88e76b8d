"""The undo stack: identity after undo, merged steps, and what jobs made stays."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QApplication

from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.document import edits, takes
from gen2studio.document.look import Look
from gen2studio.document.media_edits import add_media, set_info
from gen2studio.document.model import Document, Take
from gen2studio.document.sequences import add_sequence, with_sequence
from tests.document.builders import video

ITEM = video()


def opened() -> tuple[DocumentStore, str]:
    placed = edits.place_media(edits.new_sequence("One", ITEM.info.rate, 640, 360), ITEM, 0)
    document = add_sequence(add_media(Document(id="doc-0123456789ab"), ITEM), placed.sequence)
    return DocumentStore(document), placed.clip_ids[0]


def take() -> Take:
    return Take(
        id="take-00000000000a", media_id=ITEM.id, name="Take 1", request_digest="00", recipe="{}", look=Look(), start=0,
        stop=10, done=((0, 4),),
    )  # fmt: skip


def rename(store: DocumentStore, name: str, key: str = "") -> None:
    store.apply(f"Name {name}", replace(store.document, name=name), key)


def test_undo_and_redo_give_back_the_very_values(qapp: QApplication) -> None:
    store, _ = opened()
    first = store.document
    rename(store, "b")
    second = store.document
    store.undo_stack.undo()
    assert store.document is first
    store.undo_stack.redo()
    assert store.document is second
    store.apply("Nothing", store.document)
    assert store.undo_stack.count() == 1


def test_steps_with_one_key_merge(qapp: QApplication) -> None:
    store, _ = opened()
    first = store.document
    for letter in "bcd":
        rename(store, letter, "slider")
    rename(store, "e", "other")
    assert store.undo_stack.count() == 2
    store.undo_stack.undo()
    assert store.document.name == "d"
    store.undo_stack.undo()
    assert store.document is first


def test_a_step_is_extended_below_later_ones(qapp: QApplication) -> None:
    store, _ = opened()
    first = store.document
    stack = store.undo_stack

    def grow(document: Document) -> Document:
        return replace(document, name=document.name + "x")

    store.extend("Run", grow, "run")
    store.extend("Run", grow, "run")
    assert (stack.count(), store.document.name) == (1, first.name + "xx")
    store.apply("Paint", replace(store.document, active_sequence=""))
    stack.setClean()
    store.extend("Run", grow, "run")
    assert [stack.text(i) for i in range(stack.count())] == ["Run", "Paint"]
    assert (store.document.name, store.document.active_sequence) == (first.name + "xxx", "")
    assert not stack.isClean()  # there is something to save
    last = store.document
    stack.undo()
    assert (store.document.name, store.document.active_sequence) == (first.name + "xxx", first.active_sequence)
    store.extend("Run", grow, "run")
    assert stack.canRedo()  # what was undone is not lost
    stack.redo()
    assert (store.document.name, store.document.active_sequence) == (last.name + "x", "")
    stack.undo()
    stack.undo()
    assert store.document is first
    store.extend("Run", grow, "run")
    assert (stack.count(), store.document.name) == (1, first.name + "x")


def test_takes_and_facts_survive_undo_but_ratings_do_not(qapp: QApplication) -> None:
    store, clip = opened()
    rename(store, "b")
    store.amend(lambda d: takes.add_take(d, take(), clip), carried=True)
    exact = replace(ITEM.info, frame_count=249)
    store.amend(lambda d: set_info(d, ITEM.id, exact))
    store.apply("Rate", takes.rate(store.document, take().id, 4))
    store.amend(lambda d: takes.set_done(d, take().id, ((0, 9),)))
    store.undo_stack.undo()
    assert store.document.takes[take().id].rating == 0
    assert store.document.takes[take().id].done == ((0, 9),)
    store.undo_stack.undo()
    assert store.document.name == "Untitled"
    assert store.document.takes[take().id].done == ((0, 9),)
    assert store.document.media[ITEM.id].info == exact
    sequence = store.document.sequence
    assert sequence is not None and sequence.tracks[0].clips[0].takes == (take().id,)
    store.undo_stack.redo()
    store.undo_stack.redo()
    assert store.document.takes[take().id].rating == 4


def test_replacing_forgets_the_past_and_tells_once(qapp: QApplication) -> None:
    store, _ = opened()
    rename(store, "b")
    heard: list[Document] = []
    store.replaced.connect(heard.append)
    changes: list[object] = []
    store.changed.connect(lambda *_: changes.append(1))
    new = Document(id="doc-0123456789ac")
    store.replace(new, store.tiles)
    assert heard == [new] and not changes
    assert store.undo_stack.count() == 0 and store.undo_stack.isClean()


def test_session_lets_go_of_clips_that_are_gone(qapp: QApplication) -> None:
    store, clip = opened()
    session = Session(store)
    session.set_selection(frozenset({clip}))
    assert session.target_clip() is session.find_clip(clip)
    sequence = store.document.sequence
    assert sequence is not None
    store.apply("Delete", with_sequence(store.document, edits.lift(sequence, [clip])))
    assert session.selection == frozenset()
    assert session.target_clip() is None
    store.undo_stack.undo()
    assert session.target_clip() is not None
