/* The C interface of hpmp: graph, hypergraph, plan and engine behind opaque handles.
 *
 * Every function that can fail returns an hpmp_status; the sentence that explains a failure is in
 * hpmp_last_error() of the same thread until its next failing call. Nothing here prints, exits or
 * starts MPI.
 *
 * Handles are made by functions that take an `out` pointer and are freed by the function named
 * *_free, which accepts null. A handle keeps alive what it was made from, so the order of freeing
 * is free, except that a communicator must outlive its engines. Handles of graphs, hypergraphs and
 * plans never change and may be read from many threads; an engine belongs to one thread at a time.
 *
 * `const char*` inside an info structure lives as long as the handle it came from. `char**` results
 * are freed with hpmp_free. Counts of elements are float32 elements; times are seconds. */
#ifndef HPMP_H_
#define HPMP_H_

#include <stddef.h>
#include <stdint.h>

#include "hpmp_comm.h"
#include "hpmp_dlpack.h"

#if defined(__GNUC__)
#define HPMP_API __attribute__((visibility("default")))
#else
#define HPMP_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a structure or a function below changes its meaning. */
#define HPMP_API_VERSION 7

/* Who must act: 1 to 5 the user or caller, 6 to 8 the machine, 9 is a fault of hpmp. */
typedef enum hpmp_status {
  HPMP_OK = 0,
  HPMP_INVALID_MODEL = 1,
  HPMP_UNSUPPORTED_OP = 2,
  HPMP_INVALID_ARGUMENT = 3,
  HPMP_INFEASIBLE = 4,
  HPMP_INVALID_PLAN = 5,
  HPMP_OUT_OF_MEMORY = 6,
  HPMP_DEVICE_ERROR = 7,
  HPMP_COMM_ERROR = 8,
  HPMP_INTERNAL = 9
} hpmp_status;

HPMP_API int32_t hpmp_api_version(void);

/* The message of this thread's last failing call, one line of UTF-8; "" before the first. */
HPMP_API const char* hpmp_last_error(void);

/* Frees a `char*` result. */
HPMP_API void hpmp_free(void* memory);

/* ---- Graph ------------------------------------------------------------------------------- */

/* What activations and their gradients are stored as; parameters are always fp32. */
typedef enum hpmp_dtype { HPMP_FP32 = 0, HPMP_BF16 = 1 } hpmp_dtype;

/* What computes. */
typedef enum hpmp_device { HPMP_CPU = 0, HPMP_CUDA = 1 } hpmp_device;

/* 1 if this machine computes on activations of the type, else 0. */
HPMP_API int32_t hpmp_dtype_runs(hpmp_dtype dtype, hpmp_device device);

/* The GPUs that this process may use, at least one. Errors: device_error, in words: no driver, no
 * GPU, a build without CUDA. */
HPMP_API hpmp_status hpmp_gpu_count(int32_t* out);

typedef struct hpmp_graph hpmp_graph;

/* A parameter; dimension 0 is the output channel. `role` is one of weight, bias, scale, shift,
 * running_mean, running_var, slope. */
typedef struct hpmp_param_info {
  const char* name;
  const char* role;
  const int64_t* dims;
  int32_t ndim;
  int32_t trainable; /* the optimizer changes it; false for running statistics and frozen ones */
  int64_t elems;
} hpmp_param_info;

/* Extent of one sample of the input or of an output: channels, height, width. */
typedef struct hpmp_value_info {
  const char* name;
  int64_t c, h, w;
} hpmp_value_info;

/* Reads the text form ("hpmp-graph 1"), `length` bytes. Errors: invalid_model with the line. */
HPMP_API hpmp_status hpmp_graph_parse(const char* text, size_t length, hpmp_graph** out);
HPMP_API void hpmp_graph_free(hpmp_graph* graph);
HPMP_API hpmp_status hpmp_graph_text(const hpmp_graph* graph, char** out);
/* The name that plans carry of the graph they were made for, in hex; lives with the handle. */
HPMP_API hpmp_status hpmp_graph_hash(const hpmp_graph* graph, const char** out);

/* The graph that is planned and run: dead nodes removed, flattens moved behind elementwise work,
 * then a loss appended to every output with a weight (training) or an output node to each output.
 * `loss_weights`: by output, 0 for those that are missing; null for the first output with 1.
 * Parameters keep their order, but those of removed nodes are gone.
 * Errors: invalid_argument if no output has a weight, or two that have one differ in shape. */
