// Index maps: what values are made of, and that resolving them costs what they have pieces.
#include <string>

#include "check.h"
#include "graph/views.h"
#include "hypergraph/pieces.h"
#include "tiny_graph.h"

using namespace hpmp;

namespace {

/// Cuts a value of `channels` in two and joins the parts in the other order, `times` times.
std::string crossings(int channels, int times) {
  std::string text = "hpmp-graph 1\ninput v0 " + std::to_string(channels) + " 1 1\n";
  const std::string half = std::to_string(channels / 2), all = std::to_string(channels);
  for (int i = 0; i < times; ++i) {
    const std::string from = "v" + std::to_string(i), to = "v" + std::to_string(i + 1);
    text += "node Slice " + from + ".a : " + from + " : : " + from + ".a range=0," + half + "\n";
    text += "node Slice " + from + ".b : " + from + " : : " + from + ".b range=" + half + "," +
            all + "\n";
    text += "node Concat " + to + " : " + from + ".b " + from + ".a : : " + to + "\n";
  }
  const std::string last = "v" + std::to_string(times);
  return text + "node Relu y : " + last + " : : y\noutput y\n";
}

std::string shuffled(int channels, int groups, const std::string& reader) {
  const std::string c = std::to_string(channels);
  return "hpmp-graph 1\ninput x 4 2 2\nparam a.w weight " + c + " 4 1 1\nparam b.w weight " +
         reader + "\nnode Conv a : x : a.w : a.out kernel=1,1\nnode ChannelShuffle s : a.out : : " +
         "s.out groups=" + std::to_string(groups);
}

ValueId last_value(const Graph& graph) {
  return ValueId(static_cast<std::int64_t>(graph.values.size()) - 1);
}

}  // namespace

TEST(a_chain_of_cuts_and_joins_is_resolved_once_per_value) {
  const int times = 2000;  // each value is read twice: without memory, 2^2000 steps
  const Graph graph = parse_graph(crossings(8, times));
  const Views views(graph);
  CHECK(views.work() <= 5 * times);
  const View& last = views.of(graph.node(graph.value(last_value(graph)).producer).inputs[0]);
  CHECK_EQ(last.segments.size(), 1);
  CHECK(last.is_whole(graph));
}

TEST(a_shuffle_is_resolved_in_as_many_steps_as_it_has_channels) {
  const int channels = 4096;
  const Graph graph = parse_graph(shuffled(channels, 2, "8 4096 1 1") +
                                  "\nnode Conv b : s.out : b.w : b.out kernel=1,1\noutput b.out\n");
  const Views views(graph);
  CHECK(views.work() <= channels + 4);
  const View& view = views.of(graph.nodes[2].output);
  CHECK_EQ(view.segments.size(), channels);
  CHECK_EQ(view.sources.size(), 1);
}

TEST(within_a_shuffle_stand_the_channels_of_its_definition) {
  const Graph graph = parse_graph(shuffled(12, 3, "2 12 1 1") +
                                  "\nnode Conv b : s.out : b.w : b.out kernel=1,1\noutput b.out\n");
  const Views views(graph);
  const View& view = views.of(graph.nodes[2].output);
  const std::vector<Segment> found = view.within({2, 5});
  CHECK_EQ(found.size(), 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto at = static_cast<std::int64_t>(i) + 2;
    CHECK_EQ(found[i].at, at);
    CHECK(found[i].source_c == Range(Range{at % 3 * 4 + at / 3, at % 3 * 4 + at / 3 + 1}));
  }
  const std::vector<SourceChannels> read = view.sources_within({{0, 3}, {6, 9}});
  CHECK_EQ(read.size(), 1);
  CHECK(read[0].channels == Ranges({{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}, {10, 11}}));
  CHECK(view.sources_within({{0, 12}})[0].channels == Ranges({{0, 12}}));
}

TEST(who_reads_all_of_a_shuffle_cuts_no_pieces_out_of_it) {
  GridSpec grid;
  grid.batch = 4;
  const std::string reader = "\nnode Conv b : s.out : b.w : b.out kernel=1,1\noutput b.out\n";
  const Hypergraph h =
      build_hypergraph(parse_graph(shuffled(4096, 2, "64 4096 1 1") + reader), grid);
  std::size_t activations = 0, blocks = 0;
  for (const Net& net : h.nets) activations += net.kind == NetKind::activation ? 1 : 0;
  for (std::int32_t count : h.blocks) blocks += static_cast<std::size_t>(count);
  CHECK(activations <= blocks);
}
