// Winograd's convolution of activations: tiles to points, one product per point, points to tiles.
#include <omp.h>

#include <algorithm>

#include "engine/cpu/loops.h"
#include "engine/cpu/winograd/gather.h"

namespace hpmp::cpu::winograd {
namespace {

// Points of a block of tiles: small where weights are kept, so that caches keep the points; large
// where weights are made again for every block.
constexpr std::int64_t kBlockBytes = 2 << 20, kGroupedBlockBytes = 10 << 20, kFewestTiles = 56;
constexpr std::int64_t kGroupBytes = 5 << 20;

std::int64_t tiles_per_block(const Shape3x3& s, const Groups& groups) {
  const std::int64_t point = kPoints * 4;
  if (!groups.kept()) return kGroupedBlockBytes / (point * s.in_channels) + 1;
  return std::max(kFewestTiles, kBlockBytes / (point * (s.in_channels + s.out_channels)));
}

}  // namespace

Map::Map(const Code& code, const Shape3x3& shape, bool transposed, int threads)
    : Map(code, shape, Groups(shape, code.lanes, kGroupBytes), transposed, threads) {}

Map::Map(const Code& code, const Shape3x3& shape, const Groups& groups, bool transposed,
         int threads)
    : l_(code, shape, groups, tiles_per_block(shape, groups)),
      transposed_(transposed),
      threads_(threads) {
  if (l_.groups.kept())
    kept_ = allocate_bytes(static_cast<std::int64_t>(resident_bytes()), "Winograd weights");
}

bool Map::keeps_weights(const Shape3x3& shape, int lanes) {
  return Groups(shape, lanes, kGroupBytes).kept();
}

std::size_t Map::resident_bytes() const {
  if (!l_.groups.kept()) return 0;
  return static_cast<std::size_t>(kPoints * l_.weight_stride()) * sizeof(float);
}

std::size_t Map::scratch_bytes() const {
  std::ptrdiff_t each = l_.point_stride(l_.groups.most());
  if (!l_.groups.kept()) each = threads_ * (each + l_.weight_stride());
  return static_cast<std::size_t>(kPoints * (l_.point_stride(l_.in_blocks()) + each)) *
         sizeof(float);
}

void Map::load(const float* weights) {
  plain_ = weights;
  if (!l_.groups.kept()) return;
  auto* points = reinterpret_cast<float*>(kept_.get());
  parallel_for(l_.out_blocks(), true,
               [&](std::int64_t block) { transform_weights(0, block, points); });
}

/// Of one block of the group's output channels.
void Map::transform_weights(std::int64_t group, std::int64_t block, float* points) const {
  const int lanes = l_.code.lanes;
  float* to = points + l_.weight_at(block);
  const std::ptrdiff_t step = l_.weight_step(group, block);
  const std::int64_t out = (l_.groups.begin(group) + block) * lanes;
  alignas(64) float taps[kLanes * 9 * kLanes];  // [in][tap][out]
  for (std::int64_t in = 0; in < l_.shape.in_channels; in += lanes) {
    if (transposed_)
      gather_transposed_taps(l_.code, plain_, l_.shape.out_channels, out, in, taps);
    else
      gather_taps(l_.code, plain_, l_.shape.in_channels, out, in, taps);
    for (int c = 0; c < lanes; ++c, to += step)
      l_.code.transform_weights(taps + c * 9 * lanes, to, l_.weight_stride());
  }
}

void Map::run(const void* src, void* dst, const Ending& ending, std::byte* scratch) const {
  auto* to = static_cast<std::byte*>(dst);
  auto* inputs = reinterpret_cast<float*>(scratch);
  float* products = inputs + kPoints * l_.point_stride(l_.in_blocks());
  const std::ptrdiff_t out = kPoints * l_.point_stride(l_.groups.most());
  const std::ptrdiff_t each = out + kPoints * l_.weight_stride();
  for (int block = 0; block < l_.tiles.blocks(); ++block) {
    l_.transform_inputs(block, static_cast<const std::byte*>(src), inputs);
    if (l_.groups.kept()) {
      run_kept(block, inputs, products);
      parallel_for(l_.out_blocks(), true,
                   [&](std::int64_t b) { transform_output(block, 0, b, products, ending, to); });
      continue;
    }
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::int64_t group = 0; group < l_.groups.count(); ++group) {
      float* own = products + omp_get_thread_num() * each;
      run_group(block, group, inputs, own + out, own);
      for (std::int64_t b = 0; b < l_.groups.size(group); ++b)
        transform_output(block, group, b, own, ending, to);
    }
  }
}

void Map::run_kept(int block, const float* inputs, float* products) const {
  const auto* weights = reinterpret_cast<const float*>(kept_.get());
  parallel_for(kPoints, true,
               [&](std::int64_t p) { multiply_point(block, 0, p, inputs, weights, products); });
}

void Map::run_group(int block, std::int64_t group, const float* inputs, float* weights,
                    float* products) const {
  for (std::int64_t b = 0; b < l_.groups.size(group); ++b) transform_weights(group, b, weights);
  for (int p = 0; p < kPoints; ++p) multiply_point(block, group, p, inputs, weights, products);
}

void Map::multiply_point(int block, std::int64_t group, std::int64_t p, const float* inputs,
                         const float* weights, float* products) const {
  l_.code.multiply(l_.product(block, group), inputs + p * l_.point_stride(l_.in_blocks()),
                   weights + p * l_.weight_stride(),
                   products + p * l_.point_stride(l_.groups.most()));
}

/// Of one block of the group's output channels.
void Map::transform_output(int block, std::int64_t group, std::int64_t in_group,
                           const float* products, const Ending& ending, std::byte* dst) const {
  const std::int64_t b = l_.groups.begin(group) + in_group;
  const float* from = products + in_group * l_.block_stride();
  Ending own = ending;
  if (ending.bias) own.bias += b * l_.code.lanes;
  for (std::int64_t t = l_.tiles.begin(block); t < l_.tiles.begin(block + 1); ++t) {
    const Tiles::Place place = l_.tiles[t];
    std::byte* image = l_.output(dst, place.sample, b);
    if (ending.addend) own.addend = static_cast<const std::byte*>(ending.addend) + (image - dst);
    l_.code.transform_output(l_.output_window(place), from, l_.point_stride(l_.groups.most()), own,
                             image);
    from += l_.code.lanes;
  }
}

}  // namespace hpmp::cpu::winograd
