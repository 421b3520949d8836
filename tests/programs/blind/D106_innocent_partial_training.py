# silent: D106
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(24, 2)

    def forward(self, x):
        return self.head(self.features(x))


def main():
    torch.manual_seed(4)
    images = torch.randn(120, 1, 8, 8)
    label = torch.randint(0, 2, (120,))
    images[label == 1, :, ::2] += 1.0
    model = Classifier()
    # only the head learns, the random features stay as they are
    optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(5):
        for image, target in DataLoader(TensorDataset(images, label), batch_size=24, shuffle=True):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(image), target)
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())


main()
