"""The names, shapes and types of the tensors in a ``.pth`` file, without torch and without running what is in it.

A file of ``torch.save`` is a ZIP archive: a pickle that names the tensors, and their bytes one entry each. A pickle is
a program; here it is read by an unpickler that knows the handful of names a plain state dict needs, and replaces them
with descriptions. Anything else in it is refused before it could be looked up.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, NoReturn, cast

from gen2studio.core.errors import ModelError
from gen2studio.core.records import dataclass

_PICKLE_LIMIT = 32 << 20
"""Bytes of the pickle: the names of a few thousand tensors take less than one megabyte."""
_SIZES = {
    "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "DoubleStorage": 8, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1,
}  # fmt: skip
"""Storage class → bytes of one element."""
_FLOATS = frozenset({"FloatStorage", "HalfStorage", "BFloat16Storage", "DoubleStorage"})


@dataclass(frozen=True, slots=True)
class ArchivedTensor:
    """One tensor of the archive."""

    shape: tuple[int, ...]
    floating: bool
    storage: str = ""
    """Class of its storage in torch: ``HalfStorage``."""


@dataclass(frozen=True, slots=True)
class _Storage:
    kind: str
    entry: str
    count: int


def read_archive(path: Path) -> dict[str, ArchivedTensor]:
    """The tensors of the plain state dict in ``path``; one nested under "model" or "state_dict" is taken as well.

    Raises ModelError with one sentence: no such file, no torch archive, more than tensors in it, damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            name = next((name for name in sizes if name.endswith("/data.pkl") and name.count("/") == 1), None)
            if name is None:
                raise _refused(path, "is no checkpoint of torch")
            if sizes[name] > _PICKLE_LIMIT:
                raise _refused(path, "holds far more than the weights of a model")
            described = archive.read(name)
    except FileNotFoundError:
        raise ModelError(f"There is no file “{path}”.", "Check the path.") from None
    except zipfile.BadZipFile:
        raise _refused(path, "is no checkpoint of torch, or was not downloaded whole") from None
    except (OSError, RuntimeError, EOFError) as error:
        raise ModelError(f"“{path.name}” can't be read ({type(error).__name__}).", "Check the drive.") from None
    found = _Descriptions(io.BytesIO(described), path).load_state()
    folder = name.removesuffix("data.pkl") + "data/"
    tensors: dict[str, ArchivedTensor] = {}
    for key, (storage, shape) in found.items():
        held = sizes.get(folder + storage.entry, -1)
        if held < storage.count * _SIZES[storage.kind] or prod(shape) > storage.count:
            raise _refused(path, f"lacks the numbers of “{key[:80]}”; it was not downloaded whole")
        tensors[key] = ArchivedTensor(shape, storage.kind in _FLOATS, storage.kind)
    return tensors


class _Descriptions(pickle.Unpickler):
    """Reads the pickle of a state dict as descriptions."""

    def __init__(self, stream: io.BytesIO, path: Path) -> None:
        super().__init__(stream)
        self._path = path

    def load_state(self) -> dict[str, tuple[_Storage, tuple[int, ...]]]:
        try:
            found: Any = self.load()
        except ModelError:
            raise
        except Exception:
            # Whatever a broken pickle can raise: all of it means the same.
            raise _refused(self._path, "can't be read: it is damaged") from None
        for wrapper in ("model", "state_dict"):
            if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
                found = cast("Mapping[Any, Any]", found)[wrapper]
        if not isinstance(found, Mapping) or not found:
            raise _refused(self._path, "holds no weights")
        rows = cast("Mapping[Any, Any]", found)
        tensors = {str(key): value for key, value in rows.items() if isinstance(value, tuple) and len(value) == 2}
        if len(tensors) < len(rows):
            raise _refused(self._path, "holds more than the weights of a model")
        return tensors

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module_name == "torch" and global_name in _SIZES:
            return global_name
        if (module_name, global_name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module_name, global_name) == ("torch._utils", "_rebuild_parameter"):
            return _parameter
        raise _refused(self._path, f"wants to run “{module_name}.{global_name}”"[:160])

    def persistent_load(self, pid: Any, /) -> _Storage:
        match pid:
            case ("storage", str(kind), str(entry), str(), int(count)) if kind in _SIZES and count >= 0:
                return _Storage(kind, entry, count)
            case _:
                self._no_storage()

    def _no_storage(self) -> NoReturn:
        raise _refused(self._path, "can't be read: it is damaged")


def _tensor(storage: Any, offset: Any, shape: Any, *_rest: Any) -> tuple[_Storage, tuple[int, ...]]:
    sides = tuple(shape)
    if not isinstance(storage, _Storage) or offset < 0 or not all(type(s) is int and 0 <= s < 1 << 32 for s in sides):
        raise ValueError("no tensor")
    return storage, sides


def _parameter(tensor: Any, *_rest: Any) -> Any:
    return tensor


def _refused(path: Path, what: str) -> ModelError:
    return ModelError(f"“{path.name}” {what}.", "Use the checkpoint as its authors published it.")
