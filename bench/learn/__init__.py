"""Ranks that train one and the same task to a target accuracy: ours, PyTorch's DDP and 1F1B."""