HPMP_API hpmp_status hpmp_graph_prepare(const hpmp_graph* graph, int32_t training,
                                        const double* loss_weights, int64_t loss_weight_count,
                                        hpmp_graph** out);

HPMP_API hpmp_status hpmp_graph_param_count(const hpmp_graph* graph, int64_t* out);
HPMP_API hpmp_status hpmp_graph_param(const hpmp_graph* graph, int64_t index, hpmp_param_info* out);
/* The input that is the batch's images. Errors: invalid_model if the graph has none. */
HPMP_API hpmp_status hpmp_graph_input(const hpmp_graph* graph, hpmp_value_info* out);
HPMP_API hpmp_status hpmp_graph_output_count(const hpmp_graph* graph, int64_t* out);
HPMP_API hpmp_status hpmp_graph_output(const hpmp_graph* graph, int64_t index,
                                       hpmp_value_info* out);

/* What the speed of an op depends on, for one sample of its output. */
typedef struct hpmp_op_shape {
  const char* op; /* as in the graph's text */
  int64_t kernel; /* elements of the window */
  int64_t stride; /* vertical */
  int64_t groups; /* of a convolution */
  int64_t c_in, c_out, pixels;
} hpmp_op_shape;

/* One figure for each pass of an op: forward, gradient of the input, gradient of the weights. An op
 * that has no weights, or both gradients in one pass, has 0 for the third. */
typedef struct hpmp_passes {
  double forward, backward, weights;
} hpmp_passes;

typedef struct hpmp_node_info {
  const char* name;
  hpmp_op_shape shape;
  int64_t weight_elems; /* of its first parameter; 0 without one */
  int32_t is_index_map; /* computes nothing: concat, slice, flatten and the like */
  int32_t is_mixing;    /* Conv and Dense: `work` is in floating-point operations, else in bytes */
  hpmp_passes work;     /* of one sample */
} hpmp_node_info;

/* Name of an operator by index, null behind the last. */
HPMP_API const char* hpmp_op_name(int32_t index);
HPMP_API hpmp_status hpmp_graph_node_count(const hpmp_graph* graph, int64_t* out);
HPMP_API hpmp_status hpmp_graph_node(const hpmp_graph* graph, int64_t index, hpmp_node_info* out);

/* ---- Optimizers -------------------------------------------------------------------------- */

typedef enum hpmp_optimizer_kind {
  HPMP_SGD = 0,  /* g = grad + weight_decay * w; m = momentum * m + g; w -= lr * m */
  HPMP_ADAMW = 1 /* w *= 1 - lr * weight_decay; m and v: running means of grad and its square;
                  * w -= lr * m' / (sqrt(v') + eps) with m' = m / (1 - beta1^t),
                  * v' = v / (1 - beta2^t), t the number of the step, from 1 */
} hpmp_optimizer_kind;

/* An optimizer's settings; fields that its kind does not name are not read. */
typedef struct hpmp_optimizer {
  hpmp_optimizer_kind kind;
  double lr, weight_decay;
  double momentum;
  double beta1, beta2; /* each from 0 to below 1 */
  double eps;          /* above 0 */
} hpmp_optimizer;

/* Name of a kind, and of the arrays of a parameter's shape that it keeps beside each that is
 * trained; null behind the last. */
HPMP_API const char* hpmp_optimizer_name(int32_t kind);
HPMP_API const char* hpmp_optimizer_state_name(int32_t kind, int32_t state);

/* ---- Hypergraph -------------------------------------------------------------------------- */

typedef struct hpmp_hypergraph hpmp_hypergraph;

/* How every group's output is cut. */
typedef struct hpmp_grid {
  int64_t batch;                 /* global samples of a step */
  int64_t shards;                /* sample shards; divides the batch */
  int64_t channel_block;         /* channels of a cell in image layers */
  int64_t dense_block;           /* features of a cell in dense layers */
  int64_t most_blocks;           /* blocks of a layer, whose cells grow to that end; 0: no limit */
  int64_t bn_group;              /* samples that share batch statistics; 0: min(batch, 32) */
  int32_t bn_sync;               /* 1: shards may cut such a group; they exchange its sums */
  int32_t training;              /* 0: forward costs only, no parameter nets */
  hpmp_dtype dtype;              /* of activations, their gradients, and the messages of both */
  hpmp_optimizer_kind optimizer; /* whose arrays are kept beside parameters */
  double flops_per_byte;         /* weight of a byte moved, in floating-point operations */
} hpmp_grid;

