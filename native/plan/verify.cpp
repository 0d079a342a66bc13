// The verifier: refuses plans that could hang, read what was never written, or overlap in memory.
#include "plan/checks.h"

namespace hpmp {
namespace {

class DryRun : PlanCheck {
 public:
  using PlanCheck::PlanCheck;

  /// Sends are taken as synchronous: a WAIT passes once the receiver has posted, a RECV once the
  /// sender has sent. No progress with work left means a hang.
  void dry_run() const {
    std::vector<std::size_t> at(static_cast<std::size_t>(plan_.ranks), 0);
    std::vector<bool> posted(plan_.messages.size(), false), sent(plan_.messages.size(), false);
    for (bool moved = true; moved;) {
      moved = false;
      for (Rank r = 0; r < plan_.ranks; ++r) {
        std::size_t& pc = at[static_cast<std::size_t>(r)];
        for (; pc < program(r).instrs.size(); ++pc, moved = true) {
          const Instr& i = program(r).instrs[pc];
          const auto m = static_cast<std::size_t>(i.message);
          const bool receives = i.kind == InstrKind::recv || i.kind == InstrKind::reduce;
          if ((receives && !sent[m]) || (i.kind == InstrKind::wait && !posted[m])) break;
          if (i.kind == InstrKind::send) sent[m] = true;
          if (i.kind == InstrKind::post) posted[m] = true;
        }
      }
    }
    for (Rank r = 0; r < plan_.ranks; ++r) {
      const std::size_t pc = at[static_cast<std::size_t>(r)];
      if (pc < program(r).instrs.size())
        reject(r, "would wait for ever at instruction " + std::to_string(pc) + ", " +
                      name(program(r).instrs[pc]));
    }
  }
};

void check_grid(const Graph& graph, const GridSpec& grid) {
  try {
    checked_grid(graph, grid);
  } catch (const Error& error) {
    fail(ErrorCode::invalid_plan, error.what());
  }
}

}  // namespace

void verify_plan(const Graph& graph, const Plan& plan) {
  if (graph_hash(graph) != plan.graph_hash) {
    fail(ErrorCode::invalid_plan, "the plan was made for graph " + plan.graph_hash + ", not for " +
                                      graph_hash(graph) + "; plan again");
  }
  check_grid(graph, plan.grid);
  const GroupedGraph grouped = fuse_groups(graph);
  check_structure(graph, grouped, plan);
  check_flow(graph, grouped, plan);
  check_statistics(graph, grouped, plan);
  for (Rank r = 0; r < plan.ranks; ++r) {
    check_program(graph, grouped, plan, r);
    check_redo(graph, grouped, plan, r);
    check_memory(graph, grouped, plan, r);
  }
  DryRun(graph, grouped, plan).dry_run();
}

}  // namespace hpmp
