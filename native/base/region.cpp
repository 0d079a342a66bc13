#include "base/region.h"

namespace hpmp {

Ranges normalized(Ranges ranges) {
  std::sort(ranges.begin(), ranges.end());
  Ranges joined;
  for (Range r : ranges) {
    if (r.empty()) continue;
    if (!joined.empty() && r.begin <= joined.back().end) {
      joined.back().end = std::max(joined.back().end, r.end);
    } else {
      joined.push_back(r);
    }
  }
  return joined;
}

std::int64_t total_size(const Ranges& ranges) {
  std::int64_t total = 0;
  for (Range r : ranges) total += r.size();
  return total;
}

Ranges intersect(const Ranges& a, const Ranges& b) {
  Ranges common;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    Range r = intersect(a[i], b[j]);
    if (!r.empty()) common.push_back(r);
    (a[i].end < b[j].end) ? ++i : ++j;
  }
  return common;
}

Ranges subtract(const Ranges& a, const Ranges& b) {
  Ranges rest;
  std::size_t j = 0;
  for (Range r : a) {
    while (j < b.size() && b[j].end <= r.begin) ++j;
    for (std::size_t k = j; k < b.size() && b[k].begin < r.end; ++k) {
      if (b[k].begin > r.begin) rest.push_back({r.begin, b[k].begin});
      r.begin = std::max(r.begin, b[k].end);
    }
    if (!r.empty()) rest.push_back(r);
  }
  return rest;
}

std::int64_t packed_position(const Ranges& ranges, std::int64_t c) {
  std::int64_t before = 0;
  for (Range r : ranges) {
    if (c < r.begin) return -1;
    if (c < r.end) return before + c - r.begin;
    before += r.size();
  }
  return -1;
}

}  // namespace hpmp
