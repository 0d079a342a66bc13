# cython: language_level=3, boundscheck=False, wraparound=False, binding=True, embedsignature=True
"""A thin client of the C interface (native/include/hpmp.h), and of nothing else."""

from libc.stdint cimport int32_t, int64_t, uintptr_t

cimport pyhpmp._hpmp as c

import numpy as np

from pyhpmp.errors import InvalidArgumentError

if c.hpmp_api_version() != c.HPMP_API_VERSION:
    raise ImportError(
        f"libhpmp.so speaks version {c.hpmp_api_version()} of its interface, this module was built "
        f"for {c.HPMP_API_VERSION}; install hpmp again"
    )

# One module, read in pieces: low to high, each importing what it alone needs.
include "core/convert.pxi"
include "core/device.pxi"
include "core/optimizer.pxi"
include "core/dlpack.pxi"
include "core/graph.pxi"
include "core/machine.pxi"
include "core/hypergraph.pxi"
include "core/plan.pxi"
include "core/comm.pxi"
include "core/engine.pxi"
