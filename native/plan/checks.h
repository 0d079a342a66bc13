// The parts of the verifier; each throws `invalid_plan` naming rank and instruction.
#pragma once

#include <string>

#include "base/error.h"
#include "plan/plan.h"

namespace hpmp {

/// What every check needs to look at a plan and to speak of it.
class PlanCheck {
 public:
  PlanCheck(const Graph& graph, const GroupedGraph& grouped, const Plan& plan)
      : graph_(graph), grouped_(grouped), plan_(plan) {}

 protected:
  const RankProgram& program(Rank r) const { return plan_.programs[static_cast<std::size_t>(r)]; }
  const Message& message(const Instr& i) const {
    return plan_.messages[static_cast<std::size_t>(i.message)];
  }
  std::string name(const Instr& i) const {
    return "'" + instr_label(graph_, grouped_, plan_, i) + "'";
  }
  [[noreturn]] static void reject(Rank r, const std::string& why) {
    fail(ErrorCode::invalid_plan, "rank " + std::to_string(r) + ": " + why);
  }

  const Graph& graph_;
  const GroupedGraph& grouped_;
  const Plan& plan_;
};

/// Indices are in range, pieces fit their values; every channel and row has exactly one rank.
void check_structure(const Graph& graph, const GroupedGraph& grouped, const Plan& plan);

/// Of every exchange of statistics: each channel has one owner, who gets the part of every other
/// rank that holds it and sends the sum back.
void check_statistics(const Graph& graph, const GroupedGraph& grouped, const Plan& plan);

/// Rank `r` reads nothing before it is written, runs all its tasks and handles every message once.
void check_program(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Rank r);

/// Rank `r` computes again only what is all its own, once, after all that its forward part reads.
void check_redo(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Rank r);

/// Ranks hold what they send and receive; all that is lent comes back as a gradient, where one
/// flows.
void check_flow(const Graph& graph, const GroupedGraph& grouped, const Plan& plan);

/// Rank `r`'s tensors fit their contents and the arena, and those that live together are disjoint.
void check_memory(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Rank r);

}  // namespace hpmp
