#include "engine/statistics.h"

#include <algorithm>

#include "base/error.h"

namespace hpmp {
namespace {

const ParamRows* rows_of(const Plan& plan, Rank r, ParamId p) {
  for (const ParamRows& rows : plan.programs[static_cast<std::size_t>(r)].params) {
    if (rows.param == p) return &rows;
  }
  return nullptr;
}

/// One statistic's exchange with one peer.
struct Exchange {
  Rank peer;
  Ranges rows;
  std::vector<float> data;
  Request request;
};

class Sharing {
 public:
  Sharing(const Plan& plan, Communicator& comm, HeldParam& held, Backend& backend, Tag tag,
          const WaitOptions& options)
      : plan_(plan),
        comm_(comm),
        held_(held),
        tag_(tag),
        options_(options),
        weight_(backend, held.weight),
        grad_(backend, held.grad) {}

  void run() {
    std::vector<Exchange> to_owners = exchanges(false), to_users = exchanges(true);
    // 1. Parts go to the owners.
    for (Exchange& e : to_owners) send(e, grad_.data());
    for (Exchange& e : to_users) receive(e);
    for (Exchange& e : to_owners) wait_for(e, true);
    for (Exchange& e : to_users) {
      wait_for(e, false);
      apply(e, [](float& part, float other) { part += other; }, grad_.data());
    }
    std::copy_n(grad_.data(), held_.grad.size(), weight_.data());
    // 2. Sums come back; the owner keeps the whole as its part.
    for (Exchange& e : to_users) send(e, grad_.data());
    for (Exchange& e : to_owners) receive(e);
    for (Exchange& e : to_users) wait_for(e, true);
    for (Exchange& e : to_owners) {
      wait_for(e, false);
      apply(e, [](float& whole, float other) { whole = other; }, weight_.data());
      apply(e, [](float& part, float) { part = 0; }, grad_.data());
    }
    weight_.give_back();
    grad_.give_back();
  }

 private:
  std::vector<Exchange> exchanges(bool as_owner) const {
    std::vector<Exchange> list;
    for (Rank r = 0; r < plan_.ranks; ++r) {
      const ParamRows* other = r == comm_.rank() ? nullptr : rows_of(plan_, r, held_.rows.param);
      if (other == nullptr) continue;
      Ranges rows = as_owner ? intersect(held_.rows.owned, other->used)
                             : intersect(other->owned, held_.rows.used);
      if (rows.empty()) continue;
      const auto count = static_cast<std::size_t>(total_size(rows) * held_.row_elems);
      list.push_back({r, std::move(rows), std::vector<float>(count), Request()});
    }
    return list;
  }

  template <class F>
  void apply(Exchange& e, F f, float* values) const {
    std::size_t at = 0;
    for (Range r : e.rows) {
      float* v = values + held_.row(r.begin) * held_.row_elems;
      for (std::int64_t i = 0; i < r.size() * held_.row_elems; ++i) f(v[i], e.data[at++]);
    }
  }

  void send(Exchange& e, const float* values) const {
    std::vector<float> out;
    for (Range r : e.rows) {
      const float* v = values + held_.row(r.begin) * held_.row_elems;
      out.insert(out.end(), v, v + r.size() * held_.row_elems);
    }
    e.data = std::move(out);
    e.request = comm_.isend(e.data.data(), e.data.size() * sizeof(float), e.peer, tag_);
  }

  void receive(Exchange& e) const {
    e.request = comm_.irecv(e.data.data(), e.data.size() * sizeof(float), e.peer, tag_);
  }

  void wait_for(Exchange& e, bool sending) const {
    wait(comm_, e.request, {sending, e.peer, tag_, "STATISTICS"}, options_);
  }

  const Plan& plan_;
  Communicator& comm_;
  HeldParam& held_;
  Tag tag_;
  const WaitOptions& options_;
  HostView weight_, grad_;
};

}  // namespace

void share_statistics(const Graph& graph, const Plan& plan, Communicator& comm, ParamStore& store,
                      Backend& backend, Tag first_tag, const WaitOptions& options) {
  for (std::size_t p = 0; p < graph.params.size(); ++p) {
    HeldParam* held = store.find(ParamId(static_cast<std::int64_t>(p)));
    if (held != nullptr && held->state)
      Sharing(plan, comm, *held, backend, first_tag, options).run();
  }
}

}  // namespace hpmp
