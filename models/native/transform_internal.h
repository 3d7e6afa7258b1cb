/* transform_internal.h - what transform.c and the kernels share. */
#ifndef NIC_TRANSFORM_INTERNAL_H
#define NIC_TRANSFORM_INTERNAL_H

#include "transform.h"

#define VECTOR_MOST 16 /* floats of the largest vector; planes are padded for it */
#define CHUNK 48       /* positions of one item of work */
#define MOST_TAPS 64

/* A layer at some positions of one row. Every pointer is to the first of them. */
typedef struct {
    const float *in[MOST_TAPS]; /* channel 0 of each tap; the next channel is `stride` floats on */
    ptrdiff_t stride;
    int taps, inputs, outputs, positions; /* whole vectors are read and written */
    float slope;
    const float *weights, *bias;
    const float *const *skip; /* a plane per output, or 0 */
    float *const *out;        /* a plane per output */
    unsigned char *const *signs; /* a plane of bits per output, or 0 */
    int follows;              /* the signs: they are read, else written */
} dense_job;

typedef struct {
    void (*dense)(const dense_job *);
    void (*depthwise)(const dense_job *);
} kernels;

#if defined(__GNUC__) && defined(__x86_64__)
#define TRANSFORM_X86
extern const kernels transform_avx512, transform_avx2;
#endif
extern const kernels transform_portable;

#endif
