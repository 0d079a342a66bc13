// Strong index types: a NodeId cannot be passed where a ValueId is meant.
#pragma once

#include <cstdint>
#include <functional>

namespace hpmp {

template <class Kind>
struct Id {
  std::int32_t index = -1;

  constexpr Id() = default;
  constexpr explicit Id(std::int64_t i) : index(static_cast<std::int32_t>(i)) {}
  constexpr bool valid() const { return index >= 0; }
  constexpr std::size_t at() const { return static_cast<std::size_t>(index); }
  friend constexpr bool operator==(Id a, Id b) { return a.index == b.index; }
  friend constexpr bool operator!=(Id a, Id b) { return a.index != b.index; }
  friend constexpr bool operator<(Id a, Id b) { return a.index < b.index; }
};

using ValueId = Id<struct ValueIdTag>;
using NodeId = Id<struct NodeIdTag>;
using ParamId = Id<struct ParamIdTag>;
using GroupId = Id<struct GroupIdTag>;
using CellId = Id<struct CellIdTag>;
using NetId = Id<struct NetIdTag>;
using Rank = std::int32_t;
using Tag = std::int32_t;

}  // namespace hpmp

template <class Kind>
struct std::hash<hpmp::Id<Kind>> {
  std::size_t operator()(hpmp::Id<Kind> id) const { return std::hash<std::int32_t>()(id.index); }
};
