"""The loops that people write instead, in plain PyTorch: as tutorials have them, vectorised, and derived by hand.

Every loop keeps the loss of each step as a tensor, so that two loops can be compared; no loop asks for its value inside a step.
"""

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
    measured, losses = Measured(), []
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
    measured.score = _share_right(lambda x: model(x), rows)
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

    measured, losses = Measured(), []
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
    model, optimizer = _table_model(kind, fused=False)
    measured, losses = Measured(), []
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
    model, optimizer = _table_model(kind, fused=True)
    return _vectorised(model, F.mse_loss, optimizer, features, values, batch=1024, epochs=epochs)


def table_by_hand(kind: str, epochs: int, rows: int | None) -> Measured:
    """The table with its gradients derived by hand for exactly this model: nothing allocated, nothing recorded, one thread.

    As little as PyTorch's own kernels can do the work with; no such loop serves any other model.
    """
    torch.set_num_threads(1)
    features, values = (torch.from_numpy(array) for array in table(kind, rows))
    model, _ = _table_model(kind, fused=None)
    shapes = [parameter.shape for parameter in model.parameters()]
    flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])  # (n,)
    gradient = torch.zeros_like(flat)
    losses = torch.zeros(epochs, -(-len(features) // 1024))
    make = _linear_step if kind == "linear" else _two_layer_step
    steps = {
        size: make(features, values, _cut(flat, shapes), _cut(gradient, shapes), size)
        for size in {min(1024, len(features)), len(features) % 1024 or 1024}
    }
    update = _descent(flat, gradient) if kind == "linear" else _adam(flat, gradient)
    measured = Measured()
    with torch.no_grad():
        for epoch in range(epochs):
            with measured.epoch():
                slots = losses[epoch].unbind()
                for number, chosen in enumerate(_order(len(features), epoch + 1).split(1024)):
                    steps[len(chosen)](chosen, slots[number])
                    update()
                losses[epoch, -1].item()
    measured.losses, measured.score = losses[0].tolist(), losses[-1].mean().item()
    return measured


def _linear_step(features, values, parameters, gradients, size):  # noqa: ANN001, ANN202
    weight, bias = parameters  # (1, 20), (1,)
    weight_gradient, bias_gradient = gradients
    x, y = torch.empty(size, features.shape[1]), torch.empty(size, 1)
    error = torch.empty(size, 1)
    flat_error, row_error, column = error.view(-1), error.t(), weight.t()

    def step(chosen: Tensor, loss: Tensor) -> None:
        torch.index_select(features, 0, chosen, out=x)
        torch.index_select(values, 0, chosen, out=y)
        torch.addmm(bias, x, column, out=error).sub_(y)  # ŷ − y                                  (B, 1)
        torch.dot(flat_error, flat_error, out=loss).div_(size)  # L = Σ (ŷ − y)² / B              ()
        error.mul_(2 / size)  # ∂L/∂ŷ                                                             (B, 1)
        torch.mm(row_error, x, out=weight_gradient)
        torch.sum(error, 0, out=bias_gradient)

    return step


def _two_layer_step(features, values, parameters, gradients, size):  # noqa: ANN001, ANN202
    weight, bias, weight_out, bias_out = parameters  # (64, 20), (64,), (1, 64), (1,)
    weight_gradient, bias_gradient, weight_out_gradient, bias_out_gradient = gradients
    x, y = torch.empty(size, features.shape[1]), torch.empty(size, 1)
    hidden, hidden_gradient = torch.empty(size, len(bias)), torch.empty(size, len(bias))
    error = torch.empty(size, 1)
    flat_error, row_error = error.view(-1), error.t()
    column, column_out, hidden_rows = weight.t(), weight_out.t(), hidden_gradient.t()
    relu_backward = torch.ops.aten.threshold_backward.grad_input

    def step(chosen: Tensor, loss: Tensor) -> None:
        torch.index_select(features, 0, chosen, out=x)
        torch.index_select(values, 0, chosen, out=y)
        torch.addmm(bias, x, column, out=hidden).relu_()  # h = max(0, x·Wᵀ + b)                  (B, 64)
        torch.addmm(bias_out, hidden, column_out, out=error).sub_(y)  # ŷ − y                     (B, 1)
        torch.dot(flat_error, flat_error, out=loss).div_(size)  # L = Σ (ŷ − y)² / B              ()
        error.mul_(2 / size)  # ∂L/∂ŷ                                                             (B, 1)
        torch.mm(row_error, hidden, out=weight_out_gradient)
        torch.sum(error, 0, out=bias_out_gradient)
        torch.mm(error, weight_out, out=hidden_gradient)  # ∂L/∂h                                 (B, 64)
        relu_backward(hidden_gradient, hidden, 0, grad_input=hidden_gradient)
        torch.mm(hidden_rows, x, out=weight_gradient)
        torch.sum(hidden_gradient, 0, out=bias_gradient)

    return step


def _descent(flat, gradient):  # noqa: ANN001, ANN202
    return lambda: flat.add_(gradient, alpha=-0.01)


def _adam(flat, gradient):  # noqa: ANN001, ANN202
    steps, tensors = torch.zeros(()), ([flat], [gradient], [torch.zeros_like(flat)], [torch.zeros_like(flat)])
    settings = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}

    def update() -> None:
        steps.add_(1)
        torch._fused_adam_(*tensors, [], [steps], amsgrad=False, maximize=False, **settings)

    return update


def _cut(flat: Tensor, shapes: list[torch.Size]) -> list[Tensor]:
    sizes = [shape.numel() for shape in shapes]
    return [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]


def _table_model(kind: str, *, fused: bool | None) -> tuple[nn.Module, torch.optim.Optimizer | None]:
    torch.manual_seed(0)
    linear = kind == "linear"
    model: nn.Module = nn.Linear(20, 1) if linear else nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 1))
    if fused is None:
        return model, None
    if linear:
        return model, torch.optim.SGD(model.parameters(), lr=0.01, fused=fused)
    return model, torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)


def _vectorised(model, criterion, optimizer, features, targets, *, batch, epochs):  # noqa: ANN001, ANN202
    measured, losses = Measured(), []
    for epoch in range(1, epochs + 1):
        with measured.epoch():
            for chosen in _order(len(features), epoch).split(batch):
                x, y = features.index_select(0, chosen), targets.index_select(0, chosen)
                loss = criterion(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            losses[-1].item()
    measured.losses, measured.score = _first_epoch(losses, epochs), _last_epoch_mean(losses, epochs)
    return measured


def _order(rows: int, epoch: int) -> Tensor:
    """The rows in the order that descend draws for this epoch with seed 0, so that both see the same batches."""
    return torch.randperm(rows, generator=torch.Generator().manual_seed(epoch))


def _share_right(model, rows) -> float:  # noqa: ANN001
    features, digits = (torch.from_numpy(array) for array in mnist_vectors("t10k", rows))
    with torch.no_grad():
        return (model(features).argmax(1) == digits).float().mean().item()


def _first_epoch(losses: list[Tensor], epochs: int) -> list[float]:
    return torch.stack(losses[: len(losses) // epochs]).tolist()


def _last_epoch_mean(losses: list[Tensor], epochs: int) -> float:
    return torch.stack(losses[-(len(losses) // epochs) :]).mean().item()
