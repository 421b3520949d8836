"""What a person sees in the terminal: the live view of a training, its summary, lists of runs, predictions.

Plain data in (events, reports, numbers), rich text out; nothing here trains, reads files or imports torch. May import
``descend.record`` (its events and its description of a run) and ``descend.errors``. Colours live in ``colours``, number formats in ``numbers``.
"""
