/* The transport table: the few non-blocking functions through which the core talks to other ranks.
 *
 * libhpmp_mpi.so fills one from an MPI communicator; an embedder may give its own transport.
 * Messages between one pair of ranks with one tag must arrive in the order in which they were sent.
 */
#ifndef HPMP_COMM_H
#define HPMP_COMM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HPMP_COMM_TABLE_VERSION 2

typedef uint64_t hpmp_comm_request;

/* Functions return 0, or a code for error_text. Buffers belong to the caller and stay as they are
 * until test has said that the request is done. */
typedef struct hpmp_comm_table {
  uint32_t version;     /* HPMP_COMM_TABLE_VERSION */
  uint32_t table_bytes; /* sizeof(hpmp_comm_table) */
  void* context;        /* given back to every function */
  int32_t rank;
  int32_t size;
  int32_t max_tag;           /* tags are 0..max_tag */
  int32_t gpu_memory;        /* 1: data may lie in the memory of a CUDA GPU */
  int64_t max_message_bytes; /* the core splits longer messages */
  int (*isend)(void* context, const void* data, int64_t bytes, int32_t peer, int32_t tag,
               hpmp_comm_request* request);
  int (*irecv)(void* context, void* data, int64_t bytes, int32_t peer, int32_t tag,
               hpmp_comm_request* request);
  /* Also drives progress of every other request. Sets *done to 1 once; not called again then. */
  int (*test)(void* context, hpmp_comm_request* request, int* done);
  /* The text stays valid until the next call in this thread. */
  const char* (*error_text)(void* context, int code);
} hpmp_comm_table;

#ifdef __cplusplus
}
#endif

#endif /* HPMP_COMM_H */
