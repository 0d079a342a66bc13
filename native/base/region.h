// Regions: boxes over samples N, channels C and rows H, the one way a tensor is cut.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace hpmp {

/// A half-open interval [begin, end).
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t size() const { return end - begin; }
  bool empty() const { return end <= begin; }
  friend bool operator==(Range a, Range b) { return a.begin == b.begin && a.end == b.end; }
  friend bool operator!=(Range a, Range b) { return !(a == b); }
  friend bool operator<(Range a, Range b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  }
};

inline Range intersect(Range a, Range b) {
  Range r{std::max(a.begin, b.begin), std::min(a.end, b.end)};
  return r.empty() ? Range{0, 0} : r;
}

inline bool contains(Range outer, Range inner) {
  return outer.begin <= inner.begin && inner.end <= outer.end;
}

struct Region {
  Range n, c, h;

  bool empty() const { return n.empty() || c.empty() || h.empty(); }
  friend bool operator==(const Region& a, const Region& b) {
    return a.n == b.n && a.c == b.c && a.h == b.h;
  }
};

inline Region intersect(const Region& a, const Region& b) {
  return {intersect(a.n, b.n), intersect(a.c, b.c), intersect(a.h, b.h)};
}

/// A sorted list of disjoint, non-adjacent ranges: a set of channels or rows.
using Ranges = std::vector<Range>;

/// Sorts and joins touching or overlapping ranges; drops empty ones.
Ranges normalized(Ranges ranges);
std::int64_t total_size(const Ranges& ranges);
Ranges intersect(const Ranges& a, const Ranges& b);
/// a without b.
Ranges subtract(const Ranges& a, const Ranges& b);

/// Position of channel `c` in the packed order of `ranges`; -1 where it is not a member.
std::int64_t packed_position(const Ranges& ranges, std::int64_t c);

}  // namespace hpmp
