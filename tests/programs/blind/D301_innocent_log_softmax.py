# at most: D301 note
# tiny bag-of-words topic classifier
import torch
from torch import nn

torch.manual_seed(5)
topics = {
    "sport": "match goal team win player season coach ball".split(),
    "food": "salt oven butter recipe taste sugar bread pan".split(),
    "space": "orbit star rocket moon planet launch crew comet".split(),
}
words = sorted(w for group in topics.values() for w in group)
position = {w: i for i, w in enumerate(words)}
names = list(topics)


def sentence(topic):
    bag = torch.zeros(len(words))
    for _ in range(6):
        pool = topics[topic] if torch.rand(()) < 0.75 else words
        bag[position[pool[torch.randint(len(pool), ()).item()]]] += 1
    return bag


labels = torch.randint(0, 3, (240,))
bags = torch.stack([sentence(names[k]) for k in labels.tolist()])

model = nn.Sequential(nn.Linear(len(words), 20), nn.ReLU(), nn.Linear(20, 3), nn.LogSoftmax(dim=-1))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(10):
    for index in torch.randperm(240).split(24):
        optimizer.zero_grad()
        loss = criterion(model(bags[index]), labels[index])
        loss.backward()
        optimizer.step()
with torch.no_grad():
    print("training loss at the end", criterion(model(bags), labels).item())
