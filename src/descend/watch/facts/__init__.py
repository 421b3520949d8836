"""What is measured for the checks while a script runs: one collector for each subject, all told of the same moments.

Belongs to the room that watches. A collector looks at the user's tensors, keeps none of them, and tells what it found as a Fact.
"""
