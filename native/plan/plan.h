// The plan: per rank one list of instructions, with every tensor, message and offset fixed.
#pragma once

#include <string>
#include <vector>

#include "partition/placement.h"
#include "plan/machine.h"

namespace hpmp {

enum class InstrKind : std::uint8_t {
  load,     // input images of a shard into their image tensor
  forward,  // a group on a shard
  backward,
  send,    // pack and start a message
  post,    // start receiving a message
  recv,    // wait for a posted message and unpack it
  wait,    // until a send has completed and its buffer may be used again
  reduce,  // recv of a part of a parameter's gradient or of statistics: adds it to the owner's own
  update,  // optimizer step on the owned rows of a group's parameters
  redo,    // forward once more, for what was freed: changes and sends nothing else
};

constexpr int kInstrKinds = 10;

enum class MessageKind : std::uint8_t {
  activation,
  gradient,
  param_gradient,
  param,
  // Of batch statistics that shards on several ranks share:
  statistics,           // a rank's part of the sums, to their owner
  statistics_sum,       // and the whole from there
  gradient_statistics,  // likewise in the backward pass
  gradient_statistics_sum,
};

constexpr int kMessageKinds = 8;

inline bool is_statistics(MessageKind kind) { return kind >= MessageKind::statistics; }
inline bool is_backward(MessageKind kind) {
  return kind == MessageKind::gradient || kind >= MessageKind::gradient_statistics;
}
inline bool carries_params(MessageKind kind) {
  return kind == MessageKind::param || kind == MessageKind::param_gradient;
}
/// Whether it carries a rank's part to the owner, who adds it up.
inline bool is_partial(MessageKind kind) {
  return kind == MessageKind::param_gradient || kind == MessageKind::statistics ||
         kind == MessageKind::gradient_statistics;
}

/// On the wire and in its buffers: parameters and statistics are fp32 whatever activations are.
inline std::int64_t message_bytes(MessageKind kind, std::int64_t elems, DType dtype) {
  const bool stored = kind == MessageKind::activation || kind == MessageKind::gradient;
  return elems * elem_bytes(stored ? dtype : DType::fp32);
}

/// A net's share in a message: channels of the group's output, rows of a parameter, or channels of
/// a batch_norm (a mean and a sum of squares, or two sums, each).
struct Piece {
  NetId net;
  ParamId param;  // invalid for activations
  Range range;
  std::int64_t elems = 0;
};

/// What is sent of one group and shard, or of the parameters at home in one group.
struct Letter {
  GroupId group;
  std::int32_t shard = -1;  // of statistics: the first of those that share them
  std::vector<Piece> pieces;
  std::int64_t elems = 0;
  std::int32_t stage = 0;  // of statistics: it follows this stage of the group
};

/// Letters of one kind that one rank sends to another together; one of statistics.
struct Message {
  Tag tag = 0;  // its index in Plan::messages
  MessageKind kind = MessageKind::activation;
  Rank from = 0, to = 0;
  std::vector<Letter> letters;  // at least one
  std::int64_t elems = 0;       // of all of them

  /// By which instructions name the message.
  const Letter& lead() const { return letters.front(); }
};

enum class TensorKind : std::uint8_t {
  image,  // channels of a group's output that are on this rank: own and received
  image_grad,
  saved,  // what a group's forward keeps for its backward
  send_buffer,
  recv_buffer,
  statistics,  // sums per channel that the shards from `shard` on share: two doubles for every
               // forward and then for every backward exchange of the group
  stage_grad,  // gradient that one backward stage leaves to the next
};

constexpr int kTensorKinds = 7;

struct PlannedTensor {
  TensorKind kind = TensorKind::image;
  GroupId group;
  std::int32_t shard = -1;
  std::int32_t message = -1;  // buffers
  Ranges channels;            // images, statistics
  std::int64_t bytes = 0;
  std::int64_t offset = 0;           // into the rank's arena
  std::int32_t first = 0, last = 0;  // instructions of its lifetime, inclusive
  // Of its second life, from a REDO on, at the same offset; in between others may be there.
  std::int32_t again_first = -1, again_last = -1;

  bool lives_again() const { return again_first >= 0; }
};

struct Instr {
  InstrKind kind = InstrKind::load;
  GroupId group;
  std::int32_t shard = -1;
  std::int32_t message = -1;
  double start_seconds = 0, end_seconds = 0;  // predicted
  std::int32_t stage = 0;                     // of forward and backward; see hypergraph/stages.h
};

/// Channels of a group that a rank computes for a shard.
struct OwnedChannels {
  GroupId group;
  std::int32_t shard = 0;
  Ranges channels;
};

/// Rows of a parameter that a rank uses, and those whose optimizer state it keeps.
struct ParamRows {
  ParamId param;
  Ranges used, owned;
};

struct RankProgram {
  std::vector<OwnedChannels> tasks;
  std::vector<ParamRows> params;
  std::vector<PlannedTensor> tensors;
  std::vector<Instr> instrs;
  std::int64_t arena_bytes = 0;  // activations, gradients and buffers of a step
  std::int64_t param_bytes = 0;  // weights, gradients, the optimizer's states
};

struct Plan {
  std::string graph_hash;
  int ranks = 1;
  GridSpec grid;
  std::string strategy;
  std::vector<Message> messages;
  std::vector<RankProgram> programs;
  std::int64_t activation_elems = 0, parameter_elems = 0;  // predicted, = the metric
  double imbalance = 0, step_seconds = 0, bubble_fraction = 0;
};

/// Errors: `infeasible` if a rank's memory exceeds the machine's limit, saying by how much.
Plan build_plan(const Hypergraph& h, const Placement& p, const Machine& machine,
                const std::string& strategy);

/// The plan, which was verified, for another optimizer: another one keeps more or less beside the
/// parameters, and does the same. Predicted times stay.
Plan for_optimizer(const Graph& graph, Plan plan, OptimizerKind kind);

std::string plan_text(const Plan& plan);
/// Errors: `invalid_plan` with the line and the rule.
Plan parse_plan(const std::string& text);

/// Dry-runs all ranks with synchronous sends; refuses a plan that could hang, read what was never
/// written, overlap live tensors, or that was made for another graph.
/// Errors: `invalid_plan` naming rank and instruction.
void verify_plan(const Graph& graph, const Plan& plan);

const char* instr_name(InstrKind kind);      // "FWD"
const char* message_name(MessageKind kind);  // "param_gradient"

/// "BWD layer1.0.conv2 shard 3", as in traces and messages.
std::string instr_label(const Graph& graph, const GroupedGraph& grouped, const Plan& plan,
                        const Instr& instr);

}  // namespace hpmp
