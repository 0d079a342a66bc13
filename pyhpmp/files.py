"""Output files appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pyhpmp.errors import InvalidArgumentError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path beside `path`; renames it over `path` when the block ends well.

    Raises:
        InvalidArgumentError: the folder does not exist or cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise InvalidArgumentError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_writable(path: str | os.PathLike[str]) -> None:
    """Fails before hours of work instead of after them. Raises InvalidArgumentError."""
    target = Path(path)
    folder = target.parent
    if not folder.is_dir():
        raise InvalidArgumentError(f"cannot write {target}: the folder {folder} does not exist")
    if target.is_dir() or not os.access(folder, os.W_OK):
        raise InvalidArgumentError(f"cannot write {target}: not a writable file")
