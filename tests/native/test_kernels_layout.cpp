// Layout rules and the copy of channels between layouts.
#include "kernel_case.h"

using namespace kernel_test;

TEST(copy_channels_moves_any_channels_between_any_layouts) {
  for (std::int64_t from : blocks_of(48)) {
    for (std::int64_t to : blocks_of(32)) {
      for (Range r : {Range{0, 16}, Range{5, 6}, Range{3, 29}, Range{20, 48}}) {
        for (std::int64_t offset : {0, 4}) {
          Array x(3, {48, 3, 2}), y(3, {32, 3, 2});
          for (double& v : x.data) v = draw();
          for (double& v : y.data) v = draw();
          Tensor src(x, {{0, 48}}, from), dst(y, {{0, 32}}, to);
          src.set(x);
          dst.set(y);
          const std::int64_t count = std::min(r.size(), 32 - offset);
          copy_channels(dst.ref, offset, src.ref, r.begin, count, false);
          copy_channels(dst.ref, offset, src.ref, r.begin, count, true);
          dst.memory.check_guard();
          dst.each([&](auto i, auto c, auto p, auto at) {
            const bool copied = c >= offset && c < offset + count;
            const double want = copied ? 2 * x.at(i, c - offset + r.begin, 0, p) : y.at(i, c, 0, p);
            CHECK_EQ(dst.value(at), want);
          });
        }
      }
    }
  }
}

TEST(blocks_divide_their_channels) {
  for (std::int64_t c = 1; c <= 100; ++c) {
    CHECK_EQ(c % channel_block(c), 0);
    CHECK_EQ(c % preferred_input_block(c), 0);
  }
  CHECK_EQ(preferred_input_block(3), 1);
  CHECK_EQ(channel_block(3), 3);
}
