#include "engine/mailbox.h"

#include <algorithm>
#include <cstring>

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

ArenaTensor& Mailbox::image_of(MessageKind of, const Letter& l) {
  const TensorKind kind =
      of == MessageKind::activation ? TensorKind::image : TensorKind::image_grad;
  return arena_.get({kind, l.group, l.shard, -1});
}

std::byte* Mailbox::buffer(TensorKind kind, const Message& m) {
  return arena_.get({kind, GroupId(), -1, m.tag}).data;
}

std::size_t Mailbox::bytes(const Message& m) const {
  return static_cast<std::size_t>(message_bytes(m.kind, m.elems, dtype_));
}

TensorRef Mailbox::buffer_tensor(const TensorRef& image, const Letter& l, std::byte* data) const {
  const std::int64_t c = channels(l);
  return {data, samples_, c, image.h, image.w, wire_block(c), image.dtype};
}

void Mailbox::pack(const Message& m, std::byte* out) {
  if (is_statistics(m.kind)) return statistics_.pack(m, reinterpret_cast<float*>(out));
  for (const Letter& l : m.letters) {
    if (carries_params(m.kind))
      pack_params(m.kind, l, reinterpret_cast<float*>(out));
    else
      pack_channels(m.kind, l, out);
    out += message_bytes(m.kind, l.elems, dtype_);
  }
}

void Mailbox::pack_channels(MessageKind kind, const Letter& l, std::byte* out) {
  const ArenaTensor& image = image_of(kind, l);
  const TensorRef packed = buffer_tensor(image.ref, l, out);
  std::int64_t at = 0;
  for (const Piece& p : l.pieces) {
    copy_channels(packed, at, image.ref, packed_position(image.plan->channels, p.range.begin),
                  p.range.size(), false);
    at += p.range.size();
  }
}

void Mailbox::pack_params(MessageKind kind, const Letter& l, float* out) {
  for (const Piece& p : l.pieces) {
    const HeldParam& held = *params_.find(p.param);
    const Floats& from = kind == MessageKind::param ? held.weight : held.grad;
    std::copy_n(from.data() + held.row(p.range.begin) * held.row_elems, p.elems, out);
    out += p.elems;
  }
}

void Mailbox::unpack(const Message& m, std::byte* in) {
  if (is_statistics(m.kind)) return statistics_.unpack(m, reinterpret_cast<const float*>(in));
  for (const Letter& l : m.letters) {
    if (carries_params(m.kind))
      unpack_params(m.kind, l, reinterpret_cast<const float*>(in));
    else
      unpack_channels(m.kind, l, in);
    in += message_bytes(m.kind, l.elems, dtype_);
  }
}

void Mailbox::unpack_channels(MessageKind kind, const Letter& l, std::byte* in) {
  ArenaTensor& image = image_of(kind, l);
  const TensorRef packed = buffer_tensor(image.ref, l, in);
  std::int64_t at = 0;
  for (const Piece& p : l.pieces) {
    copy_channels(image.ref, packed_position(image.plan->channels, p.range.begin), packed, at,
                  p.range.size(), kind == MessageKind::gradient);
    at += p.range.size();
  }
}

void Mailbox::unpack_params(MessageKind kind, const Letter& l, const float* in) {
  for (const Piece& p : l.pieces) {
    HeldParam& held = *params_.find(p.param);
    const std::int64_t at = held.row(p.range.begin) * held.row_elems;
    if (kind == MessageKind::param) {
      std::copy_n(in, p.elems, held.weight.data() + at);
    } else {
      float* sum = held.grad.data() + at;
      for (std::int64_t i = 0; i < p.elems; ++i) sum[i] += in[i];
    }
    in += p.elems;
  }
}

void Mailbox::count(const Message& m) {
  for (const Letter& l : m.letters) {
    for (const Piece& p : l.pieces) sent_by_net_[p.net.at()] += p.elems;
  }
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

void Mailbox::receive(const Message& m, const char* label) {
  wait(comm_, requests_[static_cast<std::size_t>(m.tag)], {false, m.from, m.tag, label}, wait_);
  unpack(m, buffer(TensorKind::recv_buffer, m));
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
