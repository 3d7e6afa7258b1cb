/* transform.h - the analysis and the synthesis transform: convolutional networks, row by row.
 *
 * Rows go in at the top and come out at the bottom, a few at a time. A picture of any height is
 * one pass; memory grows with its width only. No allocation: the caller gives one arena. No state
 * of its own, no input or output, no thread: any number of threads may call transform_work.
 *
 *
 * The network
 * -----------
 * A list of layers. Tensor 0 is the input; layer i reads tensor i and makes tensor i + 1. What lies
 * beyond the picture's border is 0 in every tensor but the input of an analysis, whose missing
 * rows and columns up to multiples of 8 are mirrored.
 *
 *     dense       k x k convolution, stride s: all inputs to all outputs
 *     depthwise   k x k convolution, stride 1: every channel by itself
 *
 * k >= s, and the k - s taps beyond the stride stand around it: (k - s) / 2 before, the others
 * after. A layer adds its bias first, then applies a leaky ReLU (x if x > 0, else slope * x), then
 * adds the tensor `skip`, then unfolds: depth-to-space by a factor f makes f * f groups of
 * channels, in order of row and column, to f x f places.
 *
 *
 * The arithmetic: what makes every machine give the same bits
 * -----------------------------------------------------------
 * All numbers are IEEE 754 binary32, rounded to nearest even, denormals kept. One value of a layer:
 *
 *     a = bias
 *     for each row i of the kernel, column j, input channel c:  (the order of the weights in memory)
 *         a = fma(input[i][j][c], weight[i][j][c], a)           (rounded once)
 *     a = a > 0 ? a : slope * a                 (left out if slope is 1; never -0 if slope is 0)
 *     a = a + skip                                              (left out if there is none)
 *
 * with input 0 beyond the border. A sample p of a picture goes in as fma(p, scale, offset), and a
 * value v comes out as a sample so:
 *
 *     v = v * scale;  v = v + offset;  v = min(max(v, 0), peak);  round to nearest even
 *
 * Grey goes in as three equal channels. It comes out as ((r + g) + b) * (1/3), before the above.
 * Samples of 32 bits are floats: they come out as v * scale + offset, neither clipped nor rounded.
 * Where a processor has no fused multiply-add, the product is exact and the sum is rounded twice,
 * which may change the last bit.
 *
 *
 * Signs: the gradient of a synthesis is an analysis
 * -------------------------------------------------
 * The slopes of a function of the pixels with respect to the latents are computed by a network from
 * pixels to latents: its layers are those of the synthesis, each transposed, in reverse order. Its
 * activations multiply by the slopes that the activations of the synthesis had. So a synthesis
 * keeps one bit for every value of a layer with `signs`: whether it was > 0 before the activation.
 * The analysis takes them in place of its own values:
 *
 *     a = bit ? a : slope * a
 *
 *
 * Rows, phases, ticks
 * -------------------
 * A *block* is a row of latents, and the 8 rows of pixels that it stands for. At an eighth of the
 * resolution (P = 1) a tensor has one row per block, at full resolution (P = 8) eight. A row is
 * kept as planes, one per channel and *phase*: position 8 x' P / 8 + p of a row is entry x' of
 * phase p. So rows of all resolutions have planes of the same length, a convolution of any stride
 * reads whole vectors, and depth-to-space is only another place to write to. Before the first and
 * after the last entry there are zeros.
 *
 * In one *tick* every layer advances by one block, each by another one: a layer stays so far behind
 * the one before it that all its input was made in earlier ticks. Thus all work of a tick may be
 * done at once, in any order. Layers of 1 x 1 are done together with the layer before them, while
 * its output is in the first-level cache; they cost no delay and keep no rows. Every other tensor
 * keeps a ring of rows, as many as the layers that read it still need.
 */
#ifndef NIC_TRANSFORM_H
#define NIC_TRANSFORM_H

#include <stddef.h>
#include <stdint.h>

