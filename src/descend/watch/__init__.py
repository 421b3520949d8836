"""Watching somebody else's training: the runner of scripts and notebooks, the observer that tells what they do, fast loading.

May import models, data, numerics, record and errors. What is seen is told as the events of record; nothing is shown from here.
"""
