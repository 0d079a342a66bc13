// What an instruction is called in traces, errors and the plan's text.
#include "base/error.h"
#include "plan/plan.h"

namespace hpmp {

const char* instr_name(InstrKind kind) {
  constexpr const char* kNames[] = {"LOAD", "FWD",  "BWD",    "SEND",   "POST",
                                    "RECV", "WAIT", "REDUCE", "UPDATE", "REDO"};
  return kNames[static_cast<std::size_t>(kind)];
}

const char* message_name(MessageKind kind) {
  constexpr const char* kNames[] = {
      "activation", "gradient",       "param_gradient",      "param",
      "statistics", "statistics_sum", "gradient_statistics", "gradient_statistics_sum"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string instr_label(const Graph& graph, const GroupedGraph& grouped, const Plan& plan,
                        const Instr& instr) {
  std::string label = std::string(instr_name(instr.kind)) + " " +
                      graph.node(grouped.group(instr.group).nodes[0]).name;
  if (instr.shard >= 0) label += " shard " + std::to_string(instr.shard);
  if (instr.stage > 0) label += " stage " + std::to_string(instr.stage);
  if (instr.message < 0) return label;
  const Message& m = plan.messages[static_cast<std::size_t>(instr.message)];
  const bool out = instr.kind == InstrKind::send || instr.kind == InstrKind::wait;
  label += std::string(" ") + message_name(m.kind) + (out ? " to " : " from ") +
           std::to_string(out ? m.to : m.from);
  if (m.letters.size() > 1) label += " with " + std::to_string(m.letters.size() - 1) + " more";
  return label;
}

}  // namespace hpmp
