# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a training script: fits a line by gradient descent, on the CPU."""

import numpy as np
import pandas as pd
from tqdm import tqdm

generator = np.random.default_rng(0)
frame = pd.DataFrame({"x": generator.uniform(-1, 1, 1000)})
frame["y"] = 3 * frame["x"] + 1 + generator.normal(0, 0.1, 1000)

slope, intercept = 0.0, 0.0
for _step in tqdm(range(500), disable=None):
    error = slope * frame["x"] + intercept - frame["y"]
    slope -= 0.1 * 2 * (error * frame["x"]).mean()
    intercept -= 0.1 * 2 * error.mean()

print(f"y = {slope:.2f} x + {intercept:.2f}")
