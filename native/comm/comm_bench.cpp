#include "comm/comm_bench.h"

#include <algorithm>
#include <chrono>

#include "comm/wait.h"

namespace hpmp {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Tag kPing = 0, kScatter = 1, kGather = 2;

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void finish(Communicator& comm, Request& request, bool sending, Rank peer, Tag tag) {
  wait(comm, request, {sending, peer, tag, "benchmark"}, {});
}

void send(Communicator& comm, const std::vector<char>& data, Rank peer) {
  Request request = comm.isend(data.data(), data.size(), peer, kPing);
  finish(comm, request, true, peer, kPing);
}

void receive(Communicator& comm, std::vector<char>& data, Rank peer) {
  Request request = comm.irecv(data.data(), data.size(), peer, kPing);
  finish(comm, request, false, peer, kPing);
}

/// Floats that rank r reduces.
struct Share {
  std::size_t begin, count;
};

class AllReduce {
 public:
  AllReduce(Communicator& comm, int group, std::size_t floats)
      : comm_(comm), group_(group), data_(floats, 1) {
    for (int r = 0; r < group; ++r) received_.emplace_back(share(comm.rank()).count);
  }

  void run() {
    exchange(
        kScatter, [&](Rank r) { return part(r); },
        [&](Rank r) { return part_of(received_[static_cast<std::size_t>(r)]); });
    float* own = data_.data() + share(comm_.rank()).begin;
    for (Rank r = 0; r < group_; ++r) {
      if (r == comm_.rank()) continue;
      const std::vector<float>& from = received_[static_cast<std::size_t>(r)];
      for (std::size_t i = 0; i < from.size(); ++i) own[i] = 0.5F * (own[i] + from[i]);
    }
    exchange(kGather, [&](Rank) { return part(comm_.rank()); }, [&](Rank r) { return part(r); });
  }

 private:
  struct Part {
    float* data;
    std::size_t bytes;
  };

  Share share(Rank r) const {
    const auto size = static_cast<std::size_t>(group_), at = static_cast<std::size_t>(r);
    const std::size_t begin = data_.size() * at / size;
    return {begin, data_.size() * (at + 1) / size - begin};
  }
  Part part(Rank r) {
    const Share s = share(r);
    return {data_.data() + s.begin, s.count * sizeof(float)};
  }
  static Part part_of(std::vector<float>& v) { return {v.data(), v.size() * sizeof(float)}; }

  template <class Out, class In>
  void exchange(Tag tag, Out out, In in) {
    std::vector<Request> sends, receives;
    for (Rank r = 0; r < group_; ++r) {
      const Part to = out(r), from = in(r);
      const bool other = r != comm_.rank();
      receives.push_back(other ? comm_.irecv(from.data, from.bytes, r, tag) : Request{});
      sends.push_back(other ? comm_.isend(to.data, to.bytes, r, tag) : Request{});
    }
    for (Rank r = 0; r < group_; ++r) {
      if (r == comm_.rank()) continue;
      finish(comm_, receives[static_cast<std::size_t>(r)], false, r, tag);
      finish(comm_, sends[static_cast<std::size_t>(r)], true, r, tag);
    }
  }

  Communicator& comm_;
  int group_;
  std::vector<float> data_;
  std::vector<std::vector<float>> received_;
};

}  // namespace

std::vector<double> ping_pong(Communicator& comm, Rank peer, std::size_t bytes, int repeats) {
  std::vector<char> data(std::max<std::size_t>(bytes, 1), 1);
  std::vector<double> seconds;
  for (int i = -2; i < repeats; ++i) {  // two to warm up
    const Clock::time_point begin = Clock::now();
    if (comm.rank() < peer) {
      send(comm, data, peer);
      receive(comm, data, peer);
    } else {
      receive(comm, data, peer);
      send(comm, data, peer);
    }
    if (i >= 0) seconds.push_back(since(begin) / 2);
  }
  return seconds;
}

std::vector<double> all_reduce(Communicator& comm, int group, std::size_t bytes, int repeats) {
  AllReduce sum(comm, group, std::max<std::size_t>(bytes / sizeof(float), 1));
  std::vector<double> seconds;
  for (int i = -2; i < repeats; ++i) {
    const Clock::time_point begin = Clock::now();
    sum.run();
    if (i >= 0) seconds.push_back(since(begin));
  }
  return seconds;
}

}  // namespace hpmp
