// Gradients of 1 x 1 weights in a primitive's tiles of 16 x 16, added to plain ones.
#pragma once

#include <dnnl.hpp>

namespace hpmp::cpu {

/// Whether `plain` is [out][in] of one pixel and one group in fp32, and `tiled` the same as
/// [out / 16][in / 16][16 in][16 out].
bool is_tiled(const dnnl::memory::desc& plain, const dnnl::memory::desc& tiled);

/// to += from, of two layouts of which is_tiled is true.
void add_tiles(const dnnl::memory::dims& dims, const float* from, float* to);

}  // namespace hpmp::cpu
