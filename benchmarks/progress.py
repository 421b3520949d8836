"""What is running now, for who watches."""

import sys


def say(text: str) -> None:
    """Write it on a line that is written over; only on a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()
