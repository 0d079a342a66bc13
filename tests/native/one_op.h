// A graph of one op without parameters behind an input, and what its kernel is prepared for.
#pragma once

#include "engine/kernel.h"
#include "graph/ops.h"

namespace kernel_test {

struct OneOp {
  hpmp::Graph graph;
  hpmp::KernelSpec spec;  // of `graph`

  OneOp(hpmp::OpKind op, const hpmp::Shape& input, std::int64_t samples, hpmp::Ranges channels,
        const hpmp::Attrs& attrs = {}) {
    graph.values.push_back({"in", input, hpmp::NodeId(0)});
    graph.nodes.push_back({});
    add_node(graph, op, "op", {hpmp::ValueId(0)}, {}, attrs, "out");
    spec.graph = &graph;
    spec.node = hpmp::NodeId(1);
    spec.samples = samples;
    spec.channels = std::move(channels);
  }
  OneOp(const OneOp&) = delete;
  OneOp& operator=(const OneOp&) = delete;
};

/// Of 24 channels and 15 pixels, ratio 0.3, on 3 samples.
struct OneDropout : OneOp {
  explicit OneDropout(hpmp::Ranges channels)
      : OneOp(hpmp::OpKind::dropout, {24, 5, 3}, 3, std::move(channels), attrs()) {}

 private:
  static hpmp::Attrs attrs() {
    hpmp::Attrs attrs;
    attrs.ratio = 0.3;
    return attrs;
  }
};

}  // namespace kernel_test
