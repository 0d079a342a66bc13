// The text form of a plan, read back.
#include <sstream>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "base/numbers.h"
#include "plan/plan.h"
#include "plan/text.h"

namespace hpmp {
namespace {

/// A word of the text as messages show it: printable, and never a page long.
std::string shown(const std::string& word) {
  constexpr std::size_t kMost = 40;
  std::string out = word.size() > kMost ? word.substr(0, kMost) + "..." : word;
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return "'" + out + "'";
}

class PlanParser {
 public:
  explicit PlanParser(const std::string& text) : in_(text) {}

  Plan parse() {
    expect_header();
    while (next()) {
      if (words_[0] == "end") return finish();
      statement();
    }
    reject("the plan is cut off before its 'end'");
  }

 private:
  [[noreturn]] void reject(const std::string& why) const {
    fail(ErrorCode::invalid_plan, "plan text, line " + std::to_string(line_) + ": " + why);
  }

  bool next() {
    std::string line;
    while (std::getline(in_, line)) {
      ++line_;
      words_.clear();
      std::istringstream split(line);
      for (std::string w; split >> w && w[0] != '#';) words_.push_back(w);
      if (!words_.empty()) return true;
    }
    return false;
  }

  void expect_header() {
    if (!next() || words_.size() != 2 || words_[0] != "hpmp-plan")
      reject("does not begin with 'hpmp-plan 1'");
    if (words_[1] != "1")
      reject("version " + shown(words_[1]) + " is not known; this is version 1");
  }

  Plan finish() {
    plan_.ranks = static_cast<int>(plan_.programs.size());
    if (plan_.ranks == 0) reject("the plan has no ranks");
    return std::move(plan_);
  }

  void statement() {
    const std::string& what = words_[0];
    if (what == "graph") {
      need(2);
      plan_.graph_hash = name(words_[1]);
    } else if (what == "strategy") {
      need(2);
      plan_.strategy = name(words_[1]);
    } else if (what == "grid")
      grid();
    else if (what == "predicted")
      predicted();
    else if (what == "message")
      message();
    else if (what == "rank")
      rank();
    else
      program_line(what);
  }

  void need(std::size_t count) const {
    if (words_.size() != count)
      reject(shown(words_[0]) + " takes " + std::to_string(count - 1) + " words, got " +
             std::to_string(words_.size() - 1));
  }

  std::string name(const std::string& s) const {
    if (shown(s) != "'" + s + "'") reject(shown(s) + " is not a name");
    return s;
  }
  std::int64_t integer(const std::string& s) const {
    const auto v = number_in<std::int64_t>(s);
    if (!v) reject(shown(s) + " is not an integer");
    return *v;
  }
  std::int32_t index(const std::string& s) const {
    const std::int64_t v = integer(s);
    if (v < -1 || v > INT32_MAX) reject(shown(s) + " is not an index");
    return static_cast<std::int32_t>(v);
  }
  /// SHARD or SHARD/STAGE.
  std::pair<std::int32_t, std::int32_t> shard_and_stage(const std::string& s) const {
    const std::size_t slash = s.find('/');
    if (slash == std::string::npos) return {index(s), 0};
    const std::int32_t stage = index(s.substr(slash + 1));
    if (stage < 1) reject(shown(s) + " is not SHARD/STAGE");
    return {index(s.substr(0, slash)), stage};
  }
  double real(const std::string& s) const {
    const auto v = number_in<double>(s);
    if (!v) reject(shown(s) + " is not a number");
    return *v;
  }

  Range range(const std::string& s) const {
    const std::size_t dash = s.find('-');
    if (dash == std::string::npos) reject(shown(s) + " is not BEGIN-END");
    const Range r{integer(s.substr(0, dash)), integer(s.substr(dash + 1))};
    if (r.begin < 0 || r.empty()) reject(shown(s) + " is not a range");
    return r;
  }
  Ranges ranges(const std::string& s) const {
    Ranges all;
    if (s == "none") return all;
    std::istringstream split(s);
    for (std::string item; std::getline(split, item, ',');) all.push_back(range(item));
    if (normalized(all) != all) reject("ranges " + shown(s) + " are not sorted and disjoint");
    return all;
  }

  /// Takes the word away where it stands behind the numbers of a grid.
  bool took_last(const char* word) {
    if (words_.size() <= 9 || words_.back() != word) return false;
    words_.pop_back();
    return true;
  }

  void grid() {
    GridSpec& g = plan_.grid;
    // What most plans do without stands behind the numbers.
    for (int k = 1; k < kOptimizerKinds; ++k) {
      const auto kind = static_cast<OptimizerKind>(k);
      if (took_last(optimizer_info(kind).name)) g.optimizer = kind;
    }
    if (took_last(dtype_name(DType::bf16))) g.dtype = DType::bf16;
    g.bn_sync = took_last("sync");
    need(9);
    g.batch = integer(words_[1]);
    g.shards = integer(words_[2]);
    g.channel_block = integer(words_[3]);
    g.dense_block = integer(words_[4]);
    g.most_blocks = integer(words_[5]);
    g.bn_group = integer(words_[6]);
    g.training = integer(words_[7]) != 0;
    g.flops_per_byte = real(words_[8]);
    if (g.batch < 1 || g.shards < 1 || g.batch % g.shards != 0)
      reject("the shards do not divide the batch");
  }

