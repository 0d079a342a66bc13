// The text form of a plan, written.
#include "plan/text.h"
#include "base/numbers.h"
#include "plan/plan.h"

namespace hpmp {

std::string ranges_text(const Ranges& ranges) {
  std::string out;
  for (Range r : ranges)
    out += (out.empty() ? "" : ",") + std::to_string(r.begin) + "-" + std::to_string(r.end);
  return out.empty() ? "none" : out;
}

namespace {

std::string number(std::int64_t v) { return std::to_string(v); }

std::string shard_text(std::int32_t shard, std::int32_t stage) {
  return number(shard) + (stage > 0 ? "/" + number(stage) : "");
}

void write_header(const Plan& p, std::string& out) {
  const GridSpec& g = p.grid;
  out += "hpmp-plan 1\ngraph " + p.graph_hash + "\nstrategy " + p.strategy + "\n";
  out += "grid " + number(g.batch) + " " + number(g.shards) + " " + number(g.channel_block) + " " +
         number(g.dense_block) + " " + number(g.most_blocks) + " " + number(g.bn_group) + " " +
         number(g.training) + " " + real_text(g.flops_per_byte) + (g.bn_sync ? " sync" : "") +
         (g.dtype == DType::fp32 ? "" : std::string(" ") + dtype_name(g.dtype)) +
         (g.optimizer == OptimizerKind::sgd ? ""
                                            : std::string(" ") + optimizer_info(g.optimizer).name) +
         "\n";
  out += "predicted " + number(p.activation_elems) + " " + number(p.parameter_elems) + " " +
         real_text(p.imbalance) + " " + real_text(p.step_seconds) + " " +
         real_text(p.bubble_fraction) + "\n";
}

void write_message(const Message& m, std::string& out) {
  out += "message " + number(m.tag) + " " + message_name(m.kind) + " " + number(m.from) + " " +
         number(m.to);
  for (const Letter& l : m.letters) {
    out += (&l == &m.lead() ? " " : " + ") + number(l.group.index) + " " +
           shard_text(l.shard, l.stage);
    for (const Piece& p : l.pieces) {
      out += " " + number(p.net.index) + ":" + number(p.param.index) + ":" +
             ranges_text({p.range}) + ":" + number(p.elems);
    }
  }
  out += "\n";
}

void write_program(const RankProgram& program, Rank r, std::string& out) {
  out += "rank " + number(r) + " " + number(program.arena_bytes) + " " +
         number(program.param_bytes) + "\n";
  for (const OwnedChannels& t : program.tasks) {
    out += "task " + number(t.group.index) + " " + number(t.shard) + " " + ranges_text(t.channels) +
           "\n";
  }
  for (const ParamRows& p : program.params) {
    out += "param " + number(p.param.index) + " " + ranges_text(p.used) + " " +
           ranges_text(p.owned) + "\n";
  }
  for (const PlannedTensor& t : program.tensors) {
    out += std::string("tensor ") + tensor_kind_name(t.kind) + " " + number(t.group.index) + " " +
           number(t.shard) + " " + number(t.message) + " " + ranges_text(t.channels) + " " +
           number(t.bytes) + " " + number(t.offset) + " " + number(t.first) + " " + number(t.last);
    if (t.lives_again()) out += " " + number(t.again_first) + " " + number(t.again_last);
    out += "\n";
  }
  for (const Instr& i : program.instrs) {
    out += std::string(instr_name(i.kind)) + " " + number(i.group.index) + " " +
           shard_text(i.shard, i.stage) + " " + number(i.message) + " " +
           real_text(i.start_seconds) + " " + real_text(i.end_seconds) + "\n";
  }
}

}  // namespace

const char* tensor_kind_name(TensorKind kind) {
  constexpr const char* kNames[] = {"image",       "image_grad", "saved",     "send_buffer",
                                    "recv_buffer", "statistics", "stage_grad"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string plan_text(const Plan& plan) {
  std::string out;
  write_header(plan, out);
  for (const Message& m : plan.messages) write_message(m, out);
  for (std::size_t r = 0; r < plan.programs.size(); ++r)
    write_program(plan.programs[r], static_cast<Rank>(r), out);
  return out + "end\n";
}

}  // namespace hpmp
