// The GPU's kernels compiled for the host, as functions that the fake driver calls.
#include "engine/cuda/kernels/all.cu"
