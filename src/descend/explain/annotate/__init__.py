"""A script laid beside its record: what each line did here, and what it is for.

Belongs to the room that explains; reads the record only, and runs nothing of the script. Needs no PyTorch.
"""
