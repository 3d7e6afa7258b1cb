/* transform.c - checks a network, lays out its rows in the arena, and hands out the work. */
#include "transform.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "platform.h"
#include "transform_internal.h"

#define BLOCK 8  /* rows of pixels in a block, and phases at full resolution */
#define LINE 16  /* floats in a line of the cache */
#define RGB 3
#define MOST_GROUPS 64
#define CHUNK_SIGNS (CHUNK / 8) /* bytes */

/* The rows of a tensor that are still needed. Row r has its planes [channels][phases] of `stride`
 * floats at data + (r mod rows) * channels * phases * stride. */
typedef struct {
    float *data; /* entry 0 of the first plane; LINE zeros stand before it */
    int channels, phases, rows, delay;
} tensor;

/* Layers that are done together: the first one of any size, the others 1 x 1. */
typedef struct {
    int first, last;     /* layers */
    int delay;           /* ticks behind the input */
    int phases;          /* rows of a block, and phases of a row, before unfolding */
} stage;

/* Columns of the picture, chunks first.. of every row, whose rows mostly one thread makes, so that
 * they stay in its cache. `next` counts items of work, tick after tick: the first one that nobody
 * has taken. */
typedef struct {
    _Alignas(64) atomic_llong next;
    int first, chunks;
} group;

struct transform_state {
    const transform_network *network;
    transform_picture picture;
    const kernels *kernels;
    int columns, chunks, blocks; /* latents in a row, parts of a row, rows of latents */
    int stride;                  /* floats from plane to plane */
    int stages, lines;           /* rows that all stages and the input make in a tick */
    int groups;
    tensor tensors[TRANSFORM_LAYERS + 1];
    stage list[TRANSFORM_LAYERS];
    float *zeros;                /* a row beyond the border */
    float *scratch;              /* of thread 0 */
    size_t scratch_floats;       /* per thread */
    unsigned char *kept;         /* the last BLOCK rows of pixels, for mirroring */
    size_t signs[TRANSFORM_LAYERS]; /* where those of each layer begin */
    /* The last push. */
    const unsigned char *in;
    unsigned char *out;
    int pushed, rows;            /* rows before it, and of it */
    int tick, ticks;             /* before it, and of it */
    int first_block, block_count; /* that it writes */
    group group[MOST_GROUPS];
    _Alignas(64) atomic_llong done; /* items of the push: a chunk of a line each */
};

/* ---- Layout ----------------------------------------------------------------------------- */

/* The larger one. */
static int most(int a, int b)
{
    return a > b ? a : b;
}

static int up(int n, int step) /* n / step, rounded up */
{
    return (n + step - 1) / step;
}

static int before(const transform_layer *layer)
{
    return (layer->size - layer->stride) / 2;
}

static int is_power(int n)
{
    return n == 1 || n == 2 || n == 4 || n == 8;
}

static int is_valid(const transform_layer *layer, int inputs, int number)
{
    return layer->size >= 1 && layer->size <= BLOCK && is_power(layer->stride)
        && layer->size >= layer->stride && is_power(layer->unfold) && layer->inputs == inputs
        && layer->outputs >= 1 && layer->outputs <= TRANSFORM_CHANNELS
        && layer->outputs % (layer->unfold * layer->unfold) == 0
        && (layer->kind == TRANSFORM_DENSE
            || (layer->kind == TRANSFORM_DEPTHWISE && layer->stride == 1
                && layer->outputs == inputs))
        && layer->skip >= -1 && layer->skip <= number && layer->signs >= -1
        && layer->signs < TRANSFORM_LAYERS
        && (layer->signs < 0 || layer->kind == TRANSFORM_DENSE);
}

