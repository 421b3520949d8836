"""Which tensors of a step are kept, and that they come back bit for bit."""

import sys
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from descend.record.tensors import KEPT_FIRST, SNAPSHOT_LIMIT, pack, unpack

SAMPLES = [
    torch.tensor(2.5),
    torch.tensor([torch.nan, torch.inf, -0.0]),
    torch.arange(6).reshape(2, 3),
    torch.arange(6.0).reshape(2, 3).t(),
    torch.zeros(0, 4),
    torch.tensor([True, False]),
    torch.ones(3, dtype=torch.bfloat16),
    torch.ones(2, 1, dtype=torch.float64).expand(2, 5),
    torch.ones(2, requires_grad=True),
    torch.tensor(-1.5, dtype=torch.bfloat16),
    torch.arange(6).reshape(2, 3).t().to(torch.bfloat16),
    torch.ones(2, 3).to(torch.float8_e4m3fn),
    torch.complex(torch.ones(2), torch.ones(2)).conj().imag,
]
names = st.sampled_from(["loss", "batch.x", "before.w", "gradient.w", "output.0", "operation.3", "état.w"])


def bits(tensor: Tensor) -> tuple[torch.dtype, torch.Size, bytes]:
    plain = tensor.detach().contiguous()
    return tensor.dtype, tensor.shape, bytes(plain.reshape(-1).view(torch.uint8).tolist())


@given(st.dictionaries(names, st.sampled_from(SAMPLES)))
def test_tensors_come_back_bit_for_bit(tensors: dict[str, Tensor]) -> None:
    data, note = pack(tensors)
    assert note == ""
    assert {name: bits(tensor) for name, tensor in unpack(data).items()} == {
        name: bits(tensor) for name, tensor in tensors.items()
    }


def test_views_of_one_flat_parameter_are_kept_each() -> None:
    flat = torch.arange(10.0)
    tensors = {"before.w": flat[:6].view(2, 3), "before.b": flat[6:], "after.w": flat[:6].view(2, 3)}
    kept = unpack(pack(tensors)[0])
    assert all(torch.equal(kept[name], tensor) for name, tensor in tensors.items())
    assert len(kept) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="the system's own list of threads is Linux's")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_whoever_packs_starts_no_threads(dtype: torch.dtype) -> None:
    """Else OpenMP has more threads than cores, and lets those of the program that is watched sleep between its operations."""
    large = torch.zeros(1000, 1000, dtype=dtype)
    counts = []

    def count() -> None:
        counts.append(len(list(Path("/proc/self/task").iterdir())))

    def work() -> None:
        count()
        pack({"before.w": large})
        count()
        large.clone(memory_format=torch.contiguous_format)
        count()

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        torch.set_num_threads(before)
    assert counts[1] == counts[0]
    if torch.__config__.parallel_info().count("OpenMP"):
        assert counts[2] > counts[0], "this is how it would be seen"


def test_what_cannot_be_worked_out_again_is_kept_first() -> None:
    """Every part has one tensor of 40 bytes: with room for k of them, the first k of KEPT_FIRST stay."""
    tensors = {f"{part}.w": torch.zeros(10) for part in reversed([*KEPT_FIRST, "operation"])}
    for room in range(len(KEPT_FIRST) + 1):
        data, note = pack(tensors, limit=40 * room + 39)
        assert set(unpack(data)) == {f"{part}.w" for part in KEPT_FIRST[:room]}
        assert note != ""


def test_a_tensor_too_large_does_not_push_out_the_small_ones_after_it() -> None:
    tensors = {
        "batch.x": torch.zeros(1000, 28 * 28),
        "batch.y": torch.zeros(1000, dtype=torch.int64),
        "before.w": torch.zeros(784, 10),
        "gradient.w": torch.zeros(784, 10),
    }
    data, note = pack(tensors, limit=100_000)
    assert set(unpack(data)) == {"batch.y", "before.w", "gradient.w"}
    assert note == "left out to stay under 0.1 MB: batch.x (3.1 MB)"


def test_the_note_names_some_and_counts_the_rest() -> None:
    tensors = {f"output.{number}": torch.zeros(100) for number in range(9)}
    data, note = pack(tensors, limit=399)
    assert unpack(data) == {}
    assert note == (
        "left out to stay under 399 bytes: output.0, output.1, output.2, output.3, output.4, output.5 and 3 more"
        " (3,600 bytes)"
    )


def test_the_limit_is_sixteen_megabytes_of_tensors() -> None:
    fits = torch.zeros(SNAPSHOT_LIMIT, dtype=torch.uint8)
    data, note = pack({"batch.x": fits})
    assert (len(data) > SNAPSHOT_LIMIT, note) == (True, "")
    assert pack({"batch.x": fits, "loss": torch.tensor(1.0)})[1] == "left out to stay under 16 MB: batch.x (16 MB)"


def test_kinds_that_a_safetensors_file_cannot_hold_are_named() -> None:
    tensors = {"before.w": torch.ones(2), "before.s": torch.eye(2).to_sparse(), "before.c": torch.ones(2) * 1j}
    data, note = pack(tensors)
    assert set(unpack(data)) == {"before.w"}
    assert note == "left out because it is sparse, quantized or complex: before.s, before.c"


@given(st.binary(max_size=64))
def test_bytes_that_are_no_safetensors_are_refused(data: bytes) -> None:
    try:
        kept = unpack(data)
    except ValueError:
        return
    assert kept == {}  # the one other thing that random bytes may be: a file without tensors


def test_a_file_that_was_cut_is_refused() -> None:
    data, _ = pack({"loss": torch.ones(100)})
    with pytest.raises(ValueError, match="not fully covered"):
        unpack(data[:-1])
