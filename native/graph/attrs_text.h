// The text form of a node's attributes: one list of them, read and written alike.
#pragma once

#include <string>

#include "graph/graph.h"

namespace hpmp {

/// Attributes that differ from their default, as ` key=value`.
std::string attrs_text(const Attrs& attrs);

/// Sets the attribute `key`; returns why it cannot be set, or nothing.
std::string read_attr(Attrs& attrs, const std::string& key, const std::string& value);

}  // namespace hpmp