/* The shapes of all tensors. */
static transform_result shapes(transform_state *s)
{
    const transform_network *n = s->network;
    if (n->count < 1 || n->count > TRANSFORM_LAYERS)
        return TRANSFORM_NETWORK;
    const int analysis = n->way == TRANSFORM_ANALYSIS;
    s->tensors[0].channels = n->layers[0].inputs;
    s->tensors[0].phases = analysis ? BLOCK : 1;
    if (analysis ? n->layers[0].inputs != RGB : n->layers[0].inputs < 1)
        return TRANSFORM_NETWORK;
    for (int i = 0; i < n->count; i++) {
        const transform_layer *layer = &n->layers[i];
        const tensor *in = &s->tensors[i];
        tensor *out = &s->tensors[i + 1];
        if (!is_valid(layer, in->channels, i) || in->phases % layer->stride != 0)
            return TRANSFORM_NETWORK;
        const int phases = in->phases / layer->stride;
        out->channels = layer->outputs / (layer->unfold * layer->unfold);
        out->phases = phases * layer->unfold;
        if (out->phases > BLOCK)
            return TRANSFORM_NETWORK;
        if (layer->skip >= 0 && (s->tensors[layer->skip].phases != phases
                                 || s->tensors[layer->skip].channels != layer->outputs))
            return TRANSFORM_NETWORK;
    }
    const tensor *end = &s->tensors[n->count];
    return analysis ? (end->phases == 1 ? TRANSFORM_OK : TRANSFORM_NETWORK)
        : end->phases == BLOCK && end->channels == RGB ? TRANSFORM_OK : TRANSFORM_NETWORK;
}

static int is_skip(const transform_network *n, int tensor_number)
{
    for (int i = 0; i < n->count; i++)
        if (n->layers[i].skip == tensor_number)
            return 1;
    return 0;
}

/* Stages, their delays, and how many rows each tensor keeps. */
static transform_result schedule(transform_state *s)
{
    const transform_network *n = s->network;
    s->stages = 0;
    for (int i = 0; i < n->count;) {
        stage *g = &s->list[s->stages++];
        g->first = i;
        while (++i < n->count && n->layers[i].size == 1 && n->layers[i - 1].unfold == 1
               && !is_skip(n, i))
            ;
        g->last = i - 1;
        const transform_layer *first = &n->layers[g->first];
        tensor *in = &s->tensors[g->first];
        const int after = first->size - first->stride - before(first);
        g->phases = in->phases / first->stride;
        g->delay = in->delay + 1 + up(after, in->phases);
        for (int k = g->first; k <= g->last; k++)
            if (n->layers[k].skip >= 0)
                g->delay = most(g->delay, s->tensors[n->layers[k].skip].delay + 1);
        s->tensors[i].delay = g->delay;
        in->rows = most(in->rows, (g->delay - in->delay + 1) * in->phases + before(first));
        for (int k = g->first; k <= g->last; k++)
            if (n->layers[k].skip >= 0) {
                tensor *skip = &s->tensors[n->layers[k].skip];
                if (n->layers[k].skip > g->first)
                    return TRANSFORM_NETWORK; /* made by this very stage */
                skip->rows = most(skip->rows, (g->delay - skip->delay + 1) * skip->phases);
            }
    }
    s->lines = n->way == TRANSFORM_ANALYSIS ? BLOCK : 1;
    for (int i = 0; i < s->stages; i++)
        s->lines += s->list[i].phases;
    return TRANSFORM_OK;
}

/* Finds where the signs of each layer begin: those of set 0 first, and so on. Sets *bytes to the
 * size of all. The signs of a layer have a plane [chunks][CHUNK_SIGNS] for each row, channel and
 * phase of its output. */
static transform_result place_signs(transform_state *s, size_t *bytes)
{
    const transform_network *n = s->network;
    size_t sizes[TRANSFORM_LAYERS] = {0};
    for (int i = 0; i < n->count; i++) {
        const int set = n->layers[i].signs;
        const tensor *t = &s->tensors[i + 1];
        if (set >= 0 && (sizes[set] || i == n->count - 1))
            return TRANSFORM_NETWORK;
        if (set >= 0)
            sizes[set] = (size_t)s->blocks * t->phases * t->channels * t->phases * s->chunks
                * CHUNK_SIGNS;
    }
    *bytes = 0;
    for (int set = 0; set < TRANSFORM_LAYERS; set++) {
        for (int i = 0; i < n->count; i++)
            if (n->layers[i].signs == set)
                s->signs[i] = *bytes;
        *bytes += sizes[set];
    }
    return TRANSFORM_OK;
}

/* Takes floats from the arena, in whole lines of the cache; counts only while arena is 0. */
static float *take(void *arena, size_t *bytes, size_t floats)
{
    float *at = arena ? (float *)((unsigned char *)arena + *bytes) : 0;
    const size_t lines = (floats + LINE - 1) / LINE * LINE;
    *bytes += (lines + GUARD) * sizeof(float);
    if (at)
        FORBID(at + lines, GUARD * sizeof(float));
    return at;
}

