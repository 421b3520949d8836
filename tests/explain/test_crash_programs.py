"""Programs that fail in PyTorch, each run to its end in another process: what is said of the error, and that the fix mends them."""

import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DRIVER = """
import json, linecache, sys, warnings
from pathlib import Path
import torch
from descend.explain.crash.explaining import explain_error

warnings.simplefilter("ignore")
torch.set_num_threads(1)

def run(text, name, sources):
    torch.manual_seed(0)
    try:
        exec(compile(text, name, "exec"), {"__name__": "__main__"})
    except Exception as error:
        crash = explain_error(error, lambda file: file == name, sources)
        return {"error": type(error).__name__, "crash": crash}
    return None

def mended(text, crash):
    lines, at = text.splitlines(), crash["fix_at"]
    lines[at["first"] - 1 : at["last"]] = crash["fix"]
    return "\\n".join(lines) + "\\n"

answers = {}
for path in sorted(Path(sys.argv[1]).glob("*.py")):
    text = path.read_text()
    asks = {"script": (str(path), {}), "cell": ("cell 3", {"cell 3": text})}
    answers[path.stem] = {}
    for kind, (name, sources) in asks.items():
        answer = run(text, name, sources)
        if answer is not None and answer["crash"] and answer["crash"]["fix"]:
            after = mended(text, answer["crash"])
            answer["mended"] = after
            linecache.clearcache()
            answer["afterwards"] = run(after, "mended", {"mended": after})
        answers[path.stem][kind] = answer
print(json.dumps(answers, allow_nan=False))
"""


@dataclass(frozen=True)
class Case:
    name: str
    program: str
    title: str
    variables: dict[str, tuple[int, ...] | str] = field(default_factory=dict)  # shape, or a part of the note
    because: str = ""
    fix: str | None = None  # a line of it; None where none can be known

    @property
    def text(self) -> str:
        return "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n" + textwrap.dedent(self.program)