/* Sizes and borrowed arrays of a hypergraph; they live as long as its handle. */
typedef struct hpmp_hypergraph_view {
  int64_t cells, nets, pins, groups;
  const int64_t* cell_weight;  /* [cells] work in FLOP equivalents */
  const int32_t* cell_group;   /* [cells] index of the group, in network order */
  const int32_t* cell_shard;   /* [cells] */
  const int32_t* cell_block;   /* [cells] channel block */
  const int64_t* net_cost;     /* [nets] elements moved per further part touched */
  const int32_t* net_is_param; /* [nets] 1: gradient of a parameter block; 0: activation or batch
                                * statistics */
  const int64_t* pin_begin;    /* [nets + 1] offsets into pin_cell */
  const int32_t* pin_cell;     /* [pins] the first pin of an activation net produces it */
} hpmp_hypergraph_view;

typedef struct hpmp_group_info {
  const char* name; /* of its head node */
  const char* op;   /* of its head node, as in the graph's text */
  int64_t c, h, w;  /* output of one sample */
  int32_t blocks;   /* channel blocks; 0 for the input */
} hpmp_group_info;

/* The defaults of every field but the batch, which is left 0. */
HPMP_API void hpmp_grid_default(hpmp_grid* out);

/* `graph` is a prepared one. Errors: invalid_argument if the grid does not fit the batch. */
HPMP_API hpmp_status hpmp_hypergraph_build(const hpmp_graph* graph, const hpmp_grid* grid,
                                           hpmp_hypergraph** out);
HPMP_API void hpmp_hypergraph_free(hpmp_hypergraph* hypergraph);
HPMP_API hpmp_status hpmp_hypergraph_get(const hpmp_hypergraph* hypergraph,
                                         hpmp_hypergraph_view* out);
HPMP_API hpmp_status hpmp_hypergraph_group(const hpmp_hypergraph* hypergraph, int64_t index,
                                           hpmp_group_info* out);
/* hMETIS text, format 11: net and vertex weights. */
HPMP_API hpmp_status hpmp_hypergraph_hmetis(const hpmp_hypergraph* hypergraph, char** out);

/* ---- Placement --------------------------------------------------------------------------- */

/* Elements moved in one step, and the load. Both volumes count (lambda - 1) * cost. */
typedef struct hpmp_metrics {
  int64_t activation_elems;
  int64_t parameter_elems;
  double imbalance; /* heaviest part / average - 1 */
} hpmp_metrics;

/* A classical strategy ("data", "layer", "filter", "owt") as a part per cell; `part` is [cells].
 * "data:R" is R replicas of a layer pipeline over ranks/R stages.
 * Errors: invalid_argument for another name; infeasible where the grid is too coarse. */
HPMP_API hpmp_status hpmp_baseline(const hpmp_hypergraph* hypergraph, const char* strategy,
                                   int32_t ranks, int32_t* part);

/* What the native search may do; see hpmp_search. */
typedef struct hpmp_search_options {
  double epsilon;      /* a part may exceed its share of the weight by this fraction */
  uint64_t seed;       /* the same seed and work give the same result */
  int64_t work;        /* pins touched: how long to search, repeatably */
  double seconds;      /* a guard: ends the search early */
  int64_t keep;        /* placements wanted at most */
  const double* share; /* [ranks] relative speeds; null: all alike */
} hpmp_search_options;

HPMP_API void hpmp_search_options_default(hpmp_search_options* out);

/* Searches for placements of least volume within the balance. `starts`: [start_count * cells], may
 * be null. `part`: [keep * cells], filled with *found placements, best first.
 * Errors: infeasible with more ranks than cells; invalid_argument for a bad option or start. */
HPMP_API hpmp_status hpmp_search(const hpmp_hypergraph* hypergraph, int32_t ranks,
                                 const hpmp_search_options* options, const int32_t* starts,
                                 int64_t start_count, int32_t* part, int64_t* found);

/* Measures a placement. Any of the arrays may be null: part_weight [ranks], pair_elems
 * [ranks * ranks] as from * ranks + to, net_volume [nets].
 * Errors: invalid_argument for a part outside [0, ranks). */