#define TRANSFORM_LAYERS 64   /* most layers of a network */
#define TRANSFORM_CHANNELS 512 /* most channels of a layer before it is unfolded */

typedef enum { TRANSFORM_DENSE, TRANSFORM_DEPTHWISE } transform_kind;

typedef struct {
    transform_kind kind;
    int size;             /* k, 1..8 */
    int stride;           /* s: 1, 2, 4 or 8; 1 if depthwise */
    int inputs, outputs;  /* channels, before unfolding; equal if depthwise */
    int unfold;           /* f: 1, 2, 4 or 8 */
    int skip;             /* the number of the tensor that is added, or -1 */
    float slope;          /* 1: no activation; 0: ReLU */
    int signs;            /* the number of a set of signs, each for one layer, or -1; 0..63 */
    const float *weights; /* [k][k][inputs][outputs], or [k][k][outputs] if depthwise */
    const float *bias;    /* [outputs] */
} transform_layer;

typedef enum {
    TRANSFORM_ANALYSIS, /* pixels to latents */
    TRANSFORM_SYNTHESIS /* latents to pixels */
} transform_way;

typedef struct {
    transform_way way;
    const transform_layer *layers;
    int count;           /* of layers */
    float scale, offset; /* of samples, see "The arithmetic" */
    unsigned char *signs; /* what a synthesis writes and an analysis reads, or 0: none */
} transform_network;

typedef struct {
    int width, height; /* pixels, at least 1; of the pictures of one pass */
    int colours;       /* 1 or 3 */
    int depth;         /* 8 or 16 bits per sample; 32: float */
} transform_picture;

/* Instruction sets, best first. TRANSFORM_BEST is the first one that this processor has. */
typedef enum { TRANSFORM_BEST, TRANSFORM_AVX512, TRANSFORM_AVX2, TRANSFORM_PORTABLE } transform_isa;

typedef enum {
    TRANSFORM_OK = 0,
    TRANSFORM_NETWORK = -1, /* the list of layers is none that this library runs */
    TRANSFORM_PICTURE = -2, /* a number of the picture is out of range */
    TRANSFORM_NO_ISA = -3,  /* this processor does not have the instruction set */
    TRANSFORM_ROWS = -4     /* more rows than the picture has, or a part of a block within it */
} transform_result;

typedef struct transform_state transform_state; /* lives in the arena */

/* The instruction set that TRANSFORM_BEST stands for. */
transform_isa transform_best(void);

/* Sets *bytes to the size of the arena that a pass needs, for threads of up to `threads`. */
transform_result transform_size(const transform_network *network, transform_picture picture,
                                int threads, size_t *bytes);

/* Sets *bytes to the size of the signs of a pass. */
transform_result transform_signs(const transform_network *network, transform_picture picture,
                                 size_t *bytes);

/* Begins a pass. arena[bytes], aligned to 64 bytes; the network and its weights must outlive it. */
transform_result transform_start(void *arena, const transform_network *network,
                                 transform_picture picture, int threads, transform_isa isa,
                                 transform_state **state);

/* Rows that transform_work will write after `rows` more rows have been pushed: rows of latents of
 * an analysis, rows of pixels of a synthesis (less than a block only at the picture's end). */
size_t transform_rows(const transform_state *state, size_t rows);

/* Gives the next rows, and says where the output goes. Nothing is copied: both must stay until all
 * threads have returned from transform_work.
 *
 * Analysis: in is uint8, uint16 or float [rows][width][colours]; rows is a multiple of 8, except at the
 * end of the picture. out is float [channels][R][columns], R as transform_rows says and columns
 * the number of latents in a row. Synthesis: in is float [channels][rows][columns], out is uint8,
 * uint16 or float [R][width][colours]. */
transform_result transform_push(transform_state *state, const void *in, size_t rows, void *out);

/* Does the work of the last push together with all other threads that call it; returns when all of
 * it is done. `thread` is a number below `threads`, another one for each. */
void transform_work(transform_state *state, int thread);

#endif
