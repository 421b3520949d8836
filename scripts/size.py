"""Lines of every file and room under src/: over 400 is flagged, over 700 fails.

Usage: python scripts/size.py [FOLDER]   (src/descend where no folder is given)
"""

import sys
from pathlib import Path

FLAGGED = 400
TOO_LONG = 700


def lines_of(path: Path) -> tuple[int, int]:
    """Lines in all, and lines that hold more than white space."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return len(lines), sum(1 for line in lines if line.strip())


def _files(n: int) -> str:
    return "1 file" if n == 1 else f"{n} files"


def main(folder: Path) -> int:
    """Print the report; return the exit status."""
    rooms: dict[str, list[tuple[Path, int, int]]] = {}
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder)
        room = inside.parts[0] if len(inside.parts) > 1 else "."
        rooms.setdefault(room, []).append((inside, *lines_of(path)))
    if not rooms:
        print(f"{folder}: no Python file found", file=sys.stderr)
        return 1

    print(f"{'lines':>7} {'not blank':>10}  file")
    for room, files in rooms.items():
        for inside, lines, full in files:
            flag = "  <- over 700: split it" if lines > TOO_LONG else "  <- over 400" if lines > FLAGGED else ""
            print(f"{lines:7} {full:10}  {inside}{flag}")
        name = "(top)" if room == "." else f"{room}/"
        print(
            f"{sum(lines for _, lines, _ in files):7} {sum(full for *_, full in files):10}  {name}  {_files(len(files))}\n"
        )

    every = [entry for files in rooms.values() for entry in files]
    print(f"{sum(lines for _, lines, _ in every):7} {sum(full for *_, full in every):10}  all  {_files(len(every))}")
    too_long = [str(inside) for inside, lines, _ in every if lines > TOO_LONG]
    if too_long:
        print(f"over {TOO_LONG} lines: {', '.join(too_long)}", file=sys.stderr)
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "src" / "descend"))