HPMP_API hpmp_status hpmp_measure(const hpmp_hypergraph* hypergraph, const int32_t* part,
                                  int32_t ranks, hpmp_metrics* out, int64_t* part_weight,
                                  int64_t* pair_elems, int64_t* net_volume);

/* ---- Plan -------------------------------------------------------------------------------- */

typedef struct hpmp_plan hpmp_plan;

/* Measured speed of an op on a shape. */
typedef struct hpmp_rate {
  hpmp_op_shape shape;
  hpmp_passes per_second; /* work as in hpmp_node_info; 0 for a pass that the op does not have */
} hpmp_rate;

/* Times and speeds of a machine, each above 0. */
typedef struct hpmp_speeds {
  double flops_per_second;        /* of one rank, for ops without a rate */
  double memory_bytes_per_second; /* likewise */
  double link_bytes_per_second;   /* per rank and direction */
  double link_latency_seconds;
  double transport_bytes_per_second; /* what a message costs the core at each of its ends */
  double task_overhead_seconds;      /* of each op of a task */
  double pack_bytes_per_second;      /* gathering into and scattering out of message buffers */
  double update_seconds_per_elem;    /* of SGD with momentum; others by the bytes they move */
  double conv_load_seconds;          /* per weight element and step: taking new weights over */
  /* Per weight element and task, however few its samples. */
  double conv_weight_forward_seconds, conv_weight_backward_seconds;
  double dense_weight_forward_seconds, dense_weight_backward_seconds;
} hpmp_speeds;

/* Whether activations may be freed and computed again for the backward pass. */
typedef enum hpmp_recompute {
  HPMP_RECOMPUTE_AUTO = 0, /* where the memory goal or limit asks for it and nothing is cheaper */
  HPMP_RECOMPUTE_NEVER = 1,
  HPMP_RECOMPUTE_ALWAYS = 2 /* so that a step needs as little memory as it can */
} hpmp_recompute;

/* What the planner believes of the machine. */
typedef struct hpmp_machine {
  hpmp_speeds speeds;
  const hpmp_rate* rates; /* [rate_count]; null: the first two speeds serve all ops */
  int64_t rate_count;
  int64_t memory_limit_bytes; /* per rank; 0: none */
  int64_t memory_goal_bytes;  /* a schedule that keeps it is preferred to a shorter one; 0: the
                                 limit */
  const double* rank_speed;   /* [rank_count] relative speeds; null: all alike */
  int32_t rank_count;
  hpmp_dtype dtype; /* of the activations with which speeds and rates were measured */
  hpmp_recompute recompute;
} hpmp_machine;

typedef struct hpmp_plan_info {
  const char* strategy;
  const char* graph_hash;
  int32_t ranks;
  hpmp_grid grid;
  int64_t messages;
  int64_t activation_elems, parameter_elems; /* sent in one step by all ranks; exact; the first
                                              * with batch statistics */
  double imbalance;
  double step_seconds;                       /* predicted */
  double bubble_fraction;                    /* predicted share of rank time without work */
  int64_t activation_bytes, parameter_bytes; /* of the same elements */
} hpmp_plan_info;

typedef struct hpmp_rank_info {
  int64_t instructions;
  int64_t arena_bytes; /* activations, gradients and message buffers of a step */
  int64_t param_bytes; /* weights, gradients and optimizer state */
  int64_t sent_elems;  /* in one step */
  int64_t sent_bytes;  /* of the same elements */
} hpmp_rank_info;

HPMP_API void hpmp_machine_default(hpmp_machine* out);

/* What a placement promises: the figures of the plan that would be made of it. */
typedef struct hpmp_prediction {
  int64_t messages;
  int64_t activation_elems, parameter_elems; /* sent in one step by all ranks; exact */
  double imbalance;
  double step_seconds; /* under the best of the schedule's rules */
  double bubble_fraction;
  double compute_seconds; /* of the rank that computes most */
  double network_seconds; /* of the busiest direction of a rank's link, without latencies */
  int64_t activation_bytes, parameter_bytes; /* of the same elements */
} hpmp_prediction;

/* Predicts a plan's figures without making it; `part` is [cells]. `memory_bytes`: [ranks] or null:
 * parameters, and the most that lives at once of all else; an arena needs that or a little more.
 * Errors: invalid_argument for a part outside [0, ranks). */
