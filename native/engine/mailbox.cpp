#include "engine/mailbox.h"

#include <algorithm>

#include "base/error.h"

namespace hpmp {
namespace {

/// The block of a message's channels: fixed, so that ranks of different vector width agree.
std::int64_t wire_block(std::int64_t c) { return c % 16 == 0 ? 16 : c; }

std::int64_t channels(const Letter& l) {
  std::int64_t c = 0;
  for (const Piece& p : l.pieces) c += p.range.size();
  return c;
}

/// Rows of a parameter, which lie together: one channel.
TensorRef flat(float* data, std::int64_t count) { return {data, 1, 1, count, 1, 1, DType::fp32}; }

std::int64_t largest_net(const Plan& plan) {
  std::int64_t most = -1;
  for (const Message& m : plan.messages) {
    for (const Letter& l : m.letters) {
      for (const Piece& p : l.pieces) most = std::max<std::int64_t>(most, p.net.index);
    }
  }
  return most;
}

}  // namespace

Mailbox::Mailbox(const Plan& plan, Communicator& comm, Arena& arena, Backend& backend,
                 ParamStore& params, const StatisticsMail& statistics, double timeout_seconds)
    : rank_(comm.rank()),
      arena_(arena),
      params_(params),
      statistics_(statistics),
      transit_(
          plan, comm, [&](const PlannedTensor& t) { return arena.get(key_of(t)).data; }, backend,
          timeout_seconds),
      routines_(plan.messages.size()),
      sent_by_net_(static_cast<std::size_t>(largest_net(plan) + 1), 0),
      sent_by_peer_(static_cast<std::size_t>(plan.ranks), 0),
      samples_(plan.grid.batch / plan.grid.shards),
      dtype_(plan.grid.dtype) {
  for (const Message& m : plan.messages) {
    if (is_statistics(m.kind) || (!is_sent(m) && m.to != rank_)) continue;
    routines_[static_cast<std::size_t>(m.tag)] = backend.make_copies(copies(m));
  }
}

ArenaTensor& Mailbox::image_of(MessageKind of, const Letter& l) {
  const TensorKind kind =
      of == MessageKind::activation ? TensorKind::image : TensorKind::image_grad;
  return arena_.get({kind, l.group, l.shard, -1});
}

TensorRef Mailbox::buffer_tensor(const TensorRef& image, const Letter& l, std::byte* data) const {
  const std::int64_t c = channels(l);
  return {data, samples_, c, image.h, image.w, wire_block(c), image.dtype};
}

std::vector<ChannelCopy> Mailbox::copies(const Message& m) {
  std::vector<ChannelCopy> all;
  std::byte* wire = transit_.buffer(m);
  for (const Letter& l : m.letters) {
    if (carries_params(m.kind))
      copy_params(m, l, reinterpret_cast<float*>(wire), all);
    else
      copy_channels(m, l, wire, all);
    wire += message_bytes(m.kind, l.elems, dtype_);
  }
  return all;
}

void Mailbox::copy_channels(const Message& m, const Letter& l, std::byte* wire,
                            std::vector<ChannelCopy>& copies) {
  const ArenaTensor& image = image_of(m.kind, l);
  const TensorRef packed = buffer_tensor(image.ref, l, wire);
  std::int64_t at = 0;
  for (const Piece& p : l.pieces) {
    const std::int64_t c = packed_position(image.plan->channels, p.range.begin);
    if (is_sent(m))
      copies.push_back({packed, at, image.ref, c, p.range.size(), false});
    else
      copies.push_back({image.ref, c, packed, at, p.range.size(), m.kind == MessageKind::gradient});
    at += p.range.size();
  }
}

void Mailbox::copy_params(const Message& m, const Letter& l, float* wire,
                          std::vector<ChannelCopy>& copies) {
  for (const Piece& p : l.pieces) {
    const HeldParam& held = *params_.find(p.param);
    const FloatArray& array = m.kind == MessageKind::param ? held.weight : held.grad;
    const TensorRef rows = flat(array.data() + held.row(p.range.begin) * held.row_elems, p.elems);
    const TensorRef packed = flat(wire, p.elems);
    if (is_sent(m))
      copies.push_back({packed, 0, rows, 0, 1, false});
    else
      copies.push_back({rows, 0, packed, 0, 1, m.kind != MessageKind::param});
    wire += p.elems;
  }
}

void Mailbox::pack(const Message& m) {
  if (is_statistics(m.kind))
    return statistics_.pack(m, reinterpret_cast<float*>(transit_.buffer(m)));
  routines_[static_cast<std::size_t>(m.tag)]->run();
}

void Mailbox::unpack(const Message& m) {
  if (is_statistics(m.kind))
    return statistics_.unpack(m, reinterpret_cast<const float*>(transit_.buffer(m)));
  routines_[static_cast<std::size_t>(m.tag)]->run();
}

void Mailbox::count(const Message& m) {
  for (const Letter& l : m.letters) {
    for (const Piece& p : l.pieces) sent_by_net_[p.net.at()] += p.elems;
  }
  sent_by_peer_[static_cast<std::size_t>(m.to)] += m.elems;
  sent_bytes_[static_cast<std::size_t>(transit_.passage(m))] +=
      message_bytes(m.kind, m.elems, dtype_);
}

void Mailbox::send(const Message& m) {
  pack(m);
  count(m);
  transit_.send(m);
}

void Mailbox::receive(const Message& m, const char* label) {
  transit_.receive(m, label);
  unpack(m);
  transit_.release(m);
}

void Mailbox::reset_counters() {
  std::fill(sent_by_net_.begin(), sent_by_net_.end(), 0);
  std::fill(sent_by_peer_.begin(), sent_by_peer_.end(), 0);
  sent_bytes_ = {};
}

}  // namespace hpmp
