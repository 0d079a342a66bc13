#include "engine/cuda/yard.h"

#include <algorithm>

namespace hpmp::cuda {

void Yard::occupy(const std::byte* at, std::int64_t bytes, const Event& until) {
  stays_.push_back({at, at + bytes, &until});
}

bool Yard::is_free(const std::byte* at, std::int64_t bytes) {
  forget_passed();
  return std::none_of(stays_.begin(), stays_.end(),
                      [&](const Stay& stay) { return stay.meets(at, bytes); });
}

void Yard::clear(const std::byte* at, std::int64_t bytes) {
  for (const Stay& stay : stays_) {
    if (stay.meets(at, bytes)) stay.until->synchronize();
  }
  forget_passed();
}

void Yard::delay(Stream& stream, const std::byte* at, std::int64_t bytes) {
  forget_passed();
  for (const Stay& stay : stays_) {
    if (stay.meets(at, bytes)) stream.wait_for(*stay.until);
  }
}

void Yard::forget_passed() {
  stays_.erase(std::remove_if(stays_.begin(), stays_.end(),
                              [](const Stay& stay) { return stay.until->has_passed(); }),
               stays_.end());
}

}  // namespace hpmp::cuda