HPMP_API hpmp_status hpmp_predict(const hpmp_hypergraph* hypergraph, const int32_t* part,
                                  int32_t ranks, const hpmp_machine* machine, hpmp_prediction* out,
                                  int64_t* memory_bytes);

/* What the search for short steps may do; see hpmp_improve. */
typedef struct hpmp_improve_options {
  uint64_t seed;  /* the same seed and work give the same result */
  int64_t work;   /* tasks simulated: how long to search, repeatably */
  double seconds; /* a guard: ends the search early */
  int32_t ladder; /* 1: also start from placements found on fewer ranks */
} hpmp_improve_options;

HPMP_API void hpmp_improve_options_default(hpmp_improve_options* out);

/* Searches for a placement of least predicted step time that fits the machine's memory limit, from
 * the best of `starts`: [start_count * cells], at least one. `part`: [cells]; `seconds`: of a step.
 * Errors: infeasible if no start fits the memory; invalid_argument for a bad start. */
HPMP_API hpmp_status hpmp_improve(const hpmp_hypergraph* hypergraph, int32_t ranks,
                                  const hpmp_machine* machine, const hpmp_improve_options* options,
                                  const int32_t* starts, int64_t start_count, int32_t* part,
                                  double* seconds);

/* Makes the programs of all ranks for a placement and predicts their time; `part` is [cells].
 * Errors: infeasible if a rank needs more than memory_limit_bytes, saying by how much. */
HPMP_API hpmp_status hpmp_plan_build(const hpmp_hypergraph* hypergraph, const int32_t* part,
                                     int32_t ranks, const hpmp_machine* machine,
                                     const char* strategy, hpmp_plan** out);
/* Errors: invalid_plan with the line. */
HPMP_API hpmp_status hpmp_plan_parse(const char* text, size_t length, hpmp_plan** out);
HPMP_API void hpmp_plan_free(hpmp_plan* plan);
HPMP_API hpmp_status hpmp_plan_text(const hpmp_plan* plan, char** out);
/* The plan for another optimizer: memory is counted anew, predicted times stay.
 * Errors: invalid_plan as hpmp_plan_verify. */
HPMP_API hpmp_status hpmp_plan_for_optimizer(const hpmp_graph* graph, const hpmp_plan* plan,
                                             hpmp_optimizer_kind optimizer, hpmp_plan** out);
/* Dry-runs all ranks. Errors: invalid_plan, naming rank and instruction, for a plan that could
 * hang, reads what was never written, reuses live memory or belongs to another graph. */
HPMP_API hpmp_status hpmp_plan_verify(const hpmp_graph* graph, const hpmp_plan* plan);
HPMP_API hpmp_status hpmp_plan_get(const hpmp_plan* plan, hpmp_plan_info* out);
HPMP_API hpmp_status hpmp_plan_rank(const hpmp_plan* plan, int32_t rank, hpmp_rank_info* out);
/* One line per instruction of a rank, as in traces: "BWD layer1.0.conv2 shard 3". */
HPMP_API hpmp_status hpmp_plan_labels(const hpmp_graph* graph, const hpmp_plan* plan, int32_t rank,
                                      char** out);
/* Predicted times of a rank's instructions since the step's start; both [instructions]. */
HPMP_API hpmp_status hpmp_plan_times(const hpmp_plan* plan, int32_t rank, double* start_seconds,
                                     double* end_seconds);

/* "FWD" and the like; null for a kind that does not exist. Kinds count up from 0. */
HPMP_API const char* hpmp_instruction_name(int32_t kind);
/* A rank's program; every array is [instructions] and may be null. `group` indexes the hypergraph's
 * groups; `shard` and `message` are -1 where there is none; `live_bytes`: of the arena, in use
 * while the instruction runs. */
HPMP_API hpmp_status hpmp_plan_program(const hpmp_plan* plan, int32_t rank, int32_t* kind,
                                       int32_t* group, int32_t* shard, int32_t* message,
                                       int64_t* live_bytes);
/* All messages; every array is [messages] and may be null. `kind`: 0 activation, 1 gradient of one,
 * 2 gradient of parameters, 3 parameters; of batch statistics 4 a part, 5 the sum, and backward 6
 * and 7. */
