"""Sentences for what has no name of its own: parts of a step, arithmetic, settings. Each for a beginner, for daily use, in a few words."""

from typing import NamedTuple

from descend.explain.glossary.words import Level


class Phrase(NamedTuple):
    """One thing, said at the three levels."""

    plain: str
    usual: str
    terse: str

    def at(self, level: Level) -> str:
        """The wording of that level."""
        return {"plain": self.plain, "usual": self.usual, "terse": self.terse}[level]


# What a line does for the step that it is in.
PHASES = {
    "data": Phrase("takes the examples of this step", "the batch of this step", "batch"),
    "forward": Phrase("works out the prediction", "forward pass", "forward"),
    "loss": Phrase("measures how far off the prediction is", "the loss", "loss"),
    "backward": Phrase("works out by hand how the loss changes", "derivatives by hand", "derivatives"),
    "update": Phrase("does a part of the update", "part of the update", "update"),
    "zero": Phrase("wipes the old slopes", "gradients to zero", "zero"),
}
UPDATE = Phrase(
    "learns: takes a step against the slope, which is downhill",
    "a step of gradient descent by hand",
    "p -= lr·grad",
)

OPERATORS = {
    "MatMult": Phrase("multiplies rows by columns", "matrix product", "matrix product"),
    "Add": Phrase("adds", "sum", "sum"),
    "Sub": Phrase("subtracts", "difference", "difference"),
    "Mult": Phrase("multiplies", "product", "product"),
    "Div": Phrase("divides", "quotient", "quotient"),
    "FloorDiv": Phrase("divides and drops the rest", "floor division", "floor division"),
    "Mod": Phrase("takes the rest of a division", "remainder", "remainder"),
    "Pow": Phrase("raises to a power", "power", "power"),
    "Compare": Phrase("compares", "comparison", "comparison"),
    "Subscript": Phrase("picks a part", "indexing", "part"),
}

SETTINGS = {
    ("lr", "learning_rate", "step_size", "alpha", "eta"): Phrase(
        "sets how big a step each update takes", "the learning rate", "learning rate"
    ),
    ("epochs", "n_epochs", "num_epochs", "max_epochs"): Phrase(
        "sets how often the training goes through the data", "the number of epochs", "epochs"
    ),
    ("batch_size", "bs", "batch"): Phrase(
        "sets how many examples are looked at before each update", "rows in each batch", "batch size"
    ),
    ("momentum",): Phrase("sets how much of the last step is kept", "the momentum", "momentum"),
    ("weight_decay",): Phrase("sets how strongly weights are pulled towards zero", "the weight decay", "weight decay"),
}
NUMBER = Phrase("gives a number a name", "a constant", "constant")
TEXT = Phrase("gives a text a name", "a string", "text")
COLLECTION = Phrase("starts an empty collection, to be filled later", "an empty collection", "empty collection")
COMMAND_LINE = Phrase("reads a word that was typed after the program's name", "a command-line argument", "argument")

SHOWN = Phrase("at the end of a cell: shows it below", "the value that the cell shows", "cell output")
RANGE_LOOP = Phrase("repeats the lines below, counting 0, 1, 2 …", "loops over a range of integers", "loop")
COUNTED_LOOP = Phrase("repeats the lines below, counting upwards", "loops over a range of integers", "loop")
BATCH_LOOP = Phrase("repeats the lines below, once for each batch", "loops over the batches", "loop over batches")
NAMED_AGAIN = Phrase("gives {name} a second name", "another name of {name}", "another name")
OWN_FUNCTION = Phrase("calls {name}: see {place}", "calls {name}, {place}", "{name}, {place}")
OWN_CLASS = Phrase("makes a {name}, as {place} describes it", "an instance of {name}, {place}", "{name}, {place}")
OWN_MODEL = Phrase("puts {given} into {name}: the lines of its forward run", "calls {name}.forward", "{name}.forward")
USES = Phrase("puts {given} into {name}: it {does}", "applies {name}; {does}", "{name}: {does}")
FORWARD = Phrase("says what the model does with its inputs", "the forward pass of the model", "forward pass")
BEFORE = Phrase("before that: {steps}", "after {steps}", "after {steps}")
