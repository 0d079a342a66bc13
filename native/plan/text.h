// Pieces of the plan's text form, shared by its writer and its parser.
//
//   hpmp-plan 1
//   graph HASH
//   strategy NAME
//   grid BATCH SHARDS CHANNEL_BLOCK DENSE_BLOCK MOST_BLOCKS BN_GROUP TRAINING FLOPS_PER_BYTE
//        [sync] [bf16] [adamw]                      in one line
//   predicted ACTIVATION_ELEMS PARAMETER_ELEMS IMBALANCE STEP_SECONDS BUBBLE_FRACTION
//   message TAG KIND FROM TO GROUP SHARD NET:PARAM:BEGIN-END:ELEMS ... [+ GROUP SHARD ...] ...
//   rank R ARENA_BYTES PARAM_BYTES                then this rank's lines:
//   task GROUP SHARD CHANNELS
//   param PARAM USED_ROWS OWNED_ROWS
//   tensor KIND GROUP SHARD MESSAGE CHANNELS BYTES OFFSET FIRST LAST [AGAIN_FIRST AGAIN_LAST]
//   FWD GROUP SHARD MESSAGE START END             and LOAD, BWD, SEND, POST, RECV, REDUCE, WAIT,
//   UPDATE, REDO
//   end
//
// SHARD is SHARD/STAGE in the later stages of a group, and of statistics that follow one of them.
// -1 stands for "none"; CHANNELS and ROWS are BEGIN-END,BEGIN-END or `none`; times are in seconds.
#pragma once

#include <string>

#include "plan/plan.h"

namespace hpmp {

const char* tensor_kind_name(TensorKind kind);
std::string ranges_text(const Ranges& ranges);

}  // namespace hpmp
