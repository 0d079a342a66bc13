#include "plan/ownership.h"

#include "base/error.h"
#include "hypergraph/stages.h"

namespace hpmp {
namespace {

class Deriver {
 public:
  Deriver(const Hypergraph& h, const Placement& p) : h_(h), p_(p) {
    result_.shards = h.grid.shards;
    result_.ranks = p.ranks;
    result_.holdings.resize(h.grouped.groups.size() * static_cast<std::size_t>(h.grid.shards));
  }

  Ownership run() {
    result_.consumers = group_consumers(h_.grouped);
    hold_own_channels();
    hold_input_images();
    hold_received_channels();
    find_param_homes();
    hold_params();
    make_messages();
    return std::move(result_);
  }

 private:
  Holding& at(GroupId g, std::int32_t s, Rank r) {
    return const_cast<std::map<Rank, Holding>&>(result_.at(g, s))[r];
  }

  void hold_own_channels() {
    for (std::size_t c = 0; c < h_.cells.size(); ++c) {
      const Cell& cell = h_.cells[c];
      at(cell.group, cell.shard, p_.part[c]).own.push_back(cell.region.c);
    }
    for (auto& ranks : result_.holdings) {
      for (auto& [r, holding] : ranks) {
        holding.own = normalized(std::move(holding.own));
        holding.image = holding.own;
      }
    }
  }

  /// Images of the network's input hold what the rank's cells read of it.
  void hold_input_images() {
    for (std::size_t g = 0; g < h_.grouped.groups.size(); ++g) {
      const Group& group = h_.grouped.groups[g];
      for (std::size_t k = 0; k < group.inputs.size(); ++k)
        hold_input(GroupId(static_cast<std::int64_t>(g)), k);
    }
  }

  void hold_input(GroupId g, std::size_t k) {
    const Group& group = h_.grouped.group(g);
    for (const Segment& segment : group.inputs[k].view.segments) {
      const GroupId source = h_.grouped.group_of_value[segment.source.at()];
      if (h_.blocks[source.at()] != 0) continue;
      for (std::int32_t s = 0; s < h_.grid.shards; ++s) {
        for (const auto& [r, reader] : result_.at(g, s)) {
          for (Range need : needed_channels(h_.graph, group, reader.own, k)) {
            for (const Segment& part : group.inputs[k].view.within(need)) {
              if (part.source == segment.source) at(source, s, r).image.push_back(part.source_c);
            }
          }
          at(source, s, r).image = normalized(at(source, s, r).image);
        }
      }
    }
  }

  void hold_received_channels() {
    for (std::size_t e = 0; e < h_.nets.size(); ++e) {
      const Net& net = h_.nets[e];
      if (net.kind != NetKind::activation) continue;
      for (Rank r : net_parts(h_, p_, NetId(static_cast<std::int64_t>(e)))) {
        if (r != p_.owner[e]) at(net.group, net.shard, r).image.push_back(net.range);
      }
    }
    for (auto& ranks : result_.holdings) {
      for (auto& [r, holding] : ranks) holding.image = normalized(std::move(holding.image));
    }
  }

  void find_param_homes() {
    result_.param_home = param_homes(h_.graph, h_.grouped);
    result_.param_users.resize(h_.grouped.groups.size());
    for (std::size_t g = 0; g < h_.grouped.groups.size(); ++g) {
      const GroupId id(static_cast<std::int64_t>(g));
      for (NodeId n : h_.grouped.groups[g].nodes) {
        for (ParamId p : h_.graph.node(n).params) {
          std::vector<GroupId>& users = result_.param_users[result_.param_home[p.at()].at()];
          if (users.empty() || users.back() != id) users.push_back(id);
        }
      }
    }
  }

  void hold_params() {
    std::map<std::pair<Rank, ParamId>, Ranges> used, foreign;
    for (std::size_t c = 0; c < h_.cells.size(); ++c) {
      for (NodeId n : h_.grouped.group(h_.cells[c].group).nodes) {
        const Node& node = h_.graph.node(n);
        for (std::size_t j = 0; j < node.params.size(); ++j) {
          used[{p_.part[c], node.params[j]}].push_back(
              params_rows(h_.graph, node, h_.cells[c].region, j));
        }
      }
    }
    for (std::size_t e = 0; e < h_.nets.size(); ++e) {
      if (h_.nets[e].kind != NetKind::parameter) continue;
      for (Rank r : net_parts(h_, p_, NetId(static_cast<std::int64_t>(e)))) {
        if (r != p_.owner[e]) foreign[{r, h_.nets[e].param}].push_back(h_.nets[e].range);
      }
    }
    result_.params.resize(static_cast<std::size_t>(p_.ranks));
    for (auto& [key, rows] : used) {
      ParamRows held;
      held.param = key.second;
      held.used = normalized(rows);
      held.owned = subtract(held.used, normalized(foreign[key]));
      result_.params[static_cast<std::size_t>(key.first)].push_back(std::move(held));
    }
    own_rows_without_nets_once();
  }

