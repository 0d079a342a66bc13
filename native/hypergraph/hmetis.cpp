// hMETIS text, so that any partitioner or person can read a hypergraph.
#include "hypergraph/hypergraph.h"

namespace hpmp {

std::string hmetis_text(const Hypergraph& h) {
  std::string text = std::to_string(h.nets.size()) + ' ' + std::to_string(h.cells.size()) + " 11\n";
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    text += std::to_string(h.nets[e].cost);
    for (std::int64_t i = h.pin_begin[e]; i < h.pin_begin[e + 1]; ++i) {
      text += ' ';
      text += std::to_string(h.pins[static_cast<std::size_t>(i)].index + 1);
    }
    text += '\n';
  }
  for (const Cell& cell : h.cells) text += std::to_string(cell.weight) + '\n';
  return text;
}

}  // namespace hpmp
