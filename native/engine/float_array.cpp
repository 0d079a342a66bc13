#include "engine/float_array.h"

namespace hpmp {

FloatArray::FloatArray(Backend& backend, std::int64_t count) : count_(count) {
  if (count == 0) return;
  memory_ = backend.allocate(bytes(), "parameters");
  backend.clear(data(), bytes());
}

HostView::HostView(Backend& backend, const FloatArray& array) : backend_(backend), array_(array) {
  if (backend.is_host()) return;
  copy_.resize(static_cast<std::size_t>(array.size()));
  backend.get(copy_.data(), array.data(), array.bytes());
  backend.finish();
}

void HostView::give_back() {
  if (backend_.is_host()) return;
  backend_.put(array_.data(), copy_.data(), array_.bytes());
  backend_.finish();
}

}  // namespace hpmp
