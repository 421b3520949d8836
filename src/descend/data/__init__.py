"""Where examples come from: the sets that ship with the package, the caller's arrays, IDX files, a picture of a digit.

Everything becomes a ``Dataset`` of tensors in memory. May import ``errors`` and the lower rooms, never ``models``, ``train``
or ``show``; ``catalogue`` does without torch, so that help answers at once. Nothing is imported eagerly here.
"""
