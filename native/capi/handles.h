// What the opaque handles hold; each keeps alive what it was made from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hypergraph/hypergraph.h"
#include "include/hpmp.h"
#include "plan/plan.h"

struct hpmp_graph {
  std::shared_ptr<const hpmp::Graph> graph;
  std::string hash;
};

struct hpmp_hypergraph {
  std::shared_ptr<const hpmp::Hypergraph> hypergraph;
  // The arrays of hpmp_hypergraph_view.
  std::vector<std::int64_t> cell_weight, net_cost;
  std::vector<std::int32_t> cell_group, cell_shard, cell_block, net_is_param;
};

struct hpmp_plan {
  std::shared_ptr<const hpmp::Plan> plan;
};

namespace hpmp::capi {

hpmp_graph* graph_handle(Graph graph);
hpmp_plan* plan_handle(Plan plan);

/// Errors: `invalid_argument` for null.
const Hypergraph& hypergraph_of(const hpmp_hypergraph* hypergraph);
/// `count` placements of `cells` parts that stand one after another.
std::vector<std::vector<Rank>> split_placements(const std::int32_t* flat, std::int64_t count,
                                                std::size_t cells);
/// Errors: `invalid_argument` for null, or a rank that the plan does not have.
const Plan& plan_of(const hpmp_plan* plan);
const RankProgram& program_of(const hpmp_plan* plan, std::int32_t rank);

/// Errors: `invalid_argument` for a value that is no hpmp_dtype.
DType dtype_from_c(hpmp_dtype dtype);
hpmp_dtype dtype_to_c(DType dtype);
/// Errors: `invalid_argument` for a kind that is none.
OptimizerKind optimizer_kind_from_c(hpmp_optimizer_kind kind);
GridSpec grid_from_c(const hpmp_grid& grid);
hpmp_grid grid_to_c(const GridSpec& grid);

}  // namespace hpmp::capi
