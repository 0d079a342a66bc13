#include "engine/mailbox.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace hpmp {
namespace {

/// The block of a message's channels: fixed, so that ranks of different vector width agree.
std::int64_t wire_block(std::int64_t c) { return c % 16 == 0 ? 16 : c; }

std::int64_t channels(const Message& m) {
  std::int64_t c = 0;
  for (const Piece& p : m.pieces) c += p.range.size();
  return c;
}

std::int64_t largest_net(const Plan& plan) {
  std::int64_t most = -1;
  for (const Message& m : plan.messages) {
    for (const Piece& p : m.pieces) most = std::max<std::int64_t>(most, p.net.index);
  }
  return most;
}

}  // namespace

Mailbox::Mailbox(const Plan& plan, Communicator& comm, Arena& arena, ParamStore& params,
                 const StatisticsMail& statistics, double timeout_seconds)
    : comm_(comm),
      arena_(arena),
      params_(params),
      statistics_(statistics),
      requests_(plan.messages.size()),
      sent_by_net_(static_cast<std::size_t>(largest_net(plan) + 1), 0),
      sent_by_peer_(static_cast<std::size_t>(plan.ranks), 0),
      samples_(plan.grid.batch / plan.grid.shards),
      dtype_(plan.grid.dtype) {
  wait_.timeout_seconds = timeout_seconds;
}

ArenaTensor& Mailbox::image_of(const Message& m) {
  const TensorKind kind =
      m.kind == MessageKind::activation ? TensorKind::image : TensorKind::image_grad;
  return arena_.get({kind, m.group, m.shard, -1});
}

std::byte* Mailbox::buffer(TensorKind kind, const Message& m) {
  return arena_.get({kind, GroupId(), -1, m.tag}).data;
}

std::size_t Mailbox::bytes(const Message& m) const {
  return static_cast<std::size_t>(message_bytes(m.kind, m.elems, dtype_));
}

TensorRef Mailbox::buffer_tensor(const Message& m, std::byte* data) {
  const TensorRef& image = image_of(m).ref;
  const std::int64_t c = channels(m);
  return {data, samples_, c, image.h, image.w, wire_block(c), image.dtype};
}

void Mailbox::pack(const Message& m, std::byte* out) {
  if (is_statistics(m.kind)) return statistics_.pack(m, reinterpret_cast<float*>(out));
  if (carries_params(m.kind)) return pack_params(m, reinterpret_cast<float*>(out));
  const ArenaTensor& image = image_of(m);
  const TensorRef packed = buffer_tensor(m, out);
  std::int64_t at = 0;
  for (const Piece& p : m.pieces) {
    copy_channels(packed, at, image.ref, packed_position(image.plan->channels, p.range.begin),
                  p.range.size(), false);
    at += p.range.size();
  }
}

void Mailbox::pack_params(const Message& m, float* out) {
  for (const Piece& p : m.pieces) {
    const HeldParam& held = *params_.find(p.param);
    const Floats& from = m.kind == MessageKind::param ? held.weight : held.grad;
    std::copy_n(from.data() + held.row(p.range.begin) * held.row_elems, p.elems, out);
    out += p.elems;
  }
}

void Mailbox::unpack(const Message& m, std::byte* in, bool clear_first) {
  if (is_statistics(m.kind)) return statistics_.unpack(m, reinterpret_cast<const float*>(in));
  if (carries_params(m.kind)) return unpack_params(m, reinterpret_cast<const float*>(in));
  ArenaTensor& image = image_of(m);
  if (clear_first) std::memset(image.data, 0, static_cast<std::size_t>(image.ref.bytes()));
  const TensorRef packed = buffer_tensor(m, in);
  std::int64_t at = 0;
  for (const Piece& p : m.pieces) {
    copy_channels(image.ref, packed_position(image.plan->channels, p.range.begin), packed, at,
                  p.range.size(), m.kind == MessageKind::gradient);
    at += p.range.size();
  }
}

void Mailbox::unpack_params(const Message& m, const float* in) {
  for (const Piece& p : m.pieces) {
    HeldParam& held = *params_.find(p.param);
    const std::int64_t at = held.row(p.range.begin) * held.row_elems;
    if (m.kind == MessageKind::param) {
      std::copy_n(in, p.elems, held.weight.data() + at);
    } else {
      float* sum = held.grad.data() + at;
      for (std::int64_t i = 0; i < p.elems; ++i) sum[i] += in[i];
    }
    in += p.elems;
  }
}

void Mailbox::count(const Message& m) {
  for (const Piece& p : m.pieces) sent_by_net_[p.net.at()] += p.elems;
  sent_by_peer_[static_cast<std::size_t>(m.to)] += m.elems;
  sent_bytes_ += static_cast<std::int64_t>(bytes(m));
}

void Mailbox::send(const Message& m) {
  open_.push_back(static_cast<std::size_t>(m.tag));
  std::byte* data = buffer(TensorKind::send_buffer, m);
  pack(m, data);
  count(m);
  requests_[static_cast<std::size_t>(m.tag)] = comm_.isend(data, bytes(m), m.to, m.tag);
}

void Mailbox::post(const Message& m) {
  open_.push_back(static_cast<std::size_t>(m.tag));
  requests_[static_cast<std::size_t>(m.tag)] =
      comm_.irecv(buffer(TensorKind::recv_buffer, m), bytes(m), m.from, m.tag);
}

void Mailbox::receive(const Message& m, bool clear_first, const char* label) {
  wait(comm_, requests_[static_cast<std::size_t>(m.tag)], {false, m.from, m.tag, label}, wait_);
  unpack(m, buffer(TensorKind::recv_buffer, m), clear_first);
}

void Mailbox::wait_sent(const Message& m, const char* label) {
  wait(comm_, requests_[static_cast<std::size_t>(m.tag)], {true, m.to, m.tag, label}, wait_);
}

void Mailbox::progress() {
  while (!open_.empty() && !requests_[open_.back()].active) open_.pop_back();
  // One test drives them all.
  if (!open_.empty()) comm_.test(requests_[open_.back()]);
}

void Mailbox::reset_counters() {
  std::fill(sent_by_net_.begin(), sent_by_net_.end(), 0);
  std::fill(sent_by_peer_.begin(), sent_by_peer_.end(), 0);
  sent_bytes_ = 0;
}

}  // namespace hpmp