static transform_result lay_out(transform_state *s, const transform_network *network,
                                transform_picture picture, int threads, void *arena, size_t *bytes)
{
    memset(s, 0, sizeof *s);
    if (picture.width < 1 || picture.height < 1 || picture.width > 1 << 24
        || picture.height > 1 << 24 || (picture.colours != 1 && picture.colours != RGB)
        || (picture.depth != 8 && picture.depth != 16 && picture.depth != 32) || threads < 1)
        return TRANSFORM_PICTURE;
    s->network = network;
    s->picture = picture;
    s->columns = up(picture.width, BLOCK);
    s->chunks = up(s->columns, CHUNK);
    s->blocks = up(picture.height, BLOCK);
    /* An odd number of lines: planes one below the other do not share sets of the cache. */
    s->stride = LINE * ((up(s->columns, LINE) + 1) | 1);
    transform_result result = shapes(s);
    if (result == TRANSFORM_OK)
        result = schedule(s);
    size_t signs;
    if (result == TRANSFORM_OK)
        result = place_signs(s, &signs);
    if (result != TRANSFORM_OK)
        return result;
    s->groups = threads < s->chunks ? threads : s->chunks;
    s->groups = s->groups < MOST_GROUPS ? s->groups : MOST_GROUPS;
    for (int g = 0; g < s->groups; g++) {
        s->group[g].first = g * s->chunks / s->groups;
        s->group[g].chunks = (g + 1) * s->chunks / s->groups - s->group[g].first;
    }
    *bytes = 0;
    take(arena, bytes, (sizeof *s + sizeof(float) - 1) / sizeof(float));
    size_t widest = 0;
    int channels = RGB * BLOCK * BLOCK;
    for (int i = 0; i <= network->count; i++) {
        tensor *t = &s->tensors[i];
        const size_t row = (size_t)t->channels * t->phases * s->stride;
        widest = t->rows && row > widest ? row : widest;
        if (t->rows) {
            t->data = take(arena, bytes, LINE + t->rows * row);
            t->data = arena ? t->data + LINE : 0;
        }
        if (i < network->count)
            channels = most(channels, network->layers[i].outputs);
    }
    s->zeros = take(arena, bytes, LINE + widest);
    s->zeros = arena ? s->zeros + LINE : 0;
    s->scratch_floats = (size_t)3 * channels * CHUNK;
    s->scratch = take(arena, bytes, threads * s->scratch_floats);
    const size_t samples = (size_t)BLOCK * picture.width * picture.colours * (picture.depth / 8);
    s->kept = (unsigned char *)take(arena, bytes, samples / sizeof(float) + 1);
    return TRANSFORM_OK;
}

transform_result transform_size(const transform_network *network, transform_picture picture,
                                int threads, size_t *bytes)
{
    transform_state state;
    return lay_out(&state, network, picture, threads, 0, bytes);
}

transform_result transform_signs(const transform_network *network, transform_picture picture,
                                 size_t *bytes)
{
    transform_state state;
    size_t arena;
    const transform_result result = lay_out(&state, network, picture, 1, 0, &arena);
    return result == TRANSFORM_OK ? place_signs(&state, bytes) : result;
}

transform_isa transform_best(void)
{
#if defined(TRANSFORM_X86)
    if (__builtin_cpu_supports("avx512f"))
        return TRANSFORM_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return TRANSFORM_AVX2;
#endif
    return TRANSFORM_PORTABLE;
}

static const kernels *kernels_of(transform_isa isa)
{
#if defined(TRANSFORM_X86)
    if (isa == TRANSFORM_AVX512)
        return &transform_avx512;
    if (isa == TRANSFORM_AVX2)
        return &transform_avx2;
#endif
    return isa == TRANSFORM_PORTABLE ? &transform_portable : 0;
}

transform_result transform_start(void *arena, const transform_network *network,
                                 transform_picture picture, int threads, transform_isa isa,
                                 transform_state **state)
{
    const transform_isa best = transform_best();
    isa = isa == TRANSFORM_BEST ? best : isa;
    if (isa < best || !kernels_of(isa))
        return TRANSFORM_NO_ISA;
    size_t bytes;
    const transform_result result = transform_size(network, picture, threads, &bytes);
    if (result != TRANSFORM_OK)
        return result;
    ALLOW(arena, bytes);
    memset(arena, 0, bytes);
    transform_state *s = arena;
    lay_out(s, network, picture, threads, arena, &bytes);
    s->kernels = kernels_of(isa);
    *state = s;
    return TRANSFORM_OK;
}

