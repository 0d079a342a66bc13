// From a schedule to instruction lists: what each rank does, in which order.
#pragma once

#include "plan/ownership.h"
#include "plan/schedule.h"

namespace hpmp {

/// Every blocking instruction waits only for instructions that the schedule puts earlier, so the
/// lists cannot deadlock, even where every send is synchronous:
///
///   sender    F ---- SEND ................. WAIT      SEND at the end of F,
///   receiver         POST ..... RECV  F'              POST at the same time, RECV before F',
///                                                     WAIT no earlier than RECV.
std::vector<RankProgram> emit_programs(const Hypergraph& h, const Ownership& own,
                                       const std::vector<Message>& messages, const TaskGraph& tasks,
                                       const Schedule& schedule);

/// Gives every tensor of a program its lifetime and its offset in the arena.
void plan_memory(const Graph& graph, const GroupedGraph& grouped, const GridSpec& grid,
                 const std::vector<Message>& messages, RankProgram& program);

}  // namespace hpmp
