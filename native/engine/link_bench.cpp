#include "engine/link_bench.h"

#include <algorithm>
#include <chrono>

#include "engine/transit.h"

namespace hpmp {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Tag kOut = 0, kBack = 1;  // from the lower rank, and to it
constexpr const char* kLabel = "benchmark";

Message message(Tag tag, Rank from, Rank to, std::int64_t elems) {
  Message m;
  m.tag = tag;
  m.from = from;
  m.to = to;
  m.elems = elems;
  return m;
}

PlannedTensor buffer(TensorKind kind, const Message& m, std::int64_t offset) {
  PlannedTensor t;
  t.kind = kind;
  t.message = m.tag;
  t.bytes = message_bytes(m.kind, m.elems, DType::fp32);
  t.offset = offset;
  return t;
}

/// A message each way between two ranks, and nothing else.
Plan two_messages(int ranks, Rank low, Rank high, std::int64_t elems, std::int64_t room) {
  Plan plan;
  plan.ranks = ranks;
  plan.messages = {message(kOut, low, high, elems), message(kBack, high, low, elems)};
  plan.programs.resize(static_cast<std::size_t>(ranks));
  for (const Message& m : plan.messages) {
    plan.programs[static_cast<std::size_t>(m.from)].tensors.push_back(
        buffer(TensorKind::send_buffer, m, 0));
    plan.programs[static_cast<std::size_t>(m.to)].tensors.push_back(
        buffer(TensorKind::recv_buffer, m, room));
  }
  return plan;
}

void send(Transit& transit, const Message& m) {
  transit.send(m);
  transit.wait_sent(m, kLabel);
}

void receive(Transit& transit, const Message& m) {
  transit.receive(m, kLabel);
  transit.release(m);
}

}  // namespace

std::vector<double> device_ping_pong(Communicator& comm, Rank peer, std::int64_t bytes, int repeats,
                                     const EngineOptions& device) {
  const std::int64_t elems = (bytes + 3) / 4, room = (4 * elems + 255) / 256 * 256;
  const std::unique_ptr<Backend> backend = open_backend(device, DType::fp32);
  backend->enter();
  const Memory memory = backend->allocate(2 * room, "messages");
  backend->clear(memory.get(), 2 * room);
  const Plan plan = two_messages(comm.size(), std::min(comm.rank(), peer),
                                 std::max(comm.rank(), peer), elems, room);
  Transit transit(
      plan, comm, [&](const PlannedTensor& t) { return memory.get() + t.offset; }, *backend,
      device.comm_timeout_seconds);
  const bool begins = comm.rank() < peer;
  const Message &own = plan.messages[begins ? kOut : kBack],
                &theirs = plan.messages[begins ? kBack : kOut];
  std::vector<double> seconds;
  for (int i = -2; i < repeats; ++i) {  // two to warm up
    const Clock::time_point begin = Clock::now();
    transit.post(theirs);
    if (begins) send(transit, own);
    receive(transit, theirs);
    if (!begins) send(transit, own);
    backend->finish();
    if (i >= 0) seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count() / 2);
  }
  return seconds;
}

}  // namespace hpmp