/* ---- Rows ------------------------------------------------------------------------------- */

/* Entry 0 of the first plane of a row; zeros beyond the border. */
static float *row_of(const transform_state *s, int number, int row)
{
    const tensor *t = &s->tensors[number];
    if (row < 0 || row >= s->blocks * t->phases)
        return s->zeros;
    return t->data + (size_t)(row % t->rows) * t->channels * t->phases * s->stride;
}

/* Index of the sample that stands at i, of n that are mirrored again and again. */
static int mirrored(int i, int n)
{
    i %= 2 * n;
    return i < n ? i : 2 * n - 1 - i;
}

/* Positions x.. of a row of pixels become those of tensor 0. */
static void read_pixels(transform_state *s, int row, int first, int count)
{
    const transform_picture *p = &s->picture;
    const size_t bytes = (size_t)p->width * p->colours * (p->depth / 8);
    const int source = mirrored(row, p->height);
    const unsigned char *line = source >= s->pushed ? s->in + (source - s->pushed) * bytes
                                                    : s->kept + (source % BLOCK) * bytes;
    /* The last rows stay, for rows below the picture that mirror them, in a later push. */
    if (row >= s->pushed + s->rows - BLOCK && s->pushed + s->rows < p->height) {
        const size_t pixel = (size_t)p->colours * (p->depth / 8), from = first * BLOCK * pixel;
        const size_t to = (size_t)(first + count) * BLOCK * pixel;
        memcpy(s->kept + (row % BLOCK) * bytes + from, line + from,
               (to < bytes ? to : bytes) - from);
    }
    const double scale = s->network->scale, offset = s->network->offset;
    float table[256];
    if (p->depth == 8)
        for (int i = 0; i < 256; i++)
            table[i] = (float)(i * scale + offset); /* exact up to the one rounding */
    float *out = row_of(s, 0, row);
    for (int c = 0; c < RGB; c++)
        for (int phase = 0; phase < BLOCK; phase++) {
            float *plane = out + (c * BLOCK + phase) * s->stride;
            const int colour = p->colours == 1 ? 0 : c;
            for (int x = first; x < first + count; x++) {
                const int at = x * BLOCK + phase;
                const size_t i = (size_t)(at < p->width ? at : mirrored(at, p->width))
                    * p->colours + colour;
                if (p->depth == 8) {
                    plane[x] = table[line[i]];
                } else if (p->depth == 16) {
                    uint16_t sample;
                    memcpy(&sample, line + 2 * i, 2);
                    plane[x] = (float)(sample * scale + offset);
                } else {
                    float sample;
                    memcpy(&sample, line + 4 * i, 4);
                    plane[x] = (float)(sample * scale + offset);
                }
            }
        }
}

static void read_latents(transform_state *s, int row, int x, int count)
{
    const int channels = s->tensors[0].channels;
    const float *in = (const float *)(const void *)s->in + (size_t)(row - s->pushed) * s->columns;
    float *out = row_of(s, 0, row) + x;
    for (int c = 0; c < channels; c++)
        memcpy(out + (size_t)c * s->stride, in + (size_t)c * s->rows * s->columns + x,
               count * sizeof(float));
}

/* Positions x.. of a row of latents, from planes of CHUNK floats each. */
static void write_latents(const transform_state *s, int row, int x, int count, const float *planes)
{
    const int channels = s->tensors[s->network->count].channels;
    float *out = (float *)(void *)s->out + (size_t)(row - s->first_block) * s->columns + x;
    for (int c = 0; c < channels; c++)
        memcpy(out + (size_t)c * s->block_count * s->columns, planes + c * CHUNK,
               count * sizeof(float));
}

static void scale_all(float *v, int count, float scale, float offset)
{
    for (int i = 0; i < count; i++) {
        const float x = v[i] * scale;
        v[i] = x + offset;
    }
}

