"""A trained model in use: features in, logits, probabilities or predictions out."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from descend.errors import DataError, ModelError
from descend.models.description import ModelDescription
from descend.models.evaluating import evaluating

_ROWS = 1024  # at a time: the layers' outputs of 60,000 images at once would fill gigabytes


@dataclass(frozen=True, slots=True)
class Model:
    """A module and what is known about it. Its methods compute without gradients, in evaluation mode, and answer on the CPU.

    Features are (N, *feature_shape) float32, prepared as ``description.preparation`` says; another shape raises
    :class:`~descend.errors.DataError`.
    """

    module: nn.Module
    description: ModelDescription

    def logits(self, features: Tensor) -> Tensor:
        """(N, outputs): what the module gives, before any probability; for a task of values, the values."""
        architecture = self.description.architecture
        if tuple(features.shape[1:]) != architecture.feature_shape:
            expected = ", ".join(str(size) for size in architecture.feature_shape)
            raise DataError(
                f"features of the shape {tuple(features.shape)} do not fit the model, which takes (N, {expected})",
                where="features",
                help="prepare them as the training's were; a single example needs an axis in front: features.unsqueeze(0)",
            )
        device = next((parameter.device for parameter in self.module.parameters()), features.device)
        with evaluating(self.module):
            parts = [self.module(rows.to(device, torch.float32)).cpu() for rows in torch.split(features, _ROWS)]
            return torch.cat(parts)  # (N, outputs)

    def probabilities(self, features: Tensor) -> Tensor:
        """(N, classes), each row adding up to 1: the softmax of the logits, or the sigmoid where one logit tells two classes."""
        if self.description.task != "classes":
            raise ModelError(
                "the model predicts values, which have no probabilities",
                where="probabilities",
                help="use predict(features)",
            )
        logits = self.logits(features)
        if logits.shape[1] == 1:
            return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], 1)  # (N, 2)
        return torch.softmax(logits, 1)

    def predict(self, features: Tensor) -> Tensor:
        """(N,) int64 class ids; for a task of values (N, T) float32."""
        logits = self.logits(features)
        if self.description.task == "values":
            return logits
        if logits.shape[1] == 1:
            return (logits[:, 0] > 0).long()
        return logits.argmax(1)