HPMP_API hpmp_status hpmp_plan_messages(const hpmp_plan* plan, int32_t* kind, int32_t* from,
                                        int32_t* to, int64_t* elems, int64_t* bytes);
/* What a rank computes: output channels of a group on a shard. The input's tasks are the channels
 * that it loads. `count`: in, room of the arrays; out, tasks there are. Null arrays ask for the
 * number only. */
HPMP_API hpmp_status hpmp_plan_tasks(const hpmp_plan* plan, int32_t rank, int32_t* group,
                                     int32_t* shard, int64_t* channels, int64_t* count);
/* What a rank reads of a step's batch: by shard (batch / shards samples that follow each other) 1
 * where it loads the images, and 1 where it computes a loss, so that it reads the labels; else 0.
 * Both arrays are [shards] and may be null. Other images are never looked at; other labels are not
 * after hpmp_engine_set_own_labels. Errors: invalid_plan if the plan is for another graph. */
HPMP_API hpmp_status hpmp_plan_reads(const hpmp_graph* graph, const hpmp_plan* plan, int32_t rank,
                                     int32_t* images, int32_t* labels);

/* ---- Communicator ------------------------------------------------------------------------ */

typedef struct hpmp_world hpmp_world;
typedef struct hpmp_communicator hpmp_communicator;

/* Joins `size` ranks that are threads of this process; outlives its communicators. */
HPMP_API hpmp_status hpmp_world_create(int32_t size, hpmp_world** out);
HPMP_API void hpmp_world_free(hpmp_world* world);
/* One rank's end. */
HPMP_API hpmp_status hpmp_world_communicator(hpmp_world* world, int32_t rank,
                                             hpmp_communicator** out);
/* Ends the world because one rank failed: every call of the others that waits now, or comes later,
 * fails with comm_error and `message`. The first message stays. */
HPMP_API hpmp_status hpmp_world_poison(hpmp_world* world, int32_t rank, const char* message);
/* A transport given as functions (hpmp_comm.h); the table is copied, its context must outlive the
 * communicator. Errors: invalid_argument for a table of another version. */
HPMP_API hpmp_status hpmp_communicator_create(const hpmp_comm_table* table,
                                              hpmp_communicator** out);
HPMP_API void hpmp_communicator_free(hpmp_communicator* communicator);
HPMP_API hpmp_status hpmp_communicator_get(const hpmp_communicator* communicator, int32_t* rank,
                                           int32_t* size);

/* ---- Engine ------------------------------------------------------------------------------ */

typedef struct hpmp_engine hpmp_engine;

/* Where an engine takes a GPU's memory from, and the stream that it works on: somebody else's,
 * whose functions may be called whenever the engine is. `allocate`: aligned to 256 bytes; null:
 * none. */
typedef struct hpmp_gpu_memory {
  void* context;
  void* (*allocate)(void* context, size_t bytes);
  void (*release)(void* context, void* memory);
  void* stream; /* a cudaStream_t */
} hpmp_gpu_memory;

typedef struct hpmp_engine_options {
  uint64_t seed;               /* of dropout */
  int32_t threads;             /* compute threads of this rank; 0: leave as is */
  int32_t trace;               /* 1: keep the times of the last step's instructions */
  double comm_timeout_seconds; /* without progress, before a wait fails */
  char* status;                /* 256 bytes that always name the current instruction, or null */
  hpmp_device device;
  int32_t gpu;                       /* which of this process's */
  int32_t tf32;                      /* 1: fp32 products on a GPU may be rounded to TF32 */
  const hpmp_gpu_memory* gpu_memory; /* null: the driver's; copied */
  double label_smoothing;            /* share of a label that is spread over all classes, in
                                      * training steps; from 0 to 1 */
} hpmp_engine_options;

typedef struct hpmp_step_result {
  double loss;     /* weighted sum over heads of the mean over the labels that count */
  int64_t correct; /* labels of the global batch that are the first head's top class */
  int64_t counted; /* labels of the global batch that are not -1 */
  /* In which this rank's host gave out the step's work (on a CPU: did it), messages that it waited
   * for included. */
  double host_seconds;
} hpmp_step_result;

HPMP_API void hpmp_engine_options_default(hpmp_engine_options* out);

/* The engine of one rank. Weights are undefined until set. Collective; all ranks compute on CPUs,
 * or all on GPUs. Errors: invalid_plan if the plan is for another graph; invalid_argument if the
 * communicator has another size than the plan has ranks; unsupported_op; out_of_memory. */
