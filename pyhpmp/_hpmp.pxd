# The declarations of native/include/hpmp.h.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "hpmp_dlpack.h" nogil:
    ctypedef struct DLDevice:
        int32_t device_type
        int32_t device_id

    ctypedef struct DLDataType:
        uint8_t code
        uint8_t bits
        uint16_t lanes

    ctypedef struct DLTensor:
        void* data
        DLDevice device
        int32_t ndim
        DLDataType dtype
        int64_t* shape
        int64_t* strides
        uint64_t byte_offset

    ctypedef struct DLManagedTensor:
        DLTensor dl_tensor

    ctypedef struct DLPackVersion:
        uint32_t major
        uint32_t minor

    ctypedef struct DLManagedTensorVersioned:
        DLPackVersion version
        DLTensor dl_tensor


cdef extern from "hpmp.h" nogil:
    ctypedef int hpmp_status
    ctypedef struct hpmp_comm_table:
        pass

    int32_t HPMP_API_VERSION
    int32_t hpmp_api_version()
    const char* hpmp_last_error()
    void hpmp_free(void* memory)

    ctypedef enum hpmp_dtype:
        HPMP_FP32
        HPMP_BF16

    ctypedef enum hpmp_device:
        HPMP_CPU
        HPMP_CUDA

    ctypedef enum hpmp_optimizer_kind:
        HPMP_SGD
        HPMP_ADAMW

    ctypedef struct hpmp_optimizer:
        hpmp_optimizer_kind kind
        double lr
        double weight_decay
        double momentum
        double beta1
        double beta2
        double eps

    const char* hpmp_optimizer_name(int32_t kind)
    const char* hpmp_optimizer_state_name(int32_t kind, int32_t state)

    int32_t hpmp_dtype_runs(hpmp_dtype dtype, hpmp_device device)
    hpmp_status hpmp_gpu_count(int32_t* out)

    ctypedef struct hpmp_graph:
        pass

    ctypedef struct hpmp_param_info:
        const char* name
        const char* role
        const int64_t* dims
        int32_t ndim
        int32_t trainable
        int64_t elems

    ctypedef struct hpmp_value_info:
        const char* name
        int64_t c
        int64_t h
        int64_t w

    hpmp_status hpmp_graph_parse(const char* text, size_t length, hpmp_graph** out)
    void hpmp_graph_free(hpmp_graph* graph)
    hpmp_status hpmp_graph_text(const hpmp_graph* graph, char** out)
    hpmp_status hpmp_graph_hash(const hpmp_graph* graph, const char** out)
    hpmp_status hpmp_graph_prepare(const hpmp_graph* graph, int32_t training,
                                   const double* loss_weights, int64_t loss_weight_count,
                                   hpmp_graph** out)
    hpmp_status hpmp_graph_param_count(const hpmp_graph* graph, int64_t* out)
    hpmp_status hpmp_graph_param(const hpmp_graph* graph, int64_t index, hpmp_param_info* out)
    hpmp_status hpmp_graph_input(const hpmp_graph* graph, hpmp_value_info* out)
    hpmp_status hpmp_graph_output_count(const hpmp_graph* graph, int64_t* out)
    hpmp_status hpmp_graph_output(const hpmp_graph* graph, int64_t index, hpmp_value_info* out)

    ctypedef struct hpmp_op_shape:
        const char* op
        int64_t kernel
        int64_t stride
        int64_t groups
        int64_t c_in
        int64_t c_out
        int64_t pixels

    ctypedef struct hpmp_passes:
        double forward
        double backward
        double weights

    ctypedef struct hpmp_node_info:
        const char* name
        hpmp_op_shape shape
        int64_t weight_elems
        int32_t is_index_map
        int32_t is_mixing
        hpmp_passes work

    const char* hpmp_op_name(int32_t index)
    hpmp_status hpmp_graph_node_count(const hpmp_graph* graph, int64_t* out)
    hpmp_status hpmp_graph_node(const hpmp_graph* graph, int64_t index, hpmp_node_info* out)

    ctypedef struct hpmp_hypergraph:
        pass

    ctypedef struct hpmp_grid:
        int64_t batch
        int64_t shards
        int64_t channel_block
        int64_t dense_block
        int64_t most_blocks
        int64_t bn_group
        int32_t bn_sync
        int32_t training
        hpmp_dtype dtype
        hpmp_optimizer_kind optimizer
        double flops_per_byte

    ctypedef struct hpmp_hypergraph_view:
        int64_t cells
        int64_t nets
        int64_t pins
        int64_t groups
        const int64_t* cell_weight
        const int32_t* cell_group
        const int32_t* cell_shard
        const int32_t* cell_block
        const int64_t* net_cost
        const int32_t* net_is_param
        const int64_t* pin_begin
        const int32_t* pin_cell

    ctypedef struct hpmp_group_info:
        const char* name
        const char* op
        int64_t c
        int64_t h
        int64_t w
        int32_t blocks

    void hpmp_grid_default(hpmp_grid* out)
    hpmp_status hpmp_hypergraph_build(const hpmp_graph* graph, const hpmp_grid* grid,
                                      hpmp_hypergraph** out)
    void hpmp_hypergraph_free(hpmp_hypergraph* hypergraph)
    hpmp_status hpmp_hypergraph_get(const hpmp_hypergraph* hypergraph, hpmp_hypergraph_view* out)
    hpmp_status hpmp_hypergraph_group(const hpmp_hypergraph* hypergraph, int64_t index,
                                      hpmp_group_info* out)
    hpmp_status hpmp_hypergraph_hmetis(const hpmp_hypergraph* hypergraph, char** out)

    ctypedef struct hpmp_metrics:
        int64_t activation_elems
        int64_t parameter_elems
        double imbalance

    hpmp_status hpmp_baseline(const hpmp_hypergraph* hypergraph, const char* strategy,
                              int32_t ranks, int32_t* part)

    ctypedef struct hpmp_search_options:
        double epsilon
        uint64_t seed
        int64_t work
        double seconds
        int64_t keep
        const double* share

    void hpmp_search_options_default(hpmp_search_options* out)
    hpmp_status hpmp_search(const hpmp_hypergraph* hypergraph, int32_t ranks,
                            const hpmp_search_options* options, const int32_t* starts,
                            int64_t start_count, int32_t* part, int64_t* found)
    hpmp_status hpmp_measure(const hpmp_hypergraph* hypergraph, const int32_t* part, int32_t ranks,
                             hpmp_metrics* out, int64_t* part_weight, int64_t* pair_elems,
                             int64_t* net_volume)

    ctypedef struct hpmp_plan:
        pass

    ctypedef struct hpmp_rate:
        hpmp_op_shape shape
        hpmp_passes per_second

    ctypedef struct hpmp_speeds:
        double flops_per_second
        double memory_bytes_per_second
        double link_bytes_per_second
        double link_latency_seconds
        double transport_bytes_per_second
        double task_overhead_seconds
        double pack_bytes_per_second
        double update_seconds_per_elem
        double conv_load_seconds
        double conv_weight_forward_seconds
        double conv_weight_backward_seconds
        double dense_weight_forward_seconds
        double dense_weight_backward_seconds

    ctypedef enum hpmp_recompute:
        HPMP_RECOMPUTE_AUTO
        HPMP_RECOMPUTE_NEVER
        HPMP_RECOMPUTE_ALWAYS

    ctypedef struct hpmp_machine:
        hpmp_speeds speeds
        const hpmp_rate* rates
        int64_t rate_count
        int64_t memory_limit_bytes
        int64_t memory_goal_bytes
        const double* rank_speed
        int32_t rank_count
        hpmp_dtype dtype
        hpmp_recompute recompute

    ctypedef struct hpmp_prediction:
        int64_t messages
        int64_t activation_elems
        int64_t parameter_elems
        double imbalance
        double step_seconds
        double bubble_fraction
        double compute_seconds
        double network_seconds
        int64_t activation_bytes
        int64_t parameter_bytes

    ctypedef struct hpmp_plan_info:
        const char* strategy
        const char* graph_hash
        int32_t ranks
        hpmp_grid grid
        int64_t messages
        int64_t activation_elems
        int64_t parameter_elems
        double imbalance
        double step_seconds
        double bubble_fraction
        int64_t activation_bytes
        int64_t parameter_bytes

    ctypedef struct hpmp_rank_info:
        int64_t instructions
        int64_t arena_bytes
        int64_t param_bytes
        int64_t sent_elems
        int64_t sent_bytes

    void hpmp_machine_default(hpmp_machine* out)
    hpmp_status hpmp_predict(const hpmp_hypergraph* hypergraph, const int32_t* part,
                             int32_t ranks, const hpmp_machine* machine, hpmp_prediction* out,
                             int64_t* memory_bytes)

    ctypedef struct hpmp_improve_options:
        uint64_t seed
        int64_t work
        double seconds
        int32_t ladder

    void hpmp_improve_options_default(hpmp_improve_options* out)
    hpmp_status hpmp_improve(const hpmp_hypergraph* hypergraph, int32_t ranks,
                             const hpmp_machine* machine, const hpmp_improve_options* options,
                             const int32_t* starts, int64_t start_count, int32_t* part,
                             double* seconds)

    hpmp_status hpmp_plan_build(const hpmp_hypergraph* hypergraph, const int32_t* part,
                                int32_t ranks, const hpmp_machine* machine, const char* strategy,
                                hpmp_plan** out)
    hpmp_status hpmp_plan_parse(const char* text, size_t length, hpmp_plan** out)
    void hpmp_plan_free(hpmp_plan* plan)
    hpmp_status hpmp_plan_text(const hpmp_plan* plan, char** out)
    hpmp_status hpmp_plan_verify(const hpmp_graph* graph, const hpmp_plan* plan)
    hpmp_status hpmp_plan_for_optimizer(const hpmp_graph* graph, const hpmp_plan* plan,
                                        hpmp_optimizer_kind optimizer, hpmp_plan** out)
    hpmp_status hpmp_plan_get(const hpmp_plan* plan, hpmp_plan_info* out)
    hpmp_status hpmp_plan_rank(const hpmp_plan* plan, int32_t rank, hpmp_rank_info* out)
    hpmp_status hpmp_plan_labels(const hpmp_graph* graph, const hpmp_plan* plan, int32_t rank,
                                 char** out)
    hpmp_status hpmp_plan_times(const hpmp_plan* plan, int32_t rank, double* start_seconds,
                                double* end_seconds)
    const char* hpmp_instruction_name(int32_t kind)
    hpmp_status hpmp_plan_program(const hpmp_plan* plan, int32_t rank, int32_t* kind,
                                  int32_t* group, int32_t* shard, int32_t* message,
                                  int64_t* live_bytes)
    hpmp_status hpmp_plan_messages(const hpmp_plan* plan, int32_t* kind, int32_t* from_, int32_t* to,
                                   int64_t* elems, int64_t* bytes)
    hpmp_status hpmp_plan_tasks(const hpmp_plan* plan, int32_t rank, int32_t* group,
                                int32_t* shard, int64_t* channels, int64_t* count)
    hpmp_status hpmp_plan_reads(const hpmp_graph* graph, const hpmp_plan* plan, int32_t rank,
                                int32_t* images, int32_t* labels)

    ctypedef struct hpmp_world:
        pass

    ctypedef struct hpmp_communicator:
        pass

    hpmp_status hpmp_world_create(int32_t size, hpmp_world** out)
    void hpmp_world_free(hpmp_world* world)
    hpmp_status hpmp_world_communicator(hpmp_world* world, int32_t rank, hpmp_communicator** out)
    hpmp_status hpmp_world_poison(hpmp_world* world, int32_t rank, const char* message)
    hpmp_status hpmp_communicator_create(const hpmp_comm_table* table, hpmp_communicator** out)
    void hpmp_communicator_free(hpmp_communicator* communicator)
    hpmp_status hpmp_communicator_get(const hpmp_communicator* communicator, int32_t* rank,
                                      int32_t* size)

    ctypedef struct hpmp_engine:
        pass

    ctypedef struct hpmp_gpu_memory:
        void* context
        void* (*allocate)(void* context, size_t bytes) noexcept
        void (*release)(void* context, void* memory) noexcept
        void* stream

    ctypedef struct hpmp_engine_options:
        uint64_t seed
        int32_t threads
        int32_t trace
        double comm_timeout_seconds
        char* status
        hpmp_device device
        int32_t gpu
        int32_t tf32
        const hpmp_gpu_memory* gpu_memory
        double label_smoothing

    ctypedef struct hpmp_step_result:
        double loss
        int64_t correct
        int64_t counted
        double host_seconds

    void hpmp_engine_options_default(hpmp_engine_options* out)
    hpmp_status hpmp_engine_create(const hpmp_graph* graph, const hpmp_plan* plan,
                                   hpmp_communicator* communicator,
                                   const hpmp_engine_options* options, hpmp_engine** out)
    void hpmp_engine_free(hpmp_engine* engine)
    hpmp_status hpmp_engine_set_param(hpmp_engine* engine, int64_t param, const float* data,
                                      int64_t elems)
    hpmp_status hpmp_engine_get_param(hpmp_engine* engine, int64_t param, float* data,
                                      int64_t elems)
    hpmp_status hpmp_engine_get_grad(hpmp_engine* engine, int64_t param, float* data,
                                     int64_t elems)
    hpmp_status hpmp_engine_set_state(hpmp_engine* engine, int64_t param, int32_t state,
                                      const float* data, int64_t elems)
    hpmp_status hpmp_engine_get_state(hpmp_engine* engine, int64_t param, int32_t state,
                                      float* data, int64_t elems)
    hpmp_status hpmp_engine_set_step(hpmp_engine* engine, int64_t step)
    hpmp_status hpmp_engine_set_own_labels(hpmp_engine* engine, int32_t own)
    hpmp_status hpmp_engine_set_trace(hpmp_engine* engine, int32_t trace)
    hpmp_status hpmp_engine_train_step(hpmp_engine* engine, const DLTensor* images,
                                       const DLTensor* labels, const hpmp_optimizer* optimizer,
                                       hpmp_step_result* out)
    hpmp_status hpmp_engine_forward(hpmp_engine* engine, const DLTensor* images,
                                    const DLTensor* labels, float** outputs,
                                    int64_t output_count, hpmp_step_result* out)
    hpmp_status hpmp_engine_confusion(const hpmp_engine* engine, int64_t* out, int64_t* count)
    hpmp_status hpmp_engine_sent_by_net(const hpmp_engine* engine, int64_t* out, int64_t count)
    hpmp_status hpmp_engine_sent_by_peer(const hpmp_engine* engine, int64_t* out, int64_t count)
    enum: HPMP_PASSAGES
    hpmp_status hpmp_engine_sent_bytes(const hpmp_engine* engine, int64_t* out)
    hpmp_status hpmp_engine_net_count(const hpmp_engine* engine, int64_t* out)
    hpmp_status hpmp_engine_reset_counters(hpmp_engine* engine)
    hpmp_status hpmp_engine_memory(const hpmp_engine* engine, int64_t* out)
    hpmp_status hpmp_engine_trace(const hpmp_engine* engine, int32_t* instruction,
                                  double* start_seconds, double* end_seconds, int64_t* count)

    ctypedef struct hpmp_bench_options:
        int64_t samples
        int32_t repeats
        int32_t threads
        double budget_seconds
        hpmp_dtype dtype
        hpmp_device device
        int32_t gpu
        int32_t tf32

    hpmp_status hpmp_bench_node(const hpmp_graph* graph, int64_t index,
                                const hpmp_bench_options* options, double* forward_seconds,
                                double* backward_seconds, double* weights_seconds,
                                double* load_seconds, int64_t* count)

    ctypedef struct hpmp_device_figures:
        double fma_flops_per_second
        double pack_bytes_per_second
        double update_seconds_per_elem
        double to_host_bytes_per_second
        double to_device_bytes_per_second

    hpmp_status hpmp_bench_device(const hpmp_bench_options* options, hpmp_device_figures* out)
    hpmp_status hpmp_bench_ping_pong(hpmp_communicator* communicator, int32_t peer, int64_t bytes,
                                     int32_t repeats, double* seconds)
    hpmp_status hpmp_bench_link(hpmp_communicator* communicator, int32_t peer, int64_t bytes,
                                int32_t repeats, const hpmp_bench_options* options,
                                double* seconds)
    hpmp_status hpmp_bench_all_reduce(hpmp_communicator* communicator, int32_t group,
                                      int64_t bytes, int32_t repeats, double* seconds)