  /// Rows that no net describes (running statistics, frozen weights) may be used by several ranks;
  /// the lowest of them owns.
  void own_rows_without_nets_once() {
    std::map<ParamId, Ranges> taken;
    for (std::vector<ParamRows>& held : result_.params) {
      for (ParamRows& rows : held) {
        Ranges& before = taken[rows.param];
        rows.owned = subtract(rows.owned, before);
        before.insert(before.end(), rows.owned.begin(), rows.owned.end());
        before = normalized(before);
      }
    }
  }

  void make_messages() {
    for (std::size_t e = 0; e < h_.nets.size(); ++e) {
      const Net& net = h_.nets[e];
      const Piece piece{NetId(static_cast<std::int64_t>(e)), net.param, net.range, net.elems};
      for (Rank r : net_parts(h_, p_, piece.net)) {
        if (r != p_.owner[e]) exchange(net, piece, p_.owner[e], r);
      }
    }
    for (auto& [key, m] : found_) {
      m.tag = static_cast<Tag>(result_.messages.size());
      result_.messages.push_back(std::move(m));
    }
  }

  /// What a cut net sends between its owner and one other rank.
  void exchange(const Net& net, const Piece& piece, Rank owner, Rank other) {
    switch (net.kind) {
      case NetKind::activation:
        add(MessageKind::activation, net.group, net.shard, 0, owner, other, piece);
        if (net.cost == 2 * net.elems)
          add(MessageKind::gradient, net.group, net.shard, 0, other, owner, piece);
        return;
      case NetKind::parameter: {
        const GroupId home = result_.param_home[net.param.at()];
        add(MessageKind::param_gradient, home, -1, 0, other, owner, piece);
        add(MessageKind::param, home, -1, 0, owner, other, piece);
        return;
      }
      case NetKind::statistics:
        exchange_statistics(net, piece, owner, other);
        return;
    }
  }

  void exchange_statistics(const Net& net, const Piece& piece, Rank owner, Rank other) {
    const auto both_ways = [&](MessageKind part, MessageKind sum, std::int32_t stage) {
      add(part, net.group, net.shard, stage, other, owner, piece);
      add(sum, net.group, net.shard, stage, owner, other, piece);
    };
    both_ways(MessageKind::statistics, MessageKind::statistics_sum, net.norm);
    if (net.cost == 2 * net.elems) return;
    const std::size_t norms = synced_norms(h_.graph, h_.grouped.group(net.group), h_.grid).size();
    both_ways(MessageKind::gradient_statistics, MessageKind::gradient_statistics_sum,
              backward_norm(norms, net.norm));
  }

  void add(MessageKind kind, GroupId g, std::int32_t s, std::int32_t stage, Rank from, Rank to,
           const Piece& piece) {
    Message& m = found_[{kind, g, s, stage, from, to}];
    m.kind = kind;
    m.from = from;
    m.to = to;
    m.elems += piece.elems;
    m.letters.resize(1);
    Letter& l = m.letters[0];
    l.group = g;
    l.shard = s;
    l.stage = stage;
    l.elems += piece.elems;
    l.pieces.push_back(piece);
  }

  const Hypergraph& h_;
  const Placement& p_;
  std::map<std::tuple<MessageKind, GroupId, std::int32_t, std::int32_t, Rank, Rank>, Message>
      found_;
  Ownership result_;
};

}  // namespace

Ranges needed_channels(const Graph& graph, const Group& group, const Ranges& own, std::size_t k) {
  Ranges needed;
  for (Range c : own) {
    const Region output{{0, 1}, c, {0, group.shape.h}};
    needed.push_back(group_needs(graph, group, output, k).c);
  }
  return normalized(std::move(needed));
}

Ownership derive_ownership(const Hypergraph& h, const Placement& p) { return Deriver(h, p).run(); }

}  // namespace hpmp
