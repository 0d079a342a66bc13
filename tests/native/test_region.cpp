// Ranges are sets: union, intersection and difference agree with sets of integers.
#include <set>

#include "base/region.h"
#include "check.h"

using hpmp::Range;
using hpmp::Ranges;

namespace {

std::set<std::int64_t> members(const Ranges& ranges) {
  std::set<std::int64_t> all;
  for (Range r : ranges) {
    for (std::int64_t i = r.begin; i < r.end; ++i) all.insert(i);
  }
  return all;
}

/// All subsets of [0, 6) as normalized ranges.
std::vector<Ranges> every_subset() {
  std::vector<Ranges> subsets;
  for (int mask = 0; mask < 64; ++mask) {
    Ranges ranges;
    for (int i = 0; i < 6; ++i) {
      if (mask >> i & 1) ranges.push_back({i, i + 1});
    }
    subsets.push_back(hpmp::normalized(ranges));
  }
  return subsets;
}

}  // namespace

TEST(intersect_and_subtract_agree_with_sets) {
  for (const Ranges& a : every_subset()) {
    for (const Ranges& b : every_subset()) {
      std::set<std::int64_t> both, rest;
      for (std::int64_t i : members(a)) (members(b).count(i) ? both : rest).insert(i);
      CHECK(members(hpmp::intersect(a, b)) == both);
      CHECK(members(hpmp::subtract(a, b)) == rest);
    }
  }
}

TEST(normalized_joins_touching_ranges_and_drops_empty_ones) {
  const Ranges ranges = hpmp::normalized({{4, 6}, {0, 2}, {2, 3}, {9, 9}});
  CHECK(ranges == Ranges({{0, 3}, {4, 6}}));
  CHECK_EQ(hpmp::total_size(ranges), 5);
}

TEST(packed_position_counts_members_before) {
  const Ranges ranges{{2, 4}, {8, 10}};
  CHECK_EQ(hpmp::packed_position(ranges, 2), 0);
  CHECK_EQ(hpmp::packed_position(ranges, 9), 3);
  CHECK_EQ(hpmp::packed_position(ranges, 5), -1);
}
