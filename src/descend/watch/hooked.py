"""An attribute of PyTorch's, or of Python's, that something of ours stands in for while it is wanted."""

from typing import Any


class Replacement:
    """An attribute that ours takes the place of while it is ``put``."""

    def __init__(self, owner: Any, name: str, ours: Any) -> None:
        self.owner, self.name, self.ours = owner, name, ours
        self.was_own = name in vars(owner)
        self.theirs = getattr(owner, name)

    def put(self) -> None:
        """Does nothing where the program has put something of its own there."""
        if getattr(self.owner, self.name) is self.theirs:
            setattr(self.owner, self.name, self.ours)

    def take_away(self) -> None:
        if vars(self.owner).get(self.name) is self.ours:
            if self.was_own:
                setattr(self.owner, self.name, self.theirs)
            else:
                delattr(self.owner, self.name)
