"""Bringing files into the project, probed off the UI thread. (Interface first; bodies follow.)

class Importer(QObject):
    imported = Signal(object)          # tuple[MediaItem, ...] of one request, in the order given
    failed = Signal(str, str)          # (path, sentence)
    finished = Signal(int, int)        # (imported, failed) of one request
    __init__(store: DocumentStore, parent=None)
    import_paths(paths: Sequence[Path]) -> None      # adds media in one undo step when all are probed; folders are searched, numbered images become a SEQUENCE
    import_and_place(paths, frame: int | None = None, *, track: str = "", collision=Collision.OVERWRITE) -> None   # places them one after the other
    shutdown() -> None
expand(paths) -> tuple[Path, ...] ; media_item(path, info) -> MediaItem ; place_on_timeline(document, items, frame, …) -> Placed document
"""
