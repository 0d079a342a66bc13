#include "engine/cuda/stream.h"

#include <utility>

namespace hpmp::cuda {
namespace {

constexpr unsigned kNonBlocking = 1, kNoTiming = 2;
constexpr int kThreadLocal = 1;  // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL

DeviceAddress address_of(const void* data) { return reinterpret_cast<DeviceAddress>(data); }

}  // namespace

Stream::Stream(std::shared_ptr<const Device> device) : Stream(std::move(device), nullptr) {}

Stream::Stream(std::shared_ptr<const Device> device, void* handle)
    : device_(std::move(device)), handle_(handle), owned_(handle == nullptr) {
  if (owned_)
    check(device_->driver(), device_->driver().stream_create(&handle_, kNonBlocking),
          "create a stream");
}

Stream::~Stream() {
  if (owned_) device_->driver().stream_destroy(handle_);
}

void Stream::launch(void* function, unsigned grid, unsigned block, const void* args) {
  void* params[] = {const_cast<void*>(args)};
  check(device_->driver(),
        device_->driver().launch(function, grid, 1, 1, block, 1, 1, 0, handle_, params, nullptr),
        "launch a kernel");
}

void Stream::to_device(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check(device_->driver(), device_->driver().copy_to_device(address_of(to), from, bytes, handle_),
        "copy to the GPU");
}

void Stream::to_host(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check(device_->driver(), device_->driver().copy_to_host(to, address_of(from), bytes, handle_),
        "copy from the GPU");
}

void Stream::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0 || to == from) return;
  check(device_->driver(),
        device_->driver().copy_on_device(address_of(to), address_of(from), bytes, handle_),
        "copy on the GPU");
}

void Stream::copy_between(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check(device_->driver(),
        device_->driver().copy_between(address_of(to), address_of(from), bytes, handle_),
        "copy between GPUs");
}

void Stream::fill(void* to, unsigned char value, std::size_t bytes) {
  if (bytes == 0) return;
  check(device_->driver(), device_->driver().fill_bytes(address_of(to), value, bytes, handle_),
        "fill memory of the GPU");
}

void Stream::wait_for(const Event& event) {
  check(device_->driver(), device_->driver().stream_wait(handle_, event.handle(), 0),
        "let a stream wait");
}

void Stream::synchronize() {
  check(device_->driver(), device_->driver().stream_synchronize(handle_), "wait for the GPU");
}

Event::Event(std::shared_ptr<const Device> device, bool timed) : device_(std::move(device)) {
  check(device_->driver(), device_->driver().event_create(&handle_, timed ? 0 : kNoTiming),
        "create an event");
}

Event::~Event() { device_->driver().event_destroy(handle_); }

void Event::record(Stream& stream) {
  check(device_->driver(), device_->driver().event_record(handle_, stream.handle()),
        "record an event");
}

bool Event::has_passed() const {
  const Result result = device_->driver().event_query(handle_);
  if (result == kNotReady) return false;
  check(device_->driver(), result, "ask for an event");
  return true;
}

void Event::synchronize() const {
  check(device_->driver(), device_->driver().event_synchronize(handle_), "wait for an event");
}

double Event::elapsed_us(const Event& since) const {
  float milliseconds = 0;
  check(device_->driver(), device_->driver().event_elapsed(&milliseconds, since.handle_, handle_),
        "time events");
  return 1e3 * static_cast<double>(milliseconds);
}

CapturedRun::~CapturedRun() { device_->driver().executable_destroy(executable_); }

void CapturedRun::begin(Stream& stream) const {
  check(device_->driver(), device_->driver().capture_begin(stream.handle(), kThreadLocal),
        "capture a stream");
}

void CapturedRun::end(Stream& stream) {
  void* graph = nullptr;
  const Driver& driver = device_->driver();
  check(driver, driver.capture_end(stream.handle(), &graph), "end the capture of a stream");
  const Result result = driver.graph_instantiate(&executable_, graph, 0);
  driver.graph_destroy(graph);
  check(driver, result, "make a captured run executable");
}

void CapturedRun::abandon(Stream& stream) const noexcept {
  void* graph = nullptr;
  device_->driver().capture_end(stream.handle(), &graph);
  if (graph != nullptr) device_->driver().graph_destroy(graph);
}

void CapturedRun::launch(Stream& stream) const {
  check(device_->driver(), device_->driver().graph_launch(executable_, stream.handle()),
        "launch a captured run");
}

}  // namespace hpmp::cuda
