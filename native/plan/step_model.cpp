#include "plan/step_model.h"

#include <algorithm>
#include <map>

#include "hypergraph/stages.h"
#include "plan/chain.h"

namespace hpmp {
namespace {

class ModelBuilder {
 public:
  ModelBuilder(const Hypergraph& h, const Machine& machine)
      : model_{h, machine_for(machine, h.grid.dtype), {}, {}, {}} {}

  StepModel run() {
    add_groups();
    add_backward_readers();
    add_pieces();
    if (h().grid.training) add_params();
    return std::move(model_);
  }

 private:
  const Hypergraph& h() const { return model_.h; }

  void add_groups() {
    const std::vector<std::vector<GroupId>> consumers = group_consumers(h().grouped);
    for (std::size_t g = 0; g < consumers.size(); ++g) {
      const Group& group = h().grouped.groups[g];
      StepGroup step;
      step.backward = h().grid.training && group.requires_grad;
      step.consumers = consumers[g];
      if (h().blocks[g] > 0) step.fixed = fixed_seconds(model_.machine, h().graph, group);
      for (std::int32_t b = 0; b < h().blocks[g]; ++b) {
        const Region& region = h().cells[h().cell(GroupId(g), 0, b).at()].region;
        step.cells.push_back(cell_seconds(model_.machine, h().graph, group, region));
      }
      if (h().blocks[g] > 0) step.stages = stage_shares(GroupId(g));
      step.redoable = step.backward && step.norms() == 0 && h().blocks[g] > 0 &&
                      h().graph.node(group.nodes[0]).op != OpKind::loss;
      model_.groups.push_back(std::move(step));
    }
  }

  void add_backward_readers() {
    for (std::size_t c = 0; c < model_.groups.size(); ++c) {
      const Group& group = h().grouped.groups[c];
      for (std::size_t k = 0; k < group.inputs.size() && model_.groups[c].backward; ++k) {
        if (!backward_reads_input(h().graph, group, k)) continue;
        for (const Segment& s : group.inputs[k].view.segments) {
          const GroupId source = h().grouped.group_of_value[s.source.at()];
          std::vector<GroupId>& readers = model_.groups[source.at()].backward_readers;
          const GroupId reader(static_cast<std::int64_t>(c));
          if (readers.empty() || readers.back() != reader) readers.push_back(reader);
        }
      }
    }
  }

  /// Of its first cell; a batch_norm takes half of its time to sum, before the exchange.
  std::vector<PassSeconds> stage_shares(GroupId g) const {
    const Group& group = h().grouped.group(g);
    const std::vector<std::size_t> norms = synced_norms(h().graph, group, h().grid);
    if (norms.empty()) return {};
    const Region& region = h().cells[h().cell(g, 0, 0).at()].region;
    const std::vector<PassSeconds> chain = chain_seconds(model_.machine, h().graph, group, region);
    std::vector<PassSeconds> shares(norms.size() + 1);
    PassSeconds total;
    std::size_t stage = 0;  // forward; backward runs them the other way round
    for (std::size_t i = 0; i < chain.size(); ++i) {
      total += chain[i];
      const bool norm = stage < norms.size() && norms[stage] == i;
      const double part = norm ? 0.5 : 1.0;
      for (std::size_t x = stage; x <= stage + (norm ? 1 : 0); ++x) {
        shares[x].forward += part * chain[i].forward;
        shares[norms.size() - x].backward += part * chain[i].backward;
      }
      if (norm) ++stage;
    }
    const auto of = [](double part, double whole) { return whole > 0 ? part / whole : 0; };
    for (PassSeconds& share : shares)
      share = {of(share.forward, total.forward), of(share.backward, total.backward)};
    return shares;
  }

  std::vector<CellId> pins(std::size_t e, std::int64_t from, std::int64_t to) const {
    const auto first = h().pins.begin() + h().pin_begin[e];
    return {first + from, first + to};
  }

  void add_pieces() {
    std::vector<std::map<std::vector<CellId>, std::int32_t>> known(model_.groups.size());
    for (std::size_t e = 0; e < h().nets.size(); ++e) {
      const Net& net = h().nets[e];
      if (net.kind != NetKind::activation || net.shard != 0) continue;
      StepGroup& group = model_.groups[net.group.at()];
      std::vector<CellId> readers = pins(e, 1, h().pin_begin[e + 1] - h().pin_begin[e]);
      const auto next = static_cast<std::int32_t>(group.readers.size());
      const auto [it, is_new] = known[net.group.at()].try_emplace(readers, next);
      if (is_new) group.readers.push_back(std::move(readers));
      const std::int32_t block = h().cells[pins(e, 0, 1)[0].at()].block;
      group.pieces.push_back({block, it->second, net.elems});
    }
  }

  void add_params() {
    const std::vector<GroupId> homes = param_homes(h().graph, h().grouped);
    std::vector<Ranges> covered(h().graph.params.size());
    for (const ParamBundle& bundle : param_bundles(h())) {
      for (NetId e : bundle.nets)
        covered[h().nets[e.at()].param.at()].push_back(h().nets[e.at()].range);
      const ParamId first = h().nets[bundle.nets[0].at()].param;
      model_.params.push_back({homes[first.at()], bundle.users, bundle.elems});
    }
    for (Ranges& ranges : covered) ranges = normalized(std::move(ranges));
    model_.param_users.resize(model_.groups.size());
    for (std::size_t g = 0; g < model_.groups.size(); ++g)
      add_params_of(GroupId(g), homes, covered);
  }

  /// Notes the group as a user of its parameters' homes, and adds rows that are in no net because
  /// a single cell uses them.
  void add_params_of(GroupId g, const std::vector<GroupId>& homes,
                     const std::vector<Ranges>& covered) {
    std::vector<std::int64_t> alone(static_cast<std::size_t>(h().blocks[g.at()]), 0);
    for (NodeId n : h().grouped.group(g).nodes) {
      const Node& node = h().graph.node(n);
      for (std::size_t j = 0; j < node.params.size(); ++j) {
        const Param& param = h().graph.param(node.params[j]);
        if (!param.trainable || param.is_state()) continue;
        std::vector<GroupId>& users = model_.param_users[homes[node.params[j].at()].at()];
        if (users.empty() || users.back() != g) users.push_back(g);
        for (std::size_t b = 0; b < alone.size(); ++b) {
          const Region& region =
              h().cells[h().cell(g, 0, static_cast<std::int32_t>(b)).at()].region;
          const Ranges rows{params_rows(h().graph, node, region, j)};
          alone[b] += total_size(subtract(rows, covered[node.params[j].at()])) * param.row_elems();
        }
      }
    }
    for (std::size_t b = 0; b < alone.size(); ++b) {
      if (alone[b] > 0)
        model_.params.push_back({g, {h().cell(g, 0, static_cast<std::int32_t>(b))}, alone[b]});
    }
  }

  StepModel model_;
};

}  // namespace

StepModel make_step_model(const Hypergraph& h, const Machine& machine) {
  return ModelBuilder(h, machine).run();
}

}  // namespace hpmp