CASES = [
    Case(
        "shapes_of_a_layer",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc1 = nn.Linear(784, 128)
                self.fc2 = nn.Linear(64, 10)

            def forward(self, x):
                x = self.fc1(x).relu()
                return self.fc2(x)

        model = Net()
        model(torch.randn(5, 784))
        """,
        "self.fc2 takes rows of 64 numbers and was given rows of 128",
        {"self.fc2": "Linear, in_features 64, out_features 10", "x": (5, 128)},
        "x has 128 in its last axis, self.fc2 was made for 64",
        "        self.fc2 = nn.Linear(128, 10)",
    ),
    Case(
        "shapes_in_a_sequence",
        """
        model = nn.Sequential(
            nn.Linear(3, 4),
            nn.ReLU(),
            nn.Linear(5, 1),
        )
        x = torch.randn(2, 3)
        out = model(x)
        """,
        "model[2] takes rows of 5 numbers and was given rows of 4",
        {"x": (2, 3), "model[2]": "Linear, in_features 5, out_features 1", "what reached model[2]": (2, 4)},
        "",
        "    nn.Linear(4, 1),",
    ),
    Case(
        "images_not_flat",
        """
        model = nn.Linear(784, 10)
        images = torch.randn(8, 1, 28, 28)
        scores = model(images)
        """,
        "model takes rows of 784 numbers and was given rows of 28",
        {"images": (8, 1, 28, 28)},
        "1 × 28 × 28 = 784",
        "scores = model(images.flatten(1))",
    ),
    Case(
        "layer_that_has_learned",
        """
        model = nn.Linear(3, 1)
        model(torch.randn(4, 3)).sum().backward()
        x = torch.randn(2, 5)
        model(x)
        """,
        "model takes rows of 3 numbers and was given rows of 5",
        {"x": (2, 5)},
        "the layer has worked before, so what is given to it is the odd one",
    ),
    Case(
        "product_of_tensors",
        """
        def predict(X, W):
            return X @ W

        X, W = torch.randn(6, 4), torch.randn(3, 4)
        predict(X, W)
        """,
        "X (6, 4) and W (3, 4) cannot be multiplied: 4 is not 3",
        {"X": (6, 4), "W": (3, 4)},
        "each row of X holds 4 numbers, each column of W 3",
        "    return X @ W.T",
    ),
    Case(
        "matrix_and_vector",
        "A, v = torch.randn(2, 5), torch.randn(2)\nu = torch.mv(A, v)\n",
        "A (2, 5) and v (2,) cannot be multiplied: 5 is not 2",
        {"A": (2, 5), "v": (2,)},
        "",
        "u = torch.mv(A.T, v)",
    ),
    Case(
        "broadcast_rows",
        """
        scores, offsets = torch.randn(6, 4), torch.randn(6)
        shifted = scores - offsets
        """,
        "scores (6, 4) and offsets (6,) do not fit",
        {"scores": (6, 4), "offsets": (6,)},
        "axis 1 has 4 in scores and 6 in offsets",
        "shifted = scores - offsets.unsqueeze(1)",
    ),
    Case(
        "broadcast_transposed",
        "a, b = torch.randn(5, 2), torch.randn(2, 5)\nc = a + b\n",
        "a (5, 2) and b (2, 5) do not fit",
        {"a": (5, 2), "b": (2, 5)},
        "",
        "c = a + b.T",
    ),
    Case(
        "broadcast_in_a_loss",
        """
        x, y = torch.randn(6, 4), torch.randn(6)
        loss = F.mse_loss(x, y)
        """,
        "x (6, 4) and y (6,) do not fit",
        {"x": (6, 4), "y": (6,)},
        "",
        "loss = F.mse_loss(x, y.unsqueeze(1))",
    ),
    Case(
        "double_into_a_layer",
        """
        import numpy
        data = torch.from_numpy(numpy.ones((4, 3)))
        model = nn.Linear(3, 1)
        model(data)
        """,
        "model computes in float32 and was given float64",
        {"data": (4, 3), "model.weight": ()},
        "float64, the dtype of NumPy's and Python's floats",
        "model(data.float())",
    ),
    Case(
        "double_times_float",
        "x, w = torch.ones(2, 3, dtype=torch.float64), torch.randn(3, 1)\ny = x @ w\n",
        "x is float64, what it meets is float32",
        {"x": (2, 3), "w": (3, 1)},
        "",
        "y = x.float() @ w",
    ),
    Case(
        "long_into_a_convolution",
        "conv = nn.Conv2d(1, 2, 3)\nimage = torch.ones(1, 1, 5, 5, dtype=torch.long)\nconv(image)\n",
        "conv computes in float32 and was given int64",
        {"image": (1, 1, 5, 5), "conv": "Conv2d, in_channels 1"},
        "it was made from whole numbers",
        "conv(image.float())",
    ),
    Case(
        "labels_as_floats",
        """
        criterion = nn.CrossEntropyLoss()
        scores, labels = torch.randn(4, 3), torch.tensor([0.0, 1.0, 2.0, 0.0])
        loss = criterion(scores, labels)
        """,
        "labels holds class numbers as float32; cross-entropy takes them as int64",
        {"scores": (4, 3), "labels": (4,)},
        "",
        "loss = criterion(scores, labels.long())",
    ),
    Case(
        "labels_one_hot_in_integers",
        "scores, labels = torch.randn(4, 3), F.one_hot(torch.tensor([0, 1, 2, 2]))\nloss = F.cross_entropy(scores, labels)\n",
        "labels has the shape of the scores, so it is read as probabilities, and these are floats",
        {"labels": (4, 3)},
        "a one-hot table",
        "loss = F.cross_entropy(scores, labels.float())",
    ),
    Case(
        "labels_in_a_column",
        "scores, labels = torch.randn(4, 3), torch.tensor([[0], [1], [2], [2]])\nloss = F.cross_entropy(scores, labels)\n",
        "labels (4, 1) does not fit scores of shape (4, 3)",
        {"scores": (4, 3), "labels": (4, 1)},
        "an axis of size 1 too many",
        "loss = F.cross_entropy(scores, labels.squeeze(1))",
    ),
    Case(
        "labels_of_another_batch",
        "scores, labels = torch.randn(4, 3), torch.tensor([0, 1, 2])\nloss = F.cross_entropy(scores, labels)\n",
        "labels (3,) does not fit scores of shape (4, 3)",
        {},
        "4 rows of scores and 3 class numbers",
    ),
    Case(
        "labels_one_hot_into_nll",
        """
        logs, labels = torch.randn(4, 3).log_softmax(1), F.one_hot(torch.tensor([0, 1, 2, 2]))
        loss = F.nll_loss(logs, labels)
        """,
        "labels (4, 3) does not fit scores of shape (4, 3)",
        {"labels": (4, 3)},
        "a one-hot table",
        "loss = F.nll_loss(logs, labels.argmax(1))",
    ),
    Case(
        "binary_labels_flat",
        """
        out, y = torch.randn(4, 1), torch.zeros(4)
        loss = F.binary_cross_entropy_with_logits(out, y)
        """,
        "predictions (4, 1) and y (4,) differ in shape",
        {"out": (4, 1), "y": (4,)},
        "",
        "loss = F.binary_cross_entropy_with_logits(out, y.unsqueeze(-1))",
    ),
    Case(
        "binary_labels_whole",
        "out, y = torch.randn(4), torch.tensor([0, 1, 1, 0])\nloss = nn.BCEWithLogitsLoss()(out, y)\n",
        "y is int64; this loss compares floats",
        {"y": (4,)},
        "",
        "loss = nn.BCEWithLogitsLoss()(out, y.float())",
    ),
    Case(
        "binary_scores_raw",
        "out, y = 9 * torch.randn(4), torch.tensor([0.0, 1.0, 1.0, 0.0])\nloss = F.binary_cross_entropy(out, y)\n",
        "out is no probability",
        {"out": (4,)},
        "raw scores",
        "loss = F.binary_cross_entropy(out.sigmoid(), y)",
    ),
    Case(
        "binary_whole_labels_found_dtype",
        "out, y = torch.rand(4), torch.tensor([0, 1, 1, 0])\nloss = F.binary_cross_entropy(out, y)\n",
        "y is int64, the rest of the loss float32",
        {"y": (4,)},
        "",
        "loss = F.binary_cross_entropy(out, y.float())",
    ),
    Case(
        "no_graph_parameters_never_asked",
        """
        x, y = torch.randn(10, 1), torch.randn(10, 1)
        w = torch.randn(1, 1)
        b = torch.zeros(1)
        for _ in range(2):
            loss = ((x @ w + b - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
                b -= 0.1 * b.grad
                w.grad = b.grad = None
        """,
        "loss hangs on nothing that has requires_grad=True",
        {"loss": ()},
        "w and b were made without requires_grad=True",
        "w = torch.randn(1, 1, requires_grad=True)",
    ),
    Case(
        "no_graph_detached",
        """
        model = nn.Linear(3, 1)
        out = model(torch.randn(4, 3)).detach()
        loss = out.square().mean()
        loss.backward()
        """,
        "loss hangs on nothing",
        {"loss": ()},
        "line 6: .detach() leaves the graph behind",
        "out = model(torch.randn(4, 3))",
    ),
    Case(
        "no_graph_copied",
        """
        model = nn.Linear(3, 1)
        loss = torch.tensor(model(torch.randn(4, 3)).mean())
        loss.backward()
        """,
        "loss hangs on nothing",
        {"loss": ()},
        "torch.tensor copies the number",
        "loss = model(torch.randn(4, 3)).mean()",
    ),
    Case(
        "no_graph_without_gradients",
        """
        model = nn.Linear(3, 1)
        with torch.no_grad():
            out = model(torch.randn(4, 3))
            loss = out.mean()
        loss.backward()
        """,
        "loss hangs on nothing",
        {"loss": ()},
        "runs inside the no_grad block of line 6",
        "loss = out.mean()",
    ),
    Case(
        "no_graph_parameter_replaced",
        """
        x = torch.randn(10, 1)
        w = torch.randn(1, 1, requires_grad=True)
        for _ in range(3):
            loss = (x @ w).square().mean()
            loss.backward()
            with torch.no_grad():
                w = w - 0.1 * w.grad
        """,
        "loss hangs on nothing",
        {"loss": ()},
        "line 11 makes a new tensor without requires_grad and calls it w",
        "        w -= 0.1 * w.grad",
    ),
    Case(
        "number_has_no_backward",
        """
        model = nn.Linear(3, 1)
        loss = model(torch.randn(4, 3)).mean().item()
        loss.backward()
        """,
        "loss is a plain number",
        {"loss": ""},
        ".item() leaves the graph behind",
        "loss = model(torch.randn(4, 3)).mean()",
    ),
    Case(
        "backward_twice",
        """
        w = torch.randn(3, requires_grad=True)
        loss = (w ** 2).sum()
        loss.backward()
        loss.backward()
        """,
        "the graph behind loss was freed by an earlier backward",
        {"loss": ()},
        "line 7 has called backward on the same loss already",
        "loss.backward(retain_graph=True)",
    ),
    Case(
        "backward_through_what_stands_before_the_loop",
        """
        w = torch.randn(3, requires_grad=True)
        features = w.exp()
        for _ in range(2):
            loss = features.sum()
            loss.backward()
        """,
        "the graph behind loss was freed",
        {},
        "features was computed once, in line 6, before the loop",
        "    features = w.exp()",
    ),
    Case(
        "backward_through_a_carried_state",
        """
        cell = nn.RNNCell(2, 3)
        h = torch.zeros(1, 3)
        for _ in range(3):
            h = cell(torch.randn(1, 2), h)
            loss = h.square().mean()
            loss.backward()
        """,
        "the graph behind loss was freed",
        {},
        "h is carried over from the step before, with its graph",
        "    h = h.detach()",
    ),
    Case(
        "leaf_in_place",
        """
        w = torch.randn(3, requires_grad=True)
        w.sum().backward()
        w -= 0.1 * w.grad
        """,
        "w is a parameter, and a change in place would be recorded",
        {"w": (3,), "w.grad": (3,)},
        "gradients are on in this line",
        "with torch.no_grad():",
    ),
    Case(
        "view_of_a_leaf_in_place",
        "w = torch.randn(3, requires_grad=True)\nw[0] = 1\n",
        "w is a parameter",
        {"w": (3,)},
        "",
        "    w[0] = 1",
    ),
    Case(
        "changed_by_an_assignment",
        """
        def forward(x, w):
            h = (x @ w).exp()
            h += 1
            return h.sum()

        w = torch.randn(3, 1, requires_grad=True)
        loss = forward(torch.randn(2, 3), w)
        loss.backward()
        """,
        "a value that backward needs was overwritten after forward",
        {"loss": ()},
        "line 7 changes h in place",
        "    h = h + 1",
    ),
    Case(
        "changed_by_an_entry",
        """
        w = torch.randn(3, requires_grad=True)
        h = w.exp()
        h[0] = 1
        h.sum().backward()
        """,
        "a value that backward needs was overwritten",
        {"h": (3,)},
        "the (3,) result of Exp as it was; it has been changed once since: line 7 changes h in place",
        "h = h.clone()",
    ),
    Case(
        "gradient_of_a_new_tensor",
        """
        x, lr = torch.randn(10, 1), 0.1
        w = torch.randn(1, 1, requires_grad=True)
        for _ in range(3):
            loss = (x @ w).square().mean()
            loss.backward()
            w = w - lr * w.grad
            w.grad.zero_()
        """,
        "w.grad is None: w has no gradient here",
        {"w.grad": "None"},
        "line 10 makes a new tensor and calls it w",
        "        w -= lr * w.grad",
    ),
    Case(
        "gradients_of_two_new_tensors",
        """
        x, lr = torch.randn(10, 1), 0.1
        w, b = torch.randn(1, 1, requires_grad=True), torch.zeros(1, requires_grad=True)

        def train():
            global w, b
            for _ in range(3):
                loss = (x @ w + b).square().mean()
                loss.backward()
                w = w - lr * w.grad
                b = b - lr * b.grad
                w.grad.zero_()
                b.grad.zero_()

        train()
        """,
        "w.grad is None: w has no gradient here",
        {"w": (1, 1), "w.grad": "None"},
        "line 13 makes a new tensor and calls it w",
        "            b -= lr * b.grad",
    ),
    Case(
        "gradient_before_backward",
        """
        w = torch.randn(3, requires_grad=True)
        for _ in range(2):
            w.grad.zero_()
            loss = w.square().sum()
            loss.backward()
        """,
        "w.grad is None",
        {"w.grad": "None"},
        "in the first step no backward has run yet",
        "    if w.grad is not None:",
    ),
    Case(
        "gradient_without_backward",
        """
        w = torch.randn(3, requires_grad=True)
        loss = w.square().sum()
        with torch.no_grad():
            w -= 0.1 * w.grad
        """,
        "w.grad is None",
        {"w": (3,), "w.grad": "None"},
        "no backward has run before this line",
        "    loss.backward()",
    ),
    Case(
        "gradient_cleared",
        """
        w = torch.randn(3, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        loss = w.square().sum()
        loss.backward()
        optimizer.zero_grad()
        print(w.grad.norm())
        """,
        "w.grad is None",
        {"w.grad": "None"},
        "line 9 has cleared the gradients since backward",
    ),
    Case(
        "several_losses",
        """
        model = nn.Linear(3, 1)
        loss = (model(torch.randn(4, 3)) - 1) ** 2
        loss.backward()
        """,
        "loss is (4, 1): backward starts from one number",
        {"loss": (4, 1)},
        "",
        "loss.mean().backward()",
    ),
    Case(
        "two_devices",
        """
        x, w = torch.randn(3), torch.randn(3, device="meta")
        y = x + w
        """,
        "x is on cpu, what it meets is on meta",
        {"x": (3,), "w": (3,)},
        "x was made on cpu and never moved",
        "y = x.to(w.device) + w",
    ),
    Case(
        "a_layer_on_another_device",
        """
        device = torch.device("meta")
        model = nn.Linear(3, 1).to(device)
        x = torch.randn(2, 3)
        model(x)
        """,
        "x is on cpu, what it meets is on meta",
        {"x": (2, 3), "model": "Linear"},
        "",
        "model(x.to(device))",
    ),
    Case(
        "no_such_word",
        """
        embedding = nn.Embedding(10, 4)
        words = torch.tensor([3, 12])
        embedding(words)
        """,
        "embedding has 10 rows, 0 to 9, and was asked for another",
        {"words": (2,), "embedding": "num_embeddings 10"},
        "words holds 3 to 12",
        "embedding = nn.Embedding(13, 4)",
    ),
    Case(
        "class_without_column",
        """
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        x, y = torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 3])
        loss = F.cross_entropy(model(x), y)
        """,
        "class 3 has no column: the scores have 3, for classes 0 to 2",
        {"y": (5,)},
        "y holds 0 to 3",
        "model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))",
    ),
    Case(
        "classes_from_one",
        "scores, y = torch.randn(3, 3), torch.tensor([1, 2, 3])\nloss = nn.CrossEntropyLoss()(scores, y)\n",
        "class 3 has no column",
        {"scores": (3, 3), "y": (3,)},
        "counted from 1, while classes are counted from 0",
        "loss = nn.CrossEntropyLoss()(scores, y - 1)",
    ),
    Case(
        "memory_of_the_gpu",
        """
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(torch.randn(64, 1000)), batch_size=64)
        weights = torch.randn(1000, 500)

        def step(x):
            if len(x) > 32:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 8 GiB")
            return x @ weights

        for (x,) in loader:
            step(x)
        """,
        "no room for another 20 GiB",
        {"weights": (1000, 500), "x": (64, 1000)},
        "weights 1.91 MiB, x 250 KiB",
        "loader = DataLoader(TensorDataset(torch.randn(64, 1000)), batch_size=32)",
    ),
    Case(
        "memory_of_the_processor",
        "x = torch.randn(100)\ny = torch.empty(10**15)\n",
        "no room for another 3,638 TiB",
        {"x": (100,)},
        "x 400 bytes",
    ),
    Case(
        "channels",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(3, 8, 3)

            def forward(self, x):
                return self.conv(x)

        model = Net()
        model(torch.randn(2, 1, 8, 8))
        """,
        "self.conv takes 3 channels and was given 1",
        {"self.conv": "Conv2d, in_channels 3, out_channels 8", "x": (2, 1, 8, 8)},
        "the input (2, 1, 8, 8) has 1 in its channel axis",
        "        self.conv = nn.Conv2d(1, 8, 3)",
    ),
    Case(
        "channels_last",
        "conv = nn.Conv2d(3, 8, 3)\nimages = torch.randn(2, 8, 8, 3)\nconv(images)\n",
        "conv takes 3 channels and was given 8",
        {"images": (2, 8, 8, 3)},
        "stand in the last axis",
        "conv(images.permute(0, 3, 1, 2))",
    ),
    Case(
        "channel_missing",
        "conv = nn.Conv2d(1, 8, 3)\nimages = torch.randn(64, 28, 28)\nconv(images)\n",
        "conv takes 1 channel and was given none",
        {"images": (64, 28, 28)},
        "no axis for the channel",
        "conv(images.unsqueeze(1))",
    ),
    Case(
        "images_flat",
        "conv = nn.Conv2d(1, 8, 3)\nimages = torch.randn(64, 784)\nconv(images)\n",
        "conv takes 1 channel and was given flat rows",
        {"images": (64, 784)},
        "784 numbers a row are 1 × 28 × 28",
        "conv(images.unflatten(1, (1, 28, 28)))",
    ),
    Case(
        "features_of_batch_norm",
        "norm = nn.BatchNorm1d(4)\nx = torch.randn(6, 3)\nnorm(x)\n",
        "norm was made for 4 features and was given 3",
        {"x": (6, 3)},
        "",
        "norm = nn.BatchNorm1d(3)",
    ),
    Case(
        "image_too_small",
        "conv = nn.Conv2d(1, 1, 3)\nx = torch.randn(1, 1, 2, 2)\nconv(x)\n",
        "the image that reaches conv is smaller than its window",
        {"x": (1, 1, 2, 2)},
        "the shape (1, 1, 2, 2)",
    ),
    Case(
        "view_of_the_last_batch",
        "x = torch.randn(32, 1, 28, 28)\nflat = x.view(64, 784)\n",
        "x has 25,088 numbers, (64, 784) holds 50,176",
        {"x": (32, 1, 28, 28)},
        "x of shape (32, 1, 28, 28): 25,088 numbers; 64 × 784 = 50,176",
        "flat = x.view(-1, 784)",
    ),
    Case(
        "view_with_a_hole",
        "x = torch.randn(4, 16, 5, 5)\nflat = x.reshape(-1, 250)\n",
        "x has 1,600 numbers, (-1, 250) needs a multiple of 250",
        {"x": (4, 16, 5, 5)},
        "",
        "flat = x.reshape(4, -1)",
    ),
    Case(
        "view_of_a_transpose",
        "x = torch.randn(4, 6)\nflat = x.t().view(24)\n",
        "view cannot lay x.t() out anew",
        {"x": (4, 6)},
        "",
        "flat = x.t().reshape(24)",
    ),
    Case(
        "state_of_a_parallel_model",
        """
        model = nn.Linear(3, 2)
        state = {"module.weight": torch.zeros(2, 3), "module.bias": torch.zeros(2)}
        model.load_state_dict(state)
        """,
        "the saved state does not fit the model: 2 missing, 2 unexpected, 0 of another size",
        {"model": "Linear"},
        "it was saved from inside DataParallel or DDP",
        'model.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})',
    ),
    Case(
        "state_of_a_checkpoint",
        """
        model = nn.Linear(3, 2)
        saved = {"epoch": 3, "model": model.state_dict()}
        model.load_state_dict(saved)
        """,
        "the saved state does not fit the model",
        {},
        "the model's own state stands in it as 'model'",
        'model.load_state_dict(saved["model"])',
    ),
    Case(
        "state_of_another_width",
        """
        state = nn.Linear(4, 2).state_dict()
        model = nn.Linear(3, 2)
        model.load_state_dict(state)
        """,
        "0 missing, 0 unexpected, 1 of another size",
        {},
        "weight was saved as (2, 4), the model has (2, 3)",
        "model = nn.Linear(4, 2)",
    ),
    Case(
        "axis_that_is_not_there",
        "scores = torch.randn(3)\np = scores.softmax(1)\n",
        "there is no axis 1: the tensor has 1",
        {"scores": (3,)},
        "",
        "p = scores.softmax(0)",
    ),
    Case(
        "entry_that_is_not_there",
        "x, i = torch.randn(3), 5\nprint(x[i])\n",
        "there is no entry 5: axis 0 has 3",
        {"x": (3,), "i": "5"},
        "entries are counted from 0",
    ),
    Case(
        "stack_of_several_sizes",
        "rows = [torch.randn(3), torch.randn(4)]\ntable = torch.stack(rows)\n",
        "tensors of different shapes cannot be stacked",
        {"rows": "list of 2 tensors: (3,), (4,)"},
    ),
    Case(
        "mean_of_whole_numbers",
        "x = torch.tensor([1, 2, 3])\nm = x.mean()\n",
        "x is int64, and this is computed with floats only",
        {"x": (3,)},
        "",
        "m = x.float().mean()",
    ),
    Case(
        "gradient_of_whole_numbers",
        "x = torch.tensor([1, 2], requires_grad=True)\n",
        "whole numbers have no gradient",
        {},
        "",
        "x = torch.tensor([1, 2], dtype=torch.float32, requires_grad=True)",
    ),
    Case(
        "floats_as_words",
        "words = torch.tensor([1.0, 2.0])\nembedding = nn.Embedding(4, 2)\nembedding(words)\n",
        "words holds floats where positions are due",
        {"words": (2,)},
        "",
        "embedding(words.long())",
    ),
    Case(
        "floats_as_indices",
        "x, order = torch.randn(4), torch.tensor([1.0, 2.0])\ny = x[order]\n",
        "order holds floats where positions are due",
        {"x": (4,), "order": (2,)},
        "",
        "y = x[order.long()]",
    ),
    Case(
        "whole_numbers_in_place",
        "total = torch.tensor(0)\ntotal += torch.tensor(0.5)\n",
        "total is int64 and cannot take fractions in place",
        {"total": ()},
        "",
        "total = total + (torch.tensor(0.5))",
    ),
    Case(
        "numpy_of_a_parameter",
        "w = torch.randn(3, requires_grad=True)\na = w.numpy()\n",
        "w is part of a graph, and NumPy knows no gradients",
        {"w": (3,)},
        "",
        "a = w.detach().numpy()",
    ),
    Case(
        "truth_of_several",
        "x = torch.randn(3)\nif x > 0:\n    print('positive')\n",
        "x (3,) holds several numbers, so it is neither true nor false",
        {"x": (3,)},
    ),
    Case(
        "forward_without_return",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(3, 1)

            def forward(self, x):
                out = self.fc(x)

        model, head = Net(), nn.Linear(1, 1)
        out = model(torch.randn(4, 3))
        head(out)
        """,
        "out is no tensor",
        {"out": "None", "head": "Linear"},
        "forward of Net ends without return, in line 11, so it gives None",
        "        return self.fc(x)",
    ),
    Case(
        "list_into_a_layer",
        "model = nn.Linear(3, 1)\nmodel([1.0, 2.0, 3.0])\n",
        "[1.0, 2.0, 3.0] is no tensor",
        {"model": "Linear"},
        "",
        "model(torch.tensor([1.0, 2.0, 3.0]))",
    ),
    Case(
        "module_before_init",
        """
        class Net(nn.Module):
            def __init__(self):
                self.fc = nn.Linear(3, 1)

        Net()
        """,
        "a layer is given to the module before the module is set up",
        {},
        "",
        "        super().__init__()",
    ),
    Case(
        "layer_misspelled",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden = nn.Linear(3, 1)

            def forward(self, x):
                return self.hiden(x)

        Net()(torch.randn(2, 3))
        """,
        "Net has no hiden (did you mean 'hidden'?)",
        {"x": (2, 3)},
        "its layers: hidden",
        "        return self.hidden(x)",
    ),
    Case(
        "optimizer_of_nothing",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = [nn.Linear(3, 1)]

        model = Net()
        torch.optim.SGD(model.parameters(), lr=0.1)
        """,
        "the optimizer was given no parameters",
        {"model": "Net"},
        "layers in a plain list or dict are not seen",
    ),
    Case(
        "batch_of_one",
        """
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(torch.randn(5, 3)), batch_size=2)
        norm = nn.BatchNorm1d(3)
        for (x,) in loader:
            norm(x)
        """,
        "norm has one value for each channel",
        {"x": (1, 3)},
        "a batch of one row",
        "loader = DataLoader(TensorDataset(torch.randn(5, 3)), batch_size=2, drop_last=True)",
    ),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was said of each program, as a script and as a cell: all of them run in one other process."""
    folder = tmp_path_factory.mktemp("programs")
    for case in CASES:
        (folder / f"{case.name}.py").write_text(case.text)
    done = subprocess.run([sys.executable, "-c", DRIVER, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("kind", ["script", "cell"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_error_is_explained(case: Case, kind: str, answers: dict[str, Any]) -> None:
    answer = answers[case.name][kind]
    assert answer is not None, "the program did not fail"
    crash = answer["crash"]
    assert crash["kind"] != "unknown", crash
    assert case.title in crash["title"]
    assert case.because in crash["because"]
    assert crash["expected"]
    assert crash["source"] == case.text.splitlines()[crash["line"] - 1].strip()
    assert Path(crash["file"]).name == ("cell 3" if kind == "cell" else f"{case.name}.py")
    rows = {each["name"]: each for each in crash["variables"]}
    for name, wanted in case.variables.items():
        if wanted == () and name not in rows:
            continue
        assert name in rows, list(rows)
        if isinstance(wanted, str):
            assert wanted in rows[name]["note"]
        elif wanted != ():
            assert rows[name]["shape"] == list(wanted)
            assert rows[name]["device"] in ("cpu", "meta")


@pytest.mark.parametrize("kind", ["script", "cell"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_fix_makes_the_program_run(case: Case, kind: str, answers: dict[str, Any]) -> None:
    answer = answers[case.name][kind]
    if case.fix is None:
        assert answer["crash"]["fix"] == []
        assert answer["crash"]["fix_at"] is None
        return
    assert case.fix in answer["crash"]["fix"]
    assert answer["afterwards"] is None, answer["mended"]