HPMP_API hpmp_status hpmp_engine_create(const hpmp_graph* graph, const hpmp_plan* plan,
                                        hpmp_communicator* communicator,
                                        const hpmp_engine_options* options, hpmp_engine** out);
HPMP_API void hpmp_engine_free(hpmp_engine* engine);

/* A parameter of the prepared graph by index. `data`: all `elems` float32 values in C order, owned
 * by the caller, on every rank. Setting copies the rows that this rank uses. Getting writes what
 * this rank owns and zero elsewhere, so that the sum over ranks is the whole.
 * Errors: invalid_argument for an index or a number of elements that is not the parameter's. */
HPMP_API hpmp_status hpmp_engine_set_param(hpmp_engine* engine, int64_t param, const float* data,
                                           int64_t elems);
HPMP_API hpmp_status hpmp_engine_get_param(hpmp_engine* engine, int64_t param, float* data,
                                           int64_t elems);
/* The gradient of the last step, after the sum over ranks. */
HPMP_API hpmp_status hpmp_engine_get_grad(hpmp_engine* engine, int64_t param, float* data,
                                          int64_t elems);
/* An array that the plan's optimizer keeps beside the parameter, by hpmp_optimizer_state_name's
 * index; zero at first, and where the parameter is not trained. */
HPMP_API hpmp_status hpmp_engine_set_state(hpmp_engine* engine, int64_t param, int32_t state,
                                           const float* data, int64_t elems);
HPMP_API hpmp_status hpmp_engine_get_state(hpmp_engine* engine, int64_t param, int32_t state,
                                           float* data, int64_t elems);

/* Goes on after `step` steps: random choices (dropout) are keyed by the number of the step, and
 * bias corrections of the optimizer go by it. */
HPMP_API hpmp_status hpmp_engine_set_step(hpmp_engine* engine, int64_t step);

/* One training step; collective. `images`: the global batch, (batch, C, H, W) or, where H = W = 1,
 * (batch, C); float32, C order, CPU. `labels`: (batch), or (batch, H, W) of the logits where these
 * are maps; int64, C order, CPU; -1 is left out of the loss. Both are borrowed for the call; what
 * several ranks read must be the same on all of them. `optimizer` is of the plan's kind; its
 * numbers may change from step to step. Errors: invalid_argument naming the tensor and what it
 * should be, or the setting. */
HPMP_API hpmp_status hpmp_engine_train_step(hpmp_engine* engine, const DLTensor* images,
                                            const DLTensor* labels, const hpmp_optimizer* optimizer,
                                            hpmp_step_result* out);
/* Of the last step or forward part of a graph whose first head is of maps: the pixels by class that
 * are right, predicted and labelled, one after the other. `count`: in, the room of `out`; out, 3 *
 * classes, or 0 without maps. A null `out` asks for the count only. */
HPMP_API hpmp_status hpmp_engine_confusion(const hpmp_engine* engine, int64_t* out, int64_t* count);
/* The forward part; collective. `labels` may be null. `outputs[i]`, if not null, is [batch * elems]
 * float32 owned by the caller, filled for the samples whose output this rank computes and zero
 * elsewhere: graph output i, or the logits of a training graph. `out` may be null. */
HPMP_API hpmp_status hpmp_engine_forward(hpmp_engine* engine, const DLTensor* images,
                                         const DLTensor* labels, float* const* outputs,
                                         int64_t output_count, hpmp_step_result* out);

/* Whether a rank gives only its own samples' labels from now on (hpmp_plan_reads), and anything for
 * the others; how many count is then summed over the ranks when a step begins. 0 at first; the same
 * on every rank. */
HPMP_API hpmp_status hpmp_engine_set_own_labels(hpmp_engine* engine, int32_t own);

/* Whether the times of the next steps' instructions are kept; a GPU then does one at a time. */
HPMP_API hpmp_status hpmp_engine_set_trace(hpmp_engine* engine, int32_t trace);

/* Elements sent by this rank since creation or the last reset: [nets] of the plan's hypergraph, and
 * [ranks] by destination. `count` is the length of `out`. */
HPMP_API hpmp_status hpmp_engine_sent_by_net(const hpmp_engine* engine, int64_t* out,
                                             int64_t count);
