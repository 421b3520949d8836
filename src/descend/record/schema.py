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

-- The tables below are filled when a script is watched.

-- Parameters, in the order they were first seen. A name stands here again when the script makes a new model.
CREATE TABLE parameters (
    id    INTEGER PRIMARY KEY,
    step  INTEGER NOT NULL,            -- in which they were first seen
    name  TEXT NOT NULL,
    shape TEXT NOT NULL,               -- JSON list of sizes
    how   TEXT NOT NULL                -- found through: module, variable, loop
);

-- Tensors that sampled steps and evaluations began with.
CREATE TABLE batches (
    id           INTEGER PRIMARY KEY,  -- in the order they came
    step         INTEGER NOT NULL,
    evaluation   INTEGER NOT NULL,     -- number of the evaluation, or 0 for a training step
    name         TEXT NOT NULL,        -- of the variable that holds it, or ''
    shape        TEXT NOT NULL,        -- JSON list of sizes
    dtype        TEXT NOT NULL,
    device       TEXT NOT NULL,
    fingerprints BLOB NOT NULL         -- a hash of each of the first rows: 8 bytes each, the lowest byte first
);

-- Modules that were called in sampled steps.
CREATE TABLE calls (
    id         INTEGER PRIMARY KEY,    -- in the order they came
    step       INTEGER NOT NULL,
    module     TEXT NOT NULL,          -- its name in the model, or ''
    class_name TEXT NOT NULL,
    training   INTEGER NOT NULL,       -- 1 in training mode, 0 in evaluation mode
    times      INTEGER NOT NULL        -- how often it was called
);

-- Forward passes that no backward followed.
CREATE TABLE evaluations (
    number        INTEGER PRIMARY KEY, -- counted from 1
    step          INTEGER NOT NULL,    -- the last training step before it
    passes        INTEGER NOT NULL,
    seconds       REAL,
    gradients     INTEGER NOT NULL,    -- 1 when a graph was built
    training_mode TEXT NOT NULL,       -- JSON list of the modules that stood in training mode
    file          TEXT,                -- of the first pass
    line          INTEGER
);

-- Lines that the script printed: the first and the last of them, when there are many.
CREATE TABLE printed (
    number     INTEGER PRIMARY KEY,    -- counted from 1, over all lines
    step       INTEGER NOT NULL,       -- after which it was printed
    text       TEXT NOT NULL,          -- its beginning, when it is long
    characters INTEGER NOT NULL,       -- of the whole line
    file       TEXT,
    line       INTEGER
);

-- Numbers that the script took out of tensors: the first and the last of them, when there are many.
CREATE TABLE reads (
    number INTEGER PRIMARY KEY,        -- counted from 1, over all reads
    step   INTEGER NOT NULL,
    how    TEXT NOT NULL,              -- item, float, int, tolist
    value  REAL,                       -- NULL is NaN
    tensor TEXT NOT NULL,              -- loss, the name of a parameter, or ''
    file   TEXT,
    line   INTEGER
);

-- Every operation of some steps.
CREATE TABLE operations (
    step      INTEGER NOT NULL,
    number    INTEGER NOT NULL,        -- place in the step, counted from 0
    operation TEXT NOT NULL,           -- JSON object
    PRIMARY KEY (step, number)
);

-- What was measured for the checks: the kinds and their values are listed in docs/record.md.
CREATE TABLE facts (
    id     INTEGER PRIMARY KEY,        -- in the order they came
    step   INTEGER NOT NULL,           -- that it belongs to; 0 before the first
    kind   TEXT NOT NULL,
    detail TEXT NOT NULL,              -- JSON object
    file   TEXT,                       -- NULL where it has no place
    line   INTEGER
);

-- What could not be watched, and why.
CREATE TABLE unseen (
    id   INTEGER PRIMARY KEY,          -- in the order it was noticed
    what TEXT NOT NULL,
    why  TEXT NOT NULL,
    file TEXT,                         -- NULL where it has no place
    line INTEGER
);
"""

# What every record has.
FIRST_TABLES = ("meta", "run", "steps", "phases", "norms", "epochs", "snapshots", "messages", "sources")

# Added without a new version: a record made before them has none of these, and is read as if they were empty.
LATER_TABLES = ("parameters", "batches", "calls", "evaluations", "printed", "reads", "operations", "facts", "unseen")

TABLES = FIRST_TABLES + LATER_TABLES


def snapshot_file(step: int) -> str:
    """Where the tensors of ``step`` lie in the run folder."""
    return f"{TENSORS_FOLDER}/step-{step}.safetensors"
