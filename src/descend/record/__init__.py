"""What a run leaves behind: events, the SQLite record they are written to, snapshots of tensors, and the folders of runs.

May import ``descend.errors`` only. Nothing here imports torch until a snapshot is written or read, so that listing runs is quick.
"""
