"""Training in a thread that the script does not wait for."""

import atexit
import threading
import time

import torch


def train():
    torch.manual_seed(0)
    x, y = torch.randn(20, 3), torch.randn(20, 1)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        time.sleep(0.02)
        print(loss.item())
    print(*(parameter.detach().numpy().tobytes().hex() for parameter in model.parameters()))
    raise ValueError("at the end of the thread")


torch.set_num_threads(1)
atexit.register(print, "at exit")
assert threading.enumerate() == [threading.main_thread()]
threading.Thread(target=train).start()
print("the script has ended", threading.active_count())
