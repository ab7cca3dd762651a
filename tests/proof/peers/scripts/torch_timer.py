"""torch.utils.benchmark on a TorchScript module: python torch_timer.py MODEL THREADS SECONDS ..."""

import json
import sys
import warnings

import numpy as np
import torch
from torch.utils import benchmark

model, threads, seconds, *inputs = sys.argv[1:]
tensors = [torch.from_numpy(np.load(word.split("=", 1)[1])) for word in inputs]
torch.set_grad_enabled(False)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    module = torch.jit.load(model)
timer = benchmark.Timer(
    "module(*tensors)", globals={"module": module, "tensors": tensors}, num_threads=int(threads)
)
measurement = timer.blocked_autorange(min_run_time=float(seconds))
print(measurement)
record = {
    "median_s": measurement.median,
    "iqr_s": measurement.iqr,
    "measurements": len(measurement.times),
    "calls": len(measurement.times) * measurement.number_per_run,
}
print(json.dumps(record))
