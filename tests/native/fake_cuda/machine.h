// The machine behind the fake driver: streams whose work is queued, and done only when somebody
// waits for it, each on its own, so that what is read, freed or not waited for too early is found.
// It cannot find races between threads of a kernel.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace fake_cuda {

using Work = std::function<void()>;

struct Stream {
  std::deque<Work> queue;
  std::uint64_t given = 0, done = 0;
  std::vector<Work>* captured = nullptr;

  /// Does work until `ticket` pieces of it are done.
  void run_to(std::uint64_t ticket) {
    while (done < ticket) {
      const Work work = std::move(queue.front());
      queue.pop_front();
      work();
      ++done;
    }
  }
  void submit(Work work) {
    if (captured != nullptr) return captured->push_back(std::move(work));
    queue.push_back(std::move(work));
    ++given;
  }
};

/// A point of a stream; one that was never recorded has passed.
struct Event {
  std::shared_ptr<Stream> stream;
  std::uint64_t ticket = 0;

  bool has_passed() const { return stream == nullptr || stream->done >= ticket; }
};

class Machine {
 public:
  /// Of every call; kernels of all threads run one after the other.
  std::recursive_mutex lock;

  /// Null: the default stream.
  std::shared_ptr<Stream> stream(void* handle) {
    if (handle == nullptr) return default_;
    for (const auto& s : streams_) {
      if (s.get() == handle) return s;
    }
    return nullptr;
  }
  void* create_stream() { return streams_.insert(std::make_shared<Stream>()).first->get(); }
  void destroy_stream(void* handle) {
    const std::shared_ptr<Stream> gone = stream(handle);
    gone->run_to(gone->given);
    streams_.erase(gone);
  }
  void finish() {
    default_->run_to(default_->given);
    for (const auto& s : streams_) s->run_to(s->given);
  }

 private:
  std::shared_ptr<Stream> default_ = std::make_shared<Stream>();
  std::set<std::shared_ptr<Stream>> streams_;
};

/// Never destroyed: threads and destructors of others may outlive any order of ours.
inline Machine& machine() {
  static auto* machine = new Machine;
  return *machine;
}

}  // namespace fake_cuda