/* Samples as whole numbers. Adding and taking away 1.5 * 2^23 rounds to nearest even. */
static void round_all(float *v, int count, float scale, float offset, float peak)
{
    const float magic = 12582912.0f;
    for (int i = 0; i < count; i++) {
        float x = v[i] * scale;
        x = x + offset;
        x = x > 0 ? x : 0;
        x = x < peak ? x : peak;
        x = x + magic;
        v[i] = x - magic;
    }
}

static void write_pixels(const transform_state *s, int row, int x, int count, float *planes)
{
    const transform_picture *p = &s->picture;
    const int begin = x * BLOCK;
    const int end = begin + count * BLOCK < p->width ? begin + count * BLOCK : p->width;
    const float peak = p->depth == 8 ? 255 : 65535;
    const int size = BLOCK * CHUNK; /* floats of a colour */
    if (p->colours == 1)
        for (int i = 0; i < size; i++)
            planes[i] = ((planes[i] + planes[size + i]) + planes[2 * size + i]) * (1.0f / 3.0f);
    if (p->depth == 32)
        scale_all(planes, p->colours * size, s->network->scale, s->network->offset);
    else
        round_all(planes, p->colours * size, s->network->scale, s->network->offset, peak);
    unsigned char *line = s->out
        + (size_t)(row - s->first_block * BLOCK) * p->width * p->colours * (p->depth / 8);
    for (int c = 0; c < p->colours; c++)
        for (int phase = 0; phase < BLOCK; phase++) {
            const float *plane = planes + (c * BLOCK + phase) * CHUNK;
            if (p->depth == 8) {
                for (int at = begin + phase, i = 0; at < end; at += BLOCK, i++)
                    line[(size_t)at * p->colours + c] = (unsigned char)plane[i];
            } else if (p->depth == 32) {
                for (int at = begin + phase, i = 0; at < end; at += BLOCK, i++)
                    memcpy(line + 4 * ((size_t)at * p->colours + c), plane + i, 4);
            } else {
                for (int at = begin + phase, i = 0; at < end; at += BLOCK, i++) {
                    const uint16_t sample = (uint16_t)plane[i];
                    memcpy(line + 2 * ((size_t)at * p->colours + c), &sample, 2);
                }
            }
        }
}

/* ---- Work ------------------------------------------------------------------------------- */

/* Where the taps of a layer begin, for output row y, phase q and position x. */
static void find_taps(const transform_state *s, int number, int y, int q, int x, dense_job *job)
{
    const transform_layer *layer = &s->network->layers[number];
    const int phases = s->tensors[number].phases, margin = before(layer);
    job->taps = 0;
    for (int i = 0; i < layer->size; i++) {
        const float *row = row_of(s, number, layer->stride * y + i - margin);
        for (int j = 0; j < layer->size; j++) {
            const int at = layer->stride * q + j - margin + BLOCK; /* not negative */
            const int phase = at % phases, shift = at / phases - BLOCK / phases;
            job->in[job->taps++] = row + phase * s->stride + shift + x;
        }
    }
    job->stride = (ptrdiff_t)phases * s->stride;
}

/* The number of the plane, among those of a row of a layer's output, that output k goes to from
 * phase q of the row before unfolding; sets *line to the row, of those that are made of that row. */
static int plane_of(const transform_state *s, int number, int k, int q, int *line)
{
    const tensor *t = &s->tensors[number + 1];
    const int f = s->network->layers[number].unfold;
    *line = k / t->channels / f;
    return k % t->channels * t->phases + q * f + k / t->channels % f;
}

/* Where the signs of a layer's outputs are, for row y, phase q and the chunk at position x. */
static void find_signs(const transform_state *s, int number, int y, int q, int x,
                       unsigned char **planes)
{
    const transform_layer *layer = &s->network->layers[number];
    const tensor *t = &s->tensors[number + 1];
    const size_t size = (size_t)s->chunks * CHUNK_SIGNS;
    for (int k = 0, line; k < layer->outputs; k++) {
        const int plane = plane_of(s, number, k, q, &line);
        const size_t row = (size_t)y * layer->unfold + line;
        planes[k] = s->network->signs + s->signs[number]
            + (row * t->channels * t->phases + plane) * size + x / CHUNK * CHUNK_SIGNS;
    }
}

/* Planes [channels][CHUNK] one after the other. */
static void planes_of(float *memory, int count, float **planes)
{
    for (int k = 0; k < count; k++)
        planes[k] = memory + k * CHUNK;
}

