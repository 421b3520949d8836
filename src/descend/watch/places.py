"""Where in the user's own files something happened."""

from collections.abc import Callable
from types import FrameType

from descend.watch.cells import name_of_file

Place = tuple[str, int]
NOWHERE: Place = ("", 0)
_DEEPEST = 200  # frames that are looked through for one of the user's


class Places:
    """Finds the nearest frame of the user's own code; what ``own`` answers for a file is kept."""

    def __init__(self, own: Callable[[str], bool]) -> None:
        self._own = own
        self.known: dict[str, bool] = {}
        self._names: dict[str, str] = {}

    def is_own(self, filename: str) -> bool:
        known = self.known.get(filename)
        if known is None:
            known = self.known[filename] = self._own(filename)
        return known

    def nearest(self, frame: FrameType | None) -> FrameType | None:
        """``frame`` or the nearest of its callers that is the user's."""
        known = self.known
        for _ in range(_DEEPEST):
            if frame is None:
                return None
            filename = frame.f_code.co_filename
            if known.get(filename) or (filename not in known and self.is_own(filename)):
                return frame
            frame = frame.f_back
        return None

    def place(self, frame: FrameType | None) -> Place:
        """File and line of the nearest frame of the user's; ``NOWHERE`` when there is none."""
        found = self.nearest(frame)
        return self.place_in(found) if found is not None else NOWHERE

    def place_in(self, frame: FrameType) -> Place:
        """File and line of this very frame."""
        filename = frame.f_code.co_filename
        name = self._names.get(filename)
        if name is None:
            name = self._names[filename] = name_of_file(filename)
        return name, frame.f_lineno

    def own_frames(self, frame: FrameType | None) -> list[FrameType]:
        """Every frame of the user's, from ``frame`` outwards."""
        found = []
        for _ in range(_DEEPEST):
            if frame is None:
                break
            if self.is_own(frame.f_code.co_filename):
                found.append(frame)
            frame = frame.f_back
        return found
