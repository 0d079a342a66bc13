#include "graph/text.h"

#include <cstdio>
#include <functional>
#include <sstream>
#include <unordered_map>

#include "base/error.h"
#include "base/numbers.h"
#include "graph/attrs_text.h"
#include "graph/ops.h"

namespace hpmp {
namespace {

constexpr const char* kRoles[] = {"weight",       "bias",        "scale", "shift",
                                  "running_mean", "running_var", "slope"};

bool is_plain(const std::string& name) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:+-";
  return !name.empty() && name != ":" && name.find_first_not_of(kPlain) == std::string::npos;
}

std::string quoted(const std::string& name) {
  if (is_plain(name)) return name;
  std::string out = "\"";
  for (char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + "\"";
}

struct Token {
  std::string text;
  bool is_quoted = false;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Graph parse() {
    bool header = false;
    for (std::size_t begin = 0; begin <= text_.size();) {
      const std::size_t end = std::min(text_.find('\n', begin), text_.size());
      ++line_;
      const std::vector<Token> tokens = tokenize(text_.substr(begin, end - begin));
      begin = end + 1;
      if (tokens.empty()) continue;
      if (!header) {
        if (tokens.size() != 2 || tokens[0].text != "hpmp-graph" || tokens[1].text != "1") {
          reject("does not begin with 'hpmp-graph 1'");
        }
        header = true;
        continue;
      }
      statement(tokens);
    }
    if (!header) reject("is empty; a graph begins with 'hpmp-graph 1'");
    if (graph_.outputs.empty()) reject("has no output");
    return std::move(graph_);
  }

 private:
  [[noreturn]] void reject(const std::string& why) const {
    fail(ErrorCode::invalid_model, "graph text, line " + std::to_string(line_) + ": " + why);
  }

  std::vector<Token> tokenize(std::string_view line) const {
    std::vector<Token> tokens;
    for (std::size_t i = 0; i < line.size();) {
      const char c = line[i];
      if (c == ' ' || c == '\t' || c == '\r') {
        ++i;
      } else if (c == '#') {
        break;
      } else if (c == '"') {
        tokens.push_back({unquote(line, i), true});
      } else {
        const std::size_t end = std::min(line.find_first_of(" \t\r", i), line.size());
        tokens.push_back({std::string(line.substr(i, end - i)), false});
        i = end;
      }
    }
    return tokens;
  }

  std::string unquote(std::string_view line, std::size_t& i) const {
    std::string out;
    for (++i; i < line.size() && line[i] != '"'; ++i) {
      if (line[i] == '\\' && i + 1 < line.size()) {
        ++i;
        out += line[i] == 'n' ? '\n' : line[i];
      } else {
        out += line[i];
      }
    }
    if (i >= line.size()) reject("a quoted name does not end");
    ++i;
    return out;
  }

  void statement(const std::vector<Token>& t) {
    const std::string& what = t[0].text;
    if (what == "input") return input(t);
    if (what == "param") return param(t);
    if (what == "node") return node(t);
    if (what == "output" && t.size() == 2) {
      graph_.outputs.push_back(find(values_, t[1].text, "value"));
      return;
    }
    reject("'" + what + "' is not a statement; expected input, param, node or output");
  }

  void input(const std::vector<Token>& t) {
    if (t.size() != 5) reject("expected: input NAME C H W");
    const Shape shape{extent(t[2].text), extent(t[3].text), extent(t[4].text)};
    Node n;
    n.op = OpKind::input;
    n.name = t[1].text;
    n.output = ValueId(static_cast<std::int64_t>(graph_.values.size()));
    define(values_, t[1].text, n.output);
    graph_.values.push_back(
        {t[1].text, shape, NodeId(static_cast<std::int64_t>(graph_.nodes.size()))});
    graph_.nodes.push_back(std::move(n));
  }

  void param(const std::vector<Token>& t) {
    if (t.size() < 4) reject("expected: param NAME ROLE DIMS... [frozen]");
    Param p;
    p.name = t[1].text;
    std::size_t role = 0;
    while (role < std::size(kRoles) && t[2].text != kRoles[role]) ++role;
    if (role == std::size(kRoles)) reject("'" + t[2].text + "' is not a parameter role");
    p.role = static_cast<ParamRole>(role);
    p.trainable = !p.is_state();
    std::int64_t total = 1;
    for (std::size_t i = 3; i < t.size(); ++i) {
      if (t[i].text == "frozen" && i + 1 == t.size()) {
        p.trainable = false;
        break;
      }
      p.dims.push_back(extent(t[i].text));
      total *= p.dims.back();
      if (total > (std::int64_t{1} << 40))
        reject("parameter '" + p.name + "' has over 2^40 elements");
    }
    if (p.dims.empty()) reject("parameter '" + p.name + "' has no dimensions");
    define(params_, p.name, ParamId(static_cast<std::int64_t>(graph_.params.size())));
    graph_.params.push_back(std::move(p));
  }

  void node(const std::vector<Token>& t) {
    std::vector<std::size_t> colons;
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (t[i].text == ":" && !t[i].is_quoted) colons.push_back(i);
    }
    if (t.size() < 4 || colons.size() != 3 || colons[0] != 3 || colons[2] + 1 >= t.size()) {
      reject("expected: node OP NAME : INPUTS : PARAMS : OUTPUT [key=value ...]");
    }
    const auto op = op_kind_by_name(t[1].text);
    if (!op || *op == OpKind::input) reject("'" + t[1].text + "' is not an op");
    std::vector<ValueId> inputs;
    for (std::size_t i = colons[0] + 1; i < colons[1]; ++i)
      inputs.push_back(find(values_, t[i].text, "value"));
    std::vector<ParamId> params;
    for (std::size_t i = colons[1] + 1; i < colons[2]; ++i)
      params.push_back(find(params_, t[i].text, "parameter"));
    Attrs attrs;
    for (std::size_t i = colons[2] + 2; i < t.size(); ++i) attribute(attrs, t[i].text);
    const std::string& output = t[colons[2] + 1].text;
    const ValueId v =
        add_node(graph_, *op, t[2].text, std::move(inputs), std::move(params), attrs, output);
    constexpr std::int64_t kMostElems = std::int64_t{1} << 33;
    const Shape& s = graph_.shape(v);
    if (s.c > kMostElems || s.h > kMostElems / s.c || s.w > kMostElems / s.c / s.h) {
      reject("value '" + output + "' has over 2^33 elements per sample");
    }
    define(values_, output, v);
  }

  void attribute(Attrs& a, const std::string& token) const {
    const std::size_t eq = token.find('=');
    if (eq == std::string::npos) reject("'" + token + "' is not key=value");
    const std::string why = read_attr(a, token.substr(0, eq), token.substr(eq + 1));
    if (!why.empty()) reject(why);
  }

  std::int64_t integer(const std::string& s) const {
    const auto v = number_in<std::int64_t>(s);
    if (!v) reject("'" + s + "' is not an integer");
    return *v;
  }

  std::int64_t extent(const std::string& s) const {
    const std::int64_t v = integer(s);
    if (v < 1 || v > (std::int64_t{1} << 31)) reject("extent " + s + " is not in [1, 2^31]");
    return v;
  }

  template <class Table, class IdType>
  void define(Table& table, const std::string& name, IdType id) const {
    if (!table.emplace(name, id).second) reject("name '" + name + "' is defined twice");
  }

  template <class IdType>
  IdType find(const std::unordered_map<std::string, IdType>& table, const std::string& name,
              const char* what) const {
    const auto it = table.find(name);
    if (it == table.end()) reject(std::string(what) + " '" + name + "' is not defined above");
    return it->second;
  }

  std::string_view text_;
  std::size_t line_ = 0;
  Graph graph_;
  std::unordered_map<std::string, ValueId> values_;
  std::unordered_map<std::string, ParamId> params_;
};

std::string node_line(const Graph& graph, const Node& n) {
  const std::string& output = graph.value(n.output).name;
  if (n.op == OpKind::input) {
    const Shape& s = graph.shape(n.output);
    return "input " + quoted(output) + " " + std::to_string(s.c) + " " + std::to_string(s.h) + " " +
           std::to_string(s.w);
  }
  std::string line = std::string("node ") + op_info(n.op).name + " " + quoted(n.name) + " :";
  for (ValueId v : n.inputs) line += " " + quoted(graph.value(v).name);
  line += " :";
  for (ParamId p : n.params) line += " " + quoted(graph.param(p).name);
  return line + " : " + quoted(output) + attrs_text(n.attrs);
}

}  // namespace

std::string graph_text(const Graph& graph) {
  std::string out = "hpmp-graph 1\n";
  for (const Param& p : graph.params) {
    out += "param " + quoted(p.name) + " " + kRoles[static_cast<std::size_t>(p.role)];
    for (std::int64_t d : p.dims) out += " " + std::to_string(d);
    out += p.trainable || p.is_state() ? "\n" : " frozen\n";
  }
  for (const Node& n : graph.nodes) out += node_line(graph, n) + "\n";
  for (ValueId v : graph.outputs) out += "output " + quoted(graph.value(v).name) + "\n";
  return out;
}

Graph parse_graph(std::string_view text) { return Parser(text).parse(); }

}  // namespace hpmp