  void predicted() {
    need(6);
    plan_.activation_elems = integer(words_[1]);
    plan_.parameter_elems = integer(words_[2]);
    plan_.imbalance = real(words_[3]);
    plan_.step_seconds = real(words_[4]);
    plan_.bubble_fraction = real(words_[5]);
  }

  void message() {
    if (words_.size() < 8) reject("'message' takes TAG KIND FROM TO GROUP SHARD and its pieces");
    Message m;
    m.tag = index(words_[1]);
    if (m.tag != static_cast<Tag>(plan_.messages.size()))
      reject("message tags must count up from 0");
    int kind = 0;
    while (kind < kMessageKinds && words_[2] != message_name(static_cast<MessageKind>(kind)))
      ++kind;
    if (kind == kMessageKinds) reject(shown(words_[2]) + " is not a kind of message");
    m.kind = static_cast<MessageKind>(kind);
    m.from = index(words_[3]);
    m.to = index(words_[4]);
    for (std::size_t i = 5; i < words_.size(); ++i) {
      m.letters.push_back(letter(i));
      m.elems += m.letters.back().elems;
    }
    plan_.messages.push_back(std::move(m));
  }

  /// From word `at` to the next "+", where `at` is left.
  Letter letter(std::size_t& at) const {
    if (at + 2 >= words_.size() || words_[at + 2] == "+")
      reject("a message's letter takes GROUP SHARD and its pieces");
    Letter l;
    l.group = GroupId(index(words_[at]));
    std::tie(l.shard, l.stage) = shard_and_stage(words_[at + 1]);
    for (at += 2; at < words_.size() && words_[at] != "+"; ++at) {
      l.pieces.push_back(piece(words_[at]));
      l.elems += l.pieces.back().elems;
    }
    if (at + 1 == words_.size()) reject("a message ends with '+'");
    return l;
  }

  Piece piece(const std::string& s) const {
    std::vector<std::string> parts;
    std::istringstream split(s);
    for (std::string item; std::getline(split, item, ':');) parts.push_back(item);
    if (parts.size() != 4) reject(shown(s) + " is not NET:PARAM:BEGIN-END:ELEMS");
    Piece p{NetId(index(parts[0])), ParamId(index(parts[1])), range(parts[2]), integer(parts[3])};
    if (!p.net.valid() || p.elems < 1) reject(shown(s) + " names no net or no elements");
    return p;
  }

  void rank() {
    need(4);
    if (integer(words_[1]) != static_cast<std::int64_t>(plan_.programs.size()))
      reject("ranks must count up from 0");
    RankProgram program;
    program.arena_bytes = integer(words_[2]);
    program.param_bytes = integer(words_[3]);
    plan_.programs.push_back(std::move(program));
  }

  void program_line(const std::string& what) {
    if (plan_.programs.empty()) reject(shown(what) + " stands before the first 'rank'");
    RankProgram& program = plan_.programs.back();
    if (what == "task") {
      need(4);
      program.tasks.push_back({GroupId(index(words_[1])), index(words_[2]), ranges(words_[3])});
    } else if (what == "param") {
      need(4);
      program.params.push_back({ParamId(index(words_[1])), ranges(words_[2]), ranges(words_[3])});
    } else if (what == "tensor") {
      tensor(program);
    } else {
      instruction(program, what);
    }
  }

  void tensor(RankProgram& program) {
    const bool again = words_.size() == 12;
    need(again ? 12 : 10);
    PlannedTensor t;
    int kind = 0;
    while (kind < kTensorKinds && words_[1] != tensor_kind_name(static_cast<TensorKind>(kind)))
      ++kind;
    if (kind == kTensorKinds) reject(shown(words_[1]) + " is not a kind of tensor");
    t.kind = static_cast<TensorKind>(kind);
    t.group = GroupId(index(words_[2]));
    t.shard = index(words_[3]);
    t.message = index(words_[4]);
    t.channels = ranges(words_[5]);
    t.bytes = integer(words_[6]);
    t.offset = integer(words_[7]);
    t.first = index(words_[8]);
    t.last = index(words_[9]);
    if (again) {
      t.again_first = index(words_[10]);
      t.again_last = index(words_[11]);
    }
    program.tensors.push_back(std::move(t));
  }

  void instruction(RankProgram& program, const std::string& what) {
    int kind = 0;
    while (kind < kInstrKinds && what != instr_name(static_cast<InstrKind>(kind))) ++kind;
    if (kind == kInstrKinds) reject(shown(what) + " is not a statement of a plan");
    need(6);
    const auto [shard, stage] = shard_and_stage(words_[2]);
    program.instrs.push_back({static_cast<InstrKind>(kind), GroupId(index(words_[1])), shard,
                              index(words_[3]), real(words_[4]), real(words_[5]), stage});
  }

  std::istringstream in_;
  std::vector<std::string> words_;
  std::size_t line_ = 0;
  Plan plan_;
};

}  // namespace

Plan parse_plan(const std::string& text) { return PlanParser(text).parse(); }

}  // namespace hpmp
