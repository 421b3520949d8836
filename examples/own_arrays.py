"""Arrays of your own, with rows kept apart to choose by: python examples/own_arrays.py

400 plants grow by light and water, and too much water harms. A fifth of the rows is held back; training stops when the loss on them has
not fallen for 20 epochs, and the weights of the best epoch are kept. 100 further rows are only looked at in the end.
"""

import numpy as np

import descend

random = np.random.default_rng(1)
light, water = random.uniform(0, 10, 500), random.uniform(0, 10, 500)
height = 2 * light + 9 * np.sin(water / 3) + random.normal(0, 1, 500)  # centimetres
plants = np.column_stack([light, water])  # (500, 2)

run = descend.train(
    (plants[:400], height[:400]),
    test=(plants[400:], height[400:]),
    feature_names=["light", "water"],
    target_names=["height"],
    model="mlp",
    sizes=[32],
    batch_size=32,
    lr=0.01,
    epochs=500,
    validation=0.2,
    early_stopping=20,
    progress=False,
)
print(run)

print(f"best epoch: {run.report['best_epoch']} of {len(run.report['epochs'])}")
print(f"off by {run.metrics['test']['rmse']:.2f} cm on unseen plants; the noise alone is 1")
