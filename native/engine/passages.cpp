#include "engine/passages.h"

#include <map>
#include <set>

#include "engine/control_tags.h"
#include "plan/arena.h"

namespace hpmp {
namespace {

constexpr const char* kLabel = "agree on how messages between GPUs travel";

/// Where messages arrive in a rank's docks, by tag. A pure function, so that senders know too.
struct DockPlan {
  std::map<Tag, std::int64_t> offsets;
  std::int64_t bytes = 0;

  explicit DockPlan(const RankProgram& program) {
    std::vector<Tag> tags;
    std::vector<Lifetime> lives;
    for (const PlannedTensor& t : program.tensors) {
      if (t.kind != TensorKind::recv_buffer) continue;
      tags.push_back(t.message);
      lives.push_back({t.bytes, t.first, t.last, 0});
    }
    bytes = assign_offsets(lives);
    for (std::size_t k = 0; k < tags.size(); ++k) offsets[tags[k]] = lives[k].offset;
  }
};

std::vector<FerryLoad> loads_of(const RankProgram& program, const BufferOf& buffer_of) {
  std::vector<FerryLoad> loads;
  for (const PlannedTensor& t : program.tensors) {
    if (t.kind != TensorKind::send_buffer && t.kind != TensorKind::recv_buffer) continue;
    loads.push_back(
        {t.message, t.kind == TensorKind::send_buffer, buffer_of(t), t.bytes, t.first, t.last});
  }
  return loads;
}

class Agreement {
 public:
  Agreement(const Plan& plan, Communicator& comm, Docks& docks, const WaitOptions& options)
      : plan_(plan), comm_(comm), docks_(docks), options_(options), own_(program(comm.rank())) {
    const DockOffer own = docks.offer();
    std::map<Rank, DockOffer> offers;
    for (const Message& m : plan.messages) {
      if (m.from == comm.rank() || m.to == comm.rank()) offers[peer(m)] = own;
    }
    reach(exchanged(offers));
  }

  /// Whether messages come into this rank's docks.
  bool needs_docks() const { return !writers_.empty() || comm_.takes_gpu_memory(); }

  void settle(FerryLoad& load) {
    const Message& m = plan_.messages[static_cast<std::size_t>(load.tag)];
    if (load.is_sent)
      settle_sent(load, m.to);
    else
      settle_received(load, m.from);
  }

 private:
  const RankProgram& program(Rank r) const { return plan_.programs[static_cast<std::size_t>(r)]; }
  Rank peer(const Message& m) const { return m.from == comm_.rank() ? m.to : m.from; }
  Passage unshared() const { return comm_.takes_gpu_memory() ? Passage::direct : Passage::staged; }

  void reach(const std::map<Rank, DockOffer>& offers) {
    std::map<Rank, bool> reached;
    for (const auto& [peer, offer] : offers) {
      std::byte* docks = docks_.reach(offer);
      reached[peer] = docks != nullptr;
      if (docks != nullptr) theirs_.emplace(peer, Theirs{docks, DockPlan(program(peer))});
    }
    for (const auto& [peer, reaches] : exchanged(reached)) {
      if (!reaches) continue;
      docks_.lend(offers.at(peer));
      writers_.insert(peer);
    }
  }

  void settle_sent(FerryLoad& load, Rank to) const {
    const auto found = theirs_.find(to);
    load.passage = found == theirs_.end() ? unshared() : Passage::shared;
    if (load.passage == Passage::shared)
      load.dock = found->second.docks + found->second.plan.offsets.at(load.tag);
  }

  void settle_received(FerryLoad& load, Rank from) {
    load.passage = writers_.count(from) == 0 ? unshared() : Passage::shared;
    if (load.passage != Passage::staged) load.dock = docks_.data() + own_.offsets.at(load.tag);
  }

  /// What the same peers have for this rank.
  template <class Value>
  std::map<Rank, Value> exchanged(const std::map<Rank, Value>& own) {
    const Tag tag = control_tag(plan_, Control::passages);
    std::map<Rank, Value> theirs = own;
    std::map<Rank, Request> sent, received;
    for (auto& [peer, value] : theirs) {
      received[peer] = comm_.irecv(&value, sizeof value, peer, tag);
      sent[peer] = comm_.isend(&own.at(peer), sizeof value, peer, tag);
    }
    for (auto& [peer, request] : received)
      wait(comm_, request, {false, peer, tag, kLabel}, options_);
    for (auto& [peer, request] : sent) wait(comm_, request, {true, peer, tag, kLabel}, options_);
    return theirs;
  }

  struct Theirs {
    std::byte* docks;
    DockPlan plan;
  };

  const Plan& plan_;
  Communicator& comm_;
  Docks& docks_;
  const WaitOptions& options_;
  DockPlan own_;
  std::map<Rank, Theirs> theirs_;  // of ranks whose docks this one writes
  std::set<Rank> writers_;         // ranks that write this one's
};

}  // namespace

std::int64_t dock_bytes(const RankProgram& program) { return DockPlan(program).bytes; }

std::vector<FerryLoad> ferry_loads(const Plan& plan, Communicator& comm, const BufferOf& buffer_of,
                                   Docks* docks, const WaitOptions& options) {
  std::vector<FerryLoad> loads =
      loads_of(plan.programs[static_cast<std::size_t>(comm.rank())], buffer_of);
  if (docks == nullptr) return loads;
  Agreement agreement(plan, comm, *docks, options);
  if (!agreement.needs_docks()) docks->give_back();
  for (FerryLoad& load : loads) agreement.settle(load);
  return loads;
}

}  // namespace hpmp
