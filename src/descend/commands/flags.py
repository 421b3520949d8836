"""Flags that several commands take."""

from typing import Annotated

from cyclopts import Parameter

JsonFlag = Annotated[
    bool, Parameter(name="--json", help="Print one JSON object on stdout; everything else goes to stderr.")
]
RunsFlag = Annotated[
    str | None, Parameter(name="--runs", help="Folder of the runs. Default: the variable DESCEND_RUNS, else ./runs.")
]
CodeFlag = Annotated[
    str | None, Parameter(name="--model", help="path/to/file.py:ClassName, for a model of your own class.")
]