/* Row y, phase q, positions x.. of a stage: the layers but the last to scratch memory, the last
 * one to `out`, a plane per output. */
static void run_stage(const transform_state *s, const stage *g, int y, int q, int x, int positions,
                      float *scratch, float *const *out)
{
    float *planes[TRANSFORM_CHANNELS];
    const float *skips[TRANSFORM_CHANNELS];
    unsigned char *signs[TRANSFORM_CHANNELS];
    dense_job job;
    float *from = scratch + s->scratch_floats / 3, *to = scratch;
    for (int i = g->first; i <= g->last; i++) {
        const transform_layer *layer = &s->network->layers[i];
        if (i == g->first) {
            find_taps(s, i, y, q, x, &job);
        } else {
            job.taps = 1;
            job.in[0] = from;
            job.stride = CHUNK;
        }
        job.inputs = layer->inputs;
        job.outputs = layer->outputs;
        job.positions = positions;
        job.slope = layer->slope;
        job.weights = layer->weights;
        job.bias = layer->bias;
        job.skip = 0;
        if (layer->skip >= 0) {
            const tensor *t = &s->tensors[layer->skip];
            const float *row = row_of(s, layer->skip, y) + (size_t)q * s->stride + x;
            for (int k = 0; k < layer->outputs; k++)
                skips[k] = row + (size_t)k * t->phases * s->stride;
            job.skip = skips;
        }
        job.signs = 0;
        job.follows = s->network->way == TRANSFORM_ANALYSIS;
        if (layer->signs >= 0 && s->network->signs) {
            find_signs(s, i, y, q, x, signs);
            job.signs = signs;
        }
        if (i < g->last)
            planes_of(to, layer->outputs, planes);
        job.out = i < g->last ? planes : out;
        if (layer->kind == TRANSFORM_DENSE)
            s->kernels->dense(&job);
        else
            s->kernels->depthwise(&job);
        float *swap = from;
        from = to;
        to = swap;
    }
}

/* One row of a stage before unfolding, one chunk of it, all phases. */
static void work_on(const transform_state *s, const stage *g, int block, int sub, int chunk,
                    float *scratch)
{
    float *end = scratch + 2 * (s->scratch_floats / 3);
    const transform_layer *layer = &s->network->layers[g->last];
    const int f = layer->unfold, y = block * g->phases + sub, x = chunk * CHUNK;
    const int positions = s->columns - x < CHUNK ? s->columns - x : CHUNK;
    const int number = g->last + 1, channels = s->tensors[number].channels;
    const int phases = s->tensors[number].phases, is_end = number == s->network->count;
    float *out[TRANSFORM_CHANNELS];
    for (int q = 0; q < g->phases; q++) {
        for (int k = 0, line; k < layer->outputs; k++) {
            const size_t plane = plane_of(s, g->last, k, q, &line);
            out[k] = is_end ? end + ((size_t)line * channels * phases + plane) * CHUNK
                            : row_of(s, number, y * f + line) + plane * s->stride + x;
        }
        run_stage(s, g, y, q, x, positions, scratch, out);
        /* What was written beyond the last position has to be 0 for the taps to its left. */
        const int beyond = up(positions, VECTOR_MOST) * VECTOR_MOST - positions;
        if (!is_end && beyond)
            for (int k = 0; k < layer->outputs; k++)
                memset(out[k] + positions, 0, beyond * sizeof(float));
    }
    if (!is_end)
        return;
    for (int line = 0; line < f; line++) {
        const int row = y * f + line;
        float *planes = end + (size_t)line * channels * phases * CHUNK;
        if (s->network->way == TRANSFORM_ANALYSIS)
            write_latents(s, row, x, positions, planes);
        else if (row < s->picture.height)
            write_pixels(s, row, x, positions, planes);
    }
}

/* One chunk of one line of a tick: of a row of a stage, or of the input. */
static void do_item(transform_state *s, int tick, int line, int chunk, int thread)
{
    for (int i = 0; i < s->stages; i++) {
        const stage *g = &s->list[i];
        if (line < g->phases) {
            const int block = tick - g->delay;
            if (block >= 0 && block < s->blocks)
                work_on(s, g, block, line, chunk, s->scratch + thread * s->scratch_floats);
            return;
        }
        line -= g->phases;
    }
    if (tick >= s->blocks)
        return;
    const int x = chunk * CHUNK, count = s->columns - x < CHUNK ? s->columns - x : CHUNK;
    if (s->network->way == TRANSFORM_ANALYSIS)
        read_pixels(s, tick * BLOCK + line, x, count);
    else
        read_latents(s, tick, x, count);
}

