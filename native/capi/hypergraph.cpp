// C functions of the hypergraph.
#include "capi/handles.h"
#include "capi/wall.h"
#include "graph/ops.h"

namespace hpmp::capi {

static_assert(sizeof(CellId) == sizeof(std::int32_t), "pins are handed out as int32");

DType dtype_from_c(hpmp_dtype dtype) {
  if (dtype != HPMP_FP32 && dtype != HPMP_BF16) {
    fail(ErrorCode::invalid_argument,
         "dtype " + std::to_string(dtype) + " is neither fp32 (0) nor bf16 (1)");
  }
  return dtype == HPMP_BF16 ? DType::bf16 : DType::fp32;
}

hpmp_dtype dtype_to_c(DType dtype) { return dtype == DType::bf16 ? HPMP_BF16 : HPMP_FP32; }

GridSpec grid_from_c(const hpmp_grid& grid) {
  GridSpec spec;
  spec.batch = grid.batch;
  spec.shards = grid.shards;
  spec.channel_block = grid.channel_block;
  spec.dense_block = grid.dense_block;
  spec.most_blocks = grid.most_blocks;
  spec.bn_group = grid.bn_group;
  spec.bn_sync = grid.bn_sync != 0;
  spec.training = grid.training != 0;
  spec.dtype = dtype_from_c(grid.dtype);
  spec.optimizer = optimizer_kind_from_c(grid.optimizer);
  spec.flops_per_byte = grid.flops_per_byte;
  return spec;
}

hpmp_grid grid_to_c(const GridSpec& spec) {
  return {spec.batch,
          spec.shards,
          spec.channel_block,
          spec.dense_block,
          spec.most_blocks,
          spec.bn_group,
          spec.bn_sync,
          spec.training,
          dtype_to_c(spec.dtype),
          static_cast<hpmp_optimizer_kind>(spec.optimizer),
          spec.flops_per_byte};
}

const Hypergraph& hypergraph_of(const hpmp_hypergraph* h) {
  return *given(h, "hypergraph").hypergraph;
}

namespace {

void fill_arrays(hpmp_hypergraph& handle) {
  for (const Cell& cell : handle.hypergraph->cells) {
    handle.cell_weight.push_back(cell.weight);
    handle.cell_group.push_back(cell.group.index);
    handle.cell_shard.push_back(cell.shard);
    handle.cell_block.push_back(cell.block);
  }
  for (const Net& net : handle.hypergraph->nets) {
    handle.net_cost.push_back(net.cost);
    handle.net_is_param.push_back(net.kind == NetKind::parameter);
  }
}

}  // namespace
}  // namespace hpmp::capi

using namespace hpmp;
using namespace hpmp::capi;

extern "C" {

void hpmp_grid_default(hpmp_grid* out) {
  if (out) *out = grid_to_c(GridSpec{});
}

hpmp_status hpmp_hypergraph_build(const hpmp_graph* graph, const hpmp_grid* grid,
                                  hpmp_hypergraph** out) {
  return wall([&] {
    const Graph& g = *given(graph, "graph").graph;
    const GridSpec spec = checked_grid(g, grid_from_c(given(grid, "grid")));
    auto handle = std::make_unique<hpmp_hypergraph>();
    handle->hypergraph = std::make_shared<const Hypergraph>(build_hypergraph(g, spec));
    fill_arrays(*handle);
    given(out, "out") = handle.release();
  });
}

void hpmp_hypergraph_free(hpmp_hypergraph* hypergraph) { delete hypergraph; }

hpmp_status hpmp_hypergraph_get(const hpmp_hypergraph* hypergraph, hpmp_hypergraph_view* out) {
  return wall([&] {
    const Hypergraph& h = hypergraph_of(hypergraph);
    hpmp_hypergraph_view& view = given(out, "out");
    view.cells = static_cast<std::int64_t>(h.cells.size());
    view.nets = static_cast<std::int64_t>(h.nets.size());
    view.pins = static_cast<std::int64_t>(h.pins.size());
    view.groups = static_cast<std::int64_t>(h.grouped.groups.size());
    view.cell_weight = hypergraph->cell_weight.data();
    view.cell_group = hypergraph->cell_group.data();
    view.cell_shard = hypergraph->cell_shard.data();
    view.cell_block = hypergraph->cell_block.data();
    view.net_cost = hypergraph->net_cost.data();
    view.net_is_param = hypergraph->net_is_param.data();
    view.pin_begin = h.pin_begin.data();
    view.pin_cell = reinterpret_cast<const std::int32_t*>(h.pins.data());
  });
}

hpmp_status hpmp_hypergraph_group(const hpmp_hypergraph* hypergraph, int64_t index,
                                  hpmp_group_info* out) {
  return wall([&] {
    const Hypergraph& h = hypergraph_of(hypergraph);
    const std::size_t g = checked_index(index, h.grouped.groups.size(), "group");
    const Group& group = h.grouped.groups[g];
    const Node& head = h.graph.node(group.nodes[0]);
    given(out, "out") = {head.name.c_str(), op_info(head.op).name, group.shape.c,
                         group.shape.h,     group.shape.w,         h.blocks[g]};
  });
}

hpmp_status hpmp_hypergraph_hmetis(const hpmp_hypergraph* hypergraph, char** out) {
  return wall([&] { given(out, "out") = copied(hmetis_text(hypergraph_of(hypergraph))); });
}
}
