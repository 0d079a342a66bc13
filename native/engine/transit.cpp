#include "engine/transit.h"

#include <algorithm>

namespace hpmp {
namespace {

std::unique_ptr<Docks> docks_of(const RankProgram& program, Backend& backend) {
  return backend.is_host() ? nullptr : backend.make_docks(dock_bytes(program));
}

}  // namespace

Transit::Transit(const Plan& plan, Communicator& comm, const BufferOf& buffer_of, Backend& backend,
                 double timeout_seconds)
    : comm_(comm),
      dtype_(plan.grid.dtype),
      docks_(docks_of(plan.programs[static_cast<std::size_t>(comm.rank())], backend)) {
  wait_.timeout_seconds = timeout_seconds;
  const std::vector<FerryLoad> loads = ferry_loads(plan, comm, buffer_of, docks_.get(), wait_);
  ferry_ = backend.make_ferry(loads);
  if (ferry_ != nullptr) wait_.progress = [this] { advance(); };
  for (const FerryLoad& l : loads) {
    Leg& leg = legs_[l.tag];
    leg.message = &plan.messages[static_cast<std::size_t>(l.tag)];
    leg.buffer = l.buffer;
    leg.passage = l.passage;
    if (ferry_ == nullptr) continue;
    if (l.is_sent)
      leg.departure = &ferry_->departure(l.tag);
    else
      leg.arrival = &ferry_->arrival(l.tag);
    if (!l.is_sent) leg.buffer = leg.arrival->buffer();
  }
}

std::size_t Transit::carried_bytes(const Leg& leg, const std::byte* dock) const {
  const Message& m = *leg.message;
  return dock == nullptr ? 0 : static_cast<std::size_t>(message_bytes(m.kind, m.elems, dtype_));
}

void Transit::send(const Message& m) {
  Leg& l = leg(m);
  if (l.departure != nullptr) {
    l.departure->begin();
    l.admitted = l.departure->dock() != nullptr;
    if (!l.admitted) l.note = comm_.irecv(nullptr, 0, m.to, m.tag);
  }
  hold_unless(start_send(l), l);
}

void Transit::post(const Message& m) {
  Leg& l = leg(m);
  if (l.arrival != nullptr) l.arrival->begin();
  hold_unless(start_receive(l), l);
}

void Transit::hold_unless(bool started, Leg& leg) {
  leg.held = !started;
  if (leg.held) held_.push_back(&leg);
}

bool Transit::start_send(Leg& l) {
  const Message& m = *l.message;
  const std::byte* dock = l.buffer;
  if (l.departure != nullptr) {
    if (!l.admitted) {
      if (!comm_.test(l.note)) return false;
      l.departure->admit();
      l.admitted = true;
    }
    if (!l.departure->is_done()) return false;
    dock = l.departure->dock();
  }
  begin(l, comm_.isend(dock, carried_bytes(l, dock), m.to, m.tag));
  return true;
}

bool Transit::start_receive(Leg& l) {
  const Message& m = *l.message;
  std::byte* dock = l.buffer;
  if (l.arrival != nullptr) {
    if (!l.arrival->is_free()) return false;
    dock = l.arrival->dock();
  }
  begin(l, comm_.irecv(dock, carried_bytes(l, dock), m.from, m.tag));
  if (dock == nullptr) l.note = comm_.isend(nullptr, 0, m.from, m.tag);
  return true;
}

void Transit::begin(Leg& leg, Request request) {
  leg.request = std::move(request);
  open_.push_back(&leg);
}

/// In any order: what the other side waits for may be behind what it does not expect yet.
void Transit::advance() {
  for (Leg* l : held_) l->held = !(l->departure != nullptr ? start_send(*l) : start_receive(*l));
  held_.erase(std::remove_if(held_.begin(), held_.end(), [](const Leg* l) { return !l->held; }),
              held_.end());
}

void Transit::receive(const Message& m, const char* label) {
  Leg& l = leg(m);
  if (l.held) {
    l.arrival->clear();
    advance();
  }
  wait(comm_, l.request, {false, m.from, m.tag, label}, wait_);
  wait(comm_, l.note, {true, m.from, m.tag, label}, wait_);
  if (l.arrival != nullptr) l.arrival->land();
}

void Transit::release(const Message& m) {
  if (leg(m).arrival != nullptr) leg(m).arrival->release();
}

void Transit::wait_sent(const Message& m, const char* label) {
  Leg& l = leg(m);
  if (l.held) {
    wait(comm_, l.note, {true, m.to, m.tag, label}, wait_);
    advance();
  }
  if (l.held) {
    l.departure->finish();
    advance();
  }
  wait(comm_, l.request, {true, m.to, m.tag, label}, wait_);
}

void Transit::progress() {
  advance();
  while (!open_.empty() && !open_.back()->request.active) open_.pop_back();
  // One test drives them all.
  if (!open_.empty()) comm_.test(open_.back()->request);
}

}  // namespace hpmp