static int delay_of_all(const transform_state *s)
{
    return s->list[s->stages - 1].delay;
}

/* Blocks of output that have been written after so many rows of input. */
static int blocks_after(const transform_state *s, size_t rows)
{
    const int unit = s->network->way == TRANSFORM_ANALYSIS ? BLOCK : 1;
    const int last = unit == 1 ? s->blocks : s->picture.height;
    const int blocks = (int)rows == last ? s->blocks + delay_of_all(s) : (int)rows / unit;
    return most(0, blocks - delay_of_all(s));
}

static int rows_after(const transform_state *s, size_t rows)
{
    const int blocks = blocks_after(s, rows);
    if (s->network->way == TRANSFORM_ANALYSIS)
        return blocks;
    return blocks == s->blocks ? s->picture.height : blocks * BLOCK;
}

size_t transform_rows(const transform_state *s, size_t rows)
{
    const int now = s->pushed + s->rows;
    return (size_t)(rows_after(s, now + rows) - rows_after(s, now));
}

transform_result transform_push(transform_state *s, const void *in, size_t rows, void *out)
{
    const int analysis = s->network->way == TRANSFORM_ANALYSIS;
    const int total = analysis ? s->picture.height : s->blocks;
    const int pushed = s->pushed + s->rows;
    if (rows > (size_t)(total - pushed)
        || (analysis && rows % BLOCK != 0 && pushed + (int)rows != total))
        return TRANSFORM_ROWS;
    s->tick += s->ticks;
    s->pushed = pushed;
    s->rows = (int)rows;
    s->first_block = blocks_after(s, pushed);
    s->block_count = blocks_after(s, pushed + rows) - s->first_block;
    s->ticks = up(s->rows, analysis ? BLOCK : 1);
    if (pushed + s->rows == total && s->rows > 0)
        s->ticks += delay_of_all(s);
    s->in = in;
    s->out = out;
    for (int g = 0; g < s->groups; g++)
        atomic_store(&s->group[g].next, 0);
    atomic_store(&s->done, 0);
    return TRANSFORM_OK;
}

/* Does an item of a group. */
static void take_item(transform_state *s, const group *g, long long number, int thread)
{
    const long long each = (long long)s->lines * g->chunks;
    const int at = (int)(number % each);
    do_item(s, s->tick + (int)(number / each), at / g->chunks, g->first + at % g->chunks, thread);
    atomic_fetch_add_explicit(&s->done, 1, memory_order_release);
}

/* Does an item of this tick that another group still has; returns 0 if there is none. */
static int help(transform_state *s, long long tick, int thread)
{
    for (int i = 1; i < s->groups; i++) {
        group *g = &s->group[(thread + i) % s->groups];
        const long long end = (tick + 1) * s->lines * g->chunks;
        long long next = atomic_load_explicit(&g->next, memory_order_relaxed);
        while (next < end)
            if (atomic_compare_exchange_weak_explicit(&g->next, &next, next + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                take_item(s, g, next, thread);
                return 1;
            }
    }
    return 0;
}

/* Returns when all items of the ticks before this one are done; does some of them meanwhile. */
static void reach(transform_state *s, long long tick, int thread)
{
    const long long each = (long long)s->lines * s->chunks;
    for (int looks = 0;;) {
        const long long done = atomic_load_explicit(&s->done, memory_order_acquire);
        if (done >= tick * each)
            return;
        if (help(s, done / each, thread))
            looks = 0;
        else if (++looks >= PATIENCE)
            GIVE_WAY();
    }
}

void transform_work(transform_state *s, int thread)
{
    group *own = &s->group[thread % s->groups];
    const long long each = (long long)s->lines * own->chunks;
    for (;;) {
        const long long item = atomic_fetch_add_explicit(&own->next, 1, memory_order_relaxed);
        const long long tick = item / each < s->ticks ? item / each : s->ticks;
        reach(s, tick, thread);
        if (tick == s->ticks)
            return;
        take_item(s, own, item, thread);
    }
}
