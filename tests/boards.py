"""The miniature board trees, and copies of them that a test may change."""

import shutil
from pathlib import Path

FOLDER = Path(__file__).parent / "fixtures" / "boards"
BOARDS = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def root(board: str) -> str:
    """Return the root of a board's tree."""
    return str(FOLDER / board)


def copy(board: str, to: Path) -> Path:
    """Copy a board's tree and return its root."""
    return Path(shutil.copytree(FOLDER / board, to / board))


def unreadable(path: Path) -> None:
    """Put a folder in a file's place: no user, not even root, can read it as a file."""
    path.unlink()
    path.mkdir()
