"""Projects on disk: a ``.g2s`` folder or one ``.g2s`` zip file. (Interface first; bodies follow.)

class Project:
    document-independent handle of one project's files.
    @staticmethod new(name="Untitled") -> tuple[Project, Document]            # in data_dir()/untitled/<id>
    @staticmethod open(path: Path) -> tuple[Project, Document]                 # ProjectError; folder or zip
    .save(document) -> None ; .save_as(document, path, *, packed: bool | None = None) -> None ; .collect(document, path) -> Document
    .path: Path | None (None = untitled) ; .folder: Path (working folder, always a folder) ; .name ; .packed: bool ; .untitled: bool
    .tiles: TileStore (backed by folder/tiles) ; .takes_dir: Path (root for engine.take_store.TakeStore) ; .journal_path: Path
    .add_blob(source: Path | bytes) -> str (sha256) ; .blob_path(digest) -> Path (ProjectError when missing) ; .find_blob(digest) -> Path | None
    .offline(document) -> tuple[str, ...]  media ids whose file is missing
    .close() releases the lock
"""
