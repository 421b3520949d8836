"""The tables of ``record.sqlite``. ``docs/record.md`` is the page for people; a test keeps the two in step.

A later descend may add tables and columns without a new version, and readers pass over what they do not know. Only a change
that would mislead an older reader (a meaning, a unit, something removed) raises ``SCHEMA_VERSION``.
"""

SCHEMA_VERSION = 1

FORMAT = "descend record"

# "dscd": lets `file` and this package tell a record from any other SQLite database.
APPLICATION_ID = 0x64736364

RECORD_NAME = "record.sqlite"

TENSORS_FOLDER = "tensors"

SCHEMA = """
-- What this file is. Keys: format, schema_version, created (UTC), and, while a process writes here, process.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- What was trained, with what, and how it ended. One row.
CREATE TABLE run (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    name            TEXT NOT NULL,     -- as it was called when it started
    kind            TEXT NOT NULL,     -- train, or run for a watched script
    title           TEXT NOT NULL,
    recipe          TEXT NOT NULL,     -- JSON object
    choices         TEXT NOT NULL,     -- JSON list of {key, value, reason, by}
    environment     TEXT NOT NULL,     -- JSON object: versions, device, threads, command
    seed            TEXT,              -- decimal digits, as PyTorch's seeds may need more than 63 bits
    parameters      TEXT NOT NULL,     -- JSON list of [name, [sizes]], in order
    epochs          INTEGER,           -- planned, where known
    steps_per_epoch INTEGER,           -- planned, where known
    started         TEXT NOT NULL,     -- UTC, ISO 8601
    ended           TEXT,              -- NULL while it runs, and for ever when it was killed
    status          TEXT,              -- finished, stopped early, interrupted, diverged, failed
    report          TEXT               -- JSON object
);

-- Every step.
CREATE TABLE steps (
    step    INTEGER PRIMARY KEY,       -- counted from 1
    epoch   INTEGER NOT NULL,
    loss    REAL,                      -- NULL is NaN
    rate    REAL,                      -- learning rate
    seconds REAL,                      -- wall time
    rows    INTEGER                    -- examples
);

-- Where the time of sampled steps went.
CREATE TABLE phases (
    step    INTEGER NOT NULL,
    phase   TEXT NOT NULL,             -- data, forward, loss, backward, update, zero
    seconds REAL,
    file    TEXT,                      -- the source line that did it; the text is in sources
    line    INTEGER,
    PRIMARY KEY (step, phase)
) WITHOUT ROWID;

-- Euclidean norms of every parameter at sampled steps.
CREATE TABLE norms (
    step      INTEGER NOT NULL,
    parameter TEXT NOT NULL,
    value     REAL,                    -- of the parameter before the step
    gradient  REAL,                    -- of its gradient
    change    REAL,                    -- of what the update added to it
    PRIMARY KEY (step, parameter)
) WITHOUT ROWID;

-- Every pass over the training rows. Epoch 0 is the untrained model.
CREATE TABLE epochs (
    epoch   INTEGER PRIMARY KEY,
    step    INTEGER NOT NULL,          -- the last of this epoch
    seconds REAL,                      -- of training, evaluation apart
    metrics TEXT NOT NULL              -- JSON: {"train": {"loss": …}, "validation": {…}, "test": {…}}
);

-- Steps kept in full. The tensors are in the file named.
CREATE TABLE snapshots (
    step   INTEGER PRIMARY KEY,
    epoch  INTEGER NOT NULL,
    file   TEXT NOT NULL,              -- in the run folder: tensors/step-<n>.safetensors
    bytes  INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    note   TEXT NOT NULL               -- what was left out, or ''
);

-- Things worth a line: a pause, an interruption, a checkpoint.
CREATE TABLE messages (
    id   INTEGER PRIMARY KEY,          -- in the order they came
    step INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    time TEXT NOT NULL                 -- UTC, ISO 8601
);

-- The text of every file whose lines are referred to.
CREATE TABLE sources (
    file TEXT PRIMARY KEY,
    text TEXT NOT NULL
) WITHOUT ROWID;
"""

TABLES = ("meta", "run", "steps", "phases", "norms", "epochs", "snapshots", "messages", "sources")


def snapshot_file(step: int) -> str:
    """Where the tensors of ``step`` lie in the run folder."""
    return f"{TENSORS_FOLDER}/step-{step}.safetensors"
