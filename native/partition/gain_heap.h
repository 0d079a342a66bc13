// A max-heap of vertices by gain, with positions, so that a gain can change in place.
#pragma once

#include <cstdint>
#include <vector>

namespace hpmp {

class GainHeap {
 public:
  void reset(std::size_t vertices) {
    items_.clear();
    position_.assign(vertices, -1);
  }
  bool empty() const { return items_.empty(); }
  std::int32_t top() const { return items_[0].vertex; }
  std::int64_t top_gain() const { return items_[0].gain; }
  bool contains(std::int32_t v) const { return position_[index(v)] >= 0; }

  void set(std::int32_t v, std::int64_t gain) {
    if (!contains(v)) {
      position_[index(v)] = static_cast<std::int32_t>(items_.size());
      items_.push_back({gain, v});
      up(items_.size() - 1);
      return;
    }
    const auto i = static_cast<std::size_t>(position_[index(v)]);
    const std::int64_t old = items_[i].gain;
    items_[i].gain = gain;
    if (gain > old) up(i);
    if (gain < old) down(i);
  }

  void remove(std::int32_t v) {
    if (!contains(v)) return;
    const auto i = static_cast<std::size_t>(position_[index(v)]);
    position_[index(v)] = -1;
    const Item last = items_.back();
    items_.pop_back();
    if (i == items_.size()) return;
    place(i, last);
    up(i);
    down(static_cast<std::size_t>(position_[index(last.vertex)]));
  }

 private:
  struct Item {
    std::int64_t gain;
    std::int32_t vertex;
  };

  static std::size_t index(std::int32_t v) { return static_cast<std::size_t>(v); }

  void place(std::size_t i, Item item) {
    items_[i] = item;
    position_[index(item.vertex)] = static_cast<std::int32_t>(i);
  }

  void up(std::size_t i) {
    const Item item = items_[i];
    for (; i > 0 && items_[(i - 1) / 2].gain < item.gain; i = (i - 1) / 2) {
      place(i, items_[(i - 1) / 2]);
    }
    place(i, item);
  }

  void down(std::size_t i) {
    const Item item = items_[i];
    for (std::size_t child = 2 * i + 1; child < items_.size(); child = 2 * i + 1) {
      if (child + 1 < items_.size() && items_[child + 1].gain > items_[child].gain) ++child;
      if (items_[child].gain <= item.gain) break;
      place(i, items_[child]);
      i = child;
    }
    place(i, item);
  }

  std::vector<Item> items_;
  std::vector<std::int32_t> position_;
};

}  // namespace hpmp
