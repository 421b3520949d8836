"""The loops that people write instead, in plain PyTorch: as tutorials have them, and vectorised.

Every loop keeps the loss of each step as a tensor, so that two loops can be compared; no loop asks for its value inside a step.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from rows import mnist, mnist_vectors, table
from timing import Measured
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class Pictures(Dataset[tuple[Tensor, int]]):
    """MNIST one picture at a time, the way torchvision gives it: bytes → PIL image → tensor in 0..1."""

    def __init__(self, images: NDArray[np.uint8], digits: NDArray[np.uint8]) -> None:
        self.images, self.digits = torch.from_numpy(images), torch.from_numpy(digits.astype(np.int64))

    def __len__(self) -> int:
        return len(self.digits)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index].numpy())
        return _to_tensor(picture), int(self.digits[index])


def _to_tensor(picture: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(picture, copy=True))
    pixels = pixels.view(picture.height, picture.width, len(picture.getbands()))
    return pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255)  # (1, 28, 28)


def digits_by_dataloader(epochs: int, rows: int | None) -> Measured:
    """Two layers on MNIST as tutorials write it: a map-style data set, a shuffling DataLoader, Adam, then the test digits."""
    train_loader = DataLoader(Pictures(*mnist("train", rows)), batch_size=64, shuffle=True)
    test_loader = DataLoader(Pictures(*mnist("t10k", rows)), batch_size=64)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    measured = Measured()
    losses: list[Tensor] = []
    for _ in range(epochs):
        with measured.epoch():
            for images, labels in train_loader:
                loss = criterion(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            losses[-1].item()
    right = 0
    with torch.no_grad():
        for images, labels in test_loader:
            right += int((model(images).argmax(1) == labels).sum())
    measured.losses = _first_epoch(losses, epochs)
    measured.score = right / len(test_loader.dataset)  # type: ignore[arg-type]  # typed without a length in general
    return measured


def digits_vectorised(epochs: int, rows: int | None) -> Measured:
    """Two layers on MNIST held as one tensor: one gather a batch, autograd, the fused optimizer."""
    features, digits = (torch.from_numpy(array) for array in mnist_vectors("train", rows))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, fused=True)
    measured = _vectorised(model, F.cross_entropy, optimizer, features, digits, batch=64, epochs=epochs)
    measured.score = _share_right(model, rows)
    return measured


def softmax_tutorial(epochs: int, rows: int | None) -> Measured:
    """Softmax regression with bare tensors as tutorials write it: log-softmax by hand, rows in order, lr 0.5."""
    features, digits = (torch.from_numpy(array) for array in mnist_vectors("train", rows))
    torch.manual_seed(0)
    weights = torch.randn(784, 10) / 784**0.5
    weights.requires_grad_()
    bias = torch.zeros(10, requires_grad=True)

    def log_softmax(x: Tensor) -> Tensor:
        return x - x.exp().sum(-1).log().unsqueeze(-1)

    def model(x: Tensor) -> Tensor:
        return log_softmax(x @ weights + bias)

    def nll(log_p: Tensor, target: Tensor) -> Tensor:
        return -log_p[range(target.shape[0]), target].mean()

    measured = Measured()
    losses: list[Tensor] = []
    for _ in range(epochs):
        with measured.epoch():
            for i in range((len(features) - 1) // 64 + 1):
                x, y = features[i * 64 : i * 64 + 64], digits[i * 64 : i * 64 + 64]  # (64, 784), (64,)
                loss = nll(model(x), y)
                loss.backward()
                with torch.no_grad():
                    weights -= weights.grad * 0.5
                    bias -= bias.grad * 0.5
                    weights.grad.zero_()
                    bias.grad.zero_()
                losses.append(loss.detach())
            losses[-1].item()
    measured.losses = _first_epoch(losses, epochs)
    measured.score = _share_right(model, rows)
    return measured


def table_by_dataloader(kind: str, epochs: int, rows: int | None) -> Measured:
    """The table through a shuffling DataLoader over a TensorDataset."""
    loader = DataLoader(TensorDataset(*(torch.from_numpy(array) for array in table(kind, rows))), 1024, shuffle=True)
    model = table_model(kind)
    optimizer = _table_optimizer(kind, model, fused=False)
    measured = Measured()
    losses: list[Tensor] = []
    for _ in range(epochs):
        with measured.epoch():
            for x, y in loader:
                loss = F.mse_loss(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            losses[-1].item()
    measured.losses, measured.score = _first_epoch(losses, epochs), _last_epoch_mean(losses, epochs)
    return measured


def table_vectorised(kind: str, epochs: int, rows: int | None) -> Measured:
    """The table as two tensors: one gather a batch, autograd, the fused optimizer."""
    features, values = (torch.from_numpy(array) for array in table(kind, rows))
    model = table_model(kind)
    optimizer = _table_optimizer(kind, model, fused=True)
    return _vectorised(model, F.mse_loss, optimizer, features, values, batch=1024, epochs=epochs)


def table_model(kind: str) -> nn.Module:
    """The untrained model of the table, with the values that seed 0 gives it."""
    torch.manual_seed(0)
    return nn.Linear(20, 1) if kind == "linear" else nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 1))


def order(rows: int, epoch: int) -> Tensor:
    """The rows in the order that descend draws for this epoch with seed 0, so that both see the same batches."""
    return torch.randperm(rows, generator=torch.Generator().manual_seed(epoch))


def _table_optimizer(kind: str, model: nn.Module, *, fused: bool) -> torch.optim.Optimizer:
    if kind == "linear":
        return torch.optim.SGD(model.parameters(), lr=0.01, fused=fused)
    return torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)


def _vectorised(
    model: nn.Module,
    criterion: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    features: Tensor,
    targets: Tensor,
    *,
    batch: int,
    epochs: int,
) -> Measured:
    measured = Measured()
    losses: list[Tensor] = []
    for epoch in range(1, epochs + 1):
        with measured.epoch():
            for chosen in order(len(features), epoch).split(batch):
                x, y = features.index_select(0, chosen), targets.index_select(0, chosen)
                loss = criterion(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            losses[-1].item()
    measured.losses, measured.score = _first_epoch(losses, epochs), _last_epoch_mean(losses, epochs)
    return measured


def _share_right(model: Callable[[Tensor], Tensor], rows: int | None) -> float:
    features, digits = (torch.from_numpy(array) for array in mnist_vectors("t10k", rows))
    with torch.no_grad():
        return (model(features).argmax(1) == digits).float().mean().item()


def _first_epoch(losses: list[Tensor], epochs: int) -> list[float]:
    return torch.stack(losses[: len(losses) // epochs]).tolist()


def _last_epoch_mean(losses: list[Tensor], epochs: int) -> float:
    return torch.stack(losses[-(len(losses) // epochs) :]).mean().item()


LOOPS: Mapping[tuple[str, str], Callable[[int, int | None], Measured]] = {
    ("A", "dataloader"): digits_by_dataloader,
    ("A", "vectorised"): digits_vectorised,
    ("C", "tutorial"): softmax_tutorial,
    ("D-linear", "dataloader"): partial(table_by_dataloader, "linear"),
    ("D-linear", "vectorised"): partial(table_vectorised, "linear"),
    ("D-two-layer", "dataloader"): partial(table_by_dataloader, "two-layer"),
    ("D-two-layer", "vectorised"): partial(table_vectorised, "two-layer"),
}
