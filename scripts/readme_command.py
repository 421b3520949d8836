"""Print one of README.md's commands, so that what is promised there and what is run here cannot differ.

Usage: python3 scripts/readme_command.py install|test

In the README, a line ``<!-- command: NAME -->`` stands before the fenced block that holds the command.
Needs nothing but Python: it runs before anything is installed.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def commands(text: str) -> dict[str, str]:
    """Name → command, for every marked block of a Markdown text."""
    found = re.findall(r"^<!-- command: (\w+) -->\n+```\w*\n(.+?)\n```$", text, flags=re.MULTILINE | re.DOTALL)
    return dict(found)


def main(name: str) -> int:
    """Print the command of that name; return the exit status."""
    known = commands(README.read_text(encoding="utf-8"))
    if name not in known:
        print(f"{README.name} has no command '{name}'; it has: {', '.join(known) or 'none'}", file=sys.stderr)
        return 1
    print(known[name])
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
