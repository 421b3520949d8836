"""Lessons that run: a lesson is a Markdown file whose code is executed and whose numbers come from what was executed.

May import show, the rooms below it and errors; PyTorch only through the code of a lesson, so that the list answers at once.
"""