HPMP_API hpmp_status hpmp_engine_sent_by_peer(const hpmp_engine* engine, int64_t* out,
                                              int64_t count);
/* How messages get from one rank's memory into another's: through the host's memory, as all do on a
 * CPU; by a transport that takes a GPU's memory; or written by the sender's GPU where they are
 * received. */
typedef enum hpmp_passage {
  HPMP_BY_HOST = 0,
  HPMP_BY_TRANSPORT = 1,
  HPMP_BY_GPU = 2,
  HPMP_PASSAGES = 3,
} hpmp_passage;

/* Bytes of the same messages, to all ranks: [HPMP_PASSAGES]. */
HPMP_API hpmp_status hpmp_engine_sent_bytes(const hpmp_engine* engine, int64_t* out);
HPMP_API hpmp_status hpmp_engine_net_count(const hpmp_engine* engine, int64_t* out);
HPMP_API hpmp_status hpmp_engine_reset_counters(hpmp_engine* engine);
/* Arena, parameters and what the kernels hold, in bytes. */
HPMP_API hpmp_status hpmp_engine_memory(const hpmp_engine* engine, int64_t* out);
/* Times of the last step, since its start. `count`: in, room of the arrays; out, events there are.
 * Null arrays ask for the number only. `instruction` indexes the rank's program. */
HPMP_API hpmp_status hpmp_engine_trace(const hpmp_engine* engine, int32_t* instruction,
                                       double* start_seconds, double* end_seconds, int64_t* count);

/* ---- Benchmarks -------------------------------------------------------------------------- */

typedef struct hpmp_bench_options {
  int64_t samples;       /* of the batch that the op is given */
  int32_t repeats;       /* at most */
  int32_t threads;       /* compute threads; 0: leave as is */
  double budget_seconds; /* no further repeat afterwards */
  hpmp_dtype dtype;      /* of activations */
  hpmp_device device;
  int32_t gpu;  /* which of this process's */
  int32_t tf32; /* 1: fp32 products on a GPU may be rounded to TF32 */
} hpmp_bench_options;

/* Runs one op of a prepared graph alone. The arrays have room for `repeats` values; *count is how
 * many there are. `weights` is left as it is where the op has no third pass; `load` is what taking
 * new parameters over costs, once a step.
 * Errors: unsupported_op for one that does no work; out_of_memory. */
HPMP_API hpmp_status hpmp_bench_node(const hpmp_graph* graph, int64_t index,
                                     const hpmp_bench_options* options, double* forward_seconds,
                                     double* backward_seconds, double* weights_seconds,
                                     double* load_seconds, int64_t* count);

typedef struct hpmp_device_figures {
  double fma_flops_per_second; /* of one core, with its widest vectors; 0 for a GPU */
  double pack_bytes_per_second;
  double update_seconds_per_elem;
  double to_host_bytes_per_second; /* between a GPU's memory and pinned memory; 0 for a CPU */
  double to_device_bytes_per_second;
} hpmp_device_figures;

/* What a device does at best, medians of `repeats`; `samples`, `budget_seconds` and `dtype` are of
 * no matter. Errors: device_error, out_of_memory. */
HPMP_API hpmp_status hpmp_bench_device(const hpmp_bench_options* options, hpmp_device_figures* out);

/* Seconds one way between this rank and `peer`, who calls with this rank; [repeats].
 * Errors: invalid_argument for a peer outside the world; comm_error. */
HPMP_API hpmp_status hpmp_bench_ping_pong(hpmp_communicator* communicator, int32_t peer,
                                          int64_t bytes, int32_t repeats, double* seconds);
/* The same between the memories of the ranks' devices, carried as the messages of a step are. Of
 * `options`, only the device matters. Errors: also device_error, out_of_memory. */
HPMP_API hpmp_status hpmp_bench_link(hpmp_communicator* communicator, int32_t peer, int64_t bytes,
                                     int32_t repeats, const hpmp_bench_options* options,
                                     double* seconds);
/* Seconds of summing an array of floats over ranks [0, group), who all call; [repeats]. */
HPMP_API hpmp_status hpmp_bench_all_reduce(hpmp_communicator* communicator, int32_t group,
                                           int64_t bytes, int32_t repeats, double* seconds);

#ifdef __cplusplus
}
#endif
#endif /* HPMP_H_ */
