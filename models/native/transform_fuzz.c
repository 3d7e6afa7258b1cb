/* transform_fuzz.c - random networks and pictures through transform.c, under sanitisers:
 *
 *     cc -std=c11 -O1 -g -ffp-contract=off -fsanitize=address,undefined models/native/transform*.c -lm
 *     ./a.out [SEED [ROUNDS]]
 *
 * Each round makes a list of layers and a picture of random size. It computes the result as plainly
 * as transform.h describes it, and then by transform.c in one push, in portions and on every
 * instruction set. All have to be the same, bit for bit; the portable one has to be close where it
 * rounds twice. Under AddressSanitizer nothing may touch the guards that transform.c puts between
 * its arrays.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transform.h"

static uint64_t state;

static unsigned draw(unsigned below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

static float unit(void)
{
    return (float)draw(1 << 20) / (1 << 19) - 1;
}

static void *room(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    if (!p)
        abort();
    return p;
}

static float *numbers(size_t count, float deviation)
{
    float *p = room(count * sizeof *p);
    for (size_t i = 0; i < count; i++)
        p[i] = unit() * deviation;
    return p;
}

/* The tensor that a network has reached: channels, and rows of a block. */
typedef struct {
    int channels, phases;
} shape;

static void add(transform_network *n, transform_layer *layers, shape *at, transform_layer layer)
{
    const int depthwise = layer.kind == TRANSFORM_DEPTHWISE;
    const size_t taps = (size_t)layer.size * layer.size;
    layer.inputs = at->channels;
    if (depthwise)
        layer.outputs = at->channels;
    const size_t inputs = depthwise ? taps : taps * layer.inputs;
    layer.weights = numbers(inputs * layer.outputs, 1.5f / sqrtf((float)inputs));
    layer.bias = numbers(layer.outputs, 0.2f);
    layer.signs = !depthwise && draw(2) ? n->count : -1;
    layers[n->count++] = layer;
    at->phases = at->phases / layer.stride * layer.unfold;
    at->channels = layer.outputs / (layer.unfold * layer.unfold);
}

static transform_layer plain(transform_kind kind, int size, int outputs)
{
    static const float slopes[] = {1, 0, 0.25f};
    return (transform_layer){kind, size, 1, 0, outputs, 1, -1, slopes[draw(3)], -1, 0, 0};
}

/* Some layers that keep the resolution, with a skip around them now and then. */
static void wander(transform_network *n, transform_layer *layers, shape *at)
{
    for (unsigned blocks = draw(3); blocks > 0; blocks--) {
        const int skip = n->count, channels = at->channels;
        for (unsigned count = draw(4); count > 0; count--) {
            const int size = 1 + (int)draw(4) * (draw(2) ? 1 : 0);
            const transform_kind kind = draw(2) ? TRANSFORM_DENSE : TRANSFORM_DEPTHWISE;
            add(n, layers, at, plain(kind, size, 1 + (int)draw(20)));
        }
        transform_layer last = plain(TRANSFORM_DENSE, 1 + 2 * (int)draw(2), channels);
        last.skip = draw(3) ? skip : -1;
        add(n, layers, at, last);
    }
}

static void make(transform_network *n, transform_layer *layers, transform_way way)
{
    *n = (transform_network){way, layers, 0, unit(), unit(), 0};
    shape at = {way == TRANSFORM_ANALYSIS ? 3 : 1 + (int)draw(20), way == TRANSFORM_ANALYSIS ? 8 : 1};
    wander(n, layers, &at);
    while (way == TRANSFORM_ANALYSIS ? at.phases > 1 : at.phases < 8) {
        int factor = 2 << draw(3);
        while (way == TRANSFORM_ANALYSIS ? factor > at.phases : factor * at.phases > 8)
            factor /= 2;
        transform_layer layer = plain(TRANSFORM_DENSE, 1, 1 + (int)draw(20));
        if (way == TRANSFORM_ANALYSIS) {
            layer.stride = factor;
            layer.size = factor + (int)draw(9 - factor);
        } else {
            layer.unfold = factor;
            layer.size = 1 + 2 * (int)draw(2);
            layer.outputs = factor * factor * (factor * at.phases == 8 ? 3 : 1 + (int)draw(8));
        }
        add(n, layers, &at, layer);
        if (at.phases < 8)
            wander(n, layers, &at);
    }
    layers[n->count - 1].signs = -1;
}

static void discard(const transform_network *n)
{
    for (int i = 0; i < n->count; i++) {
        free((void *)n->layers[i].weights);
        free((void *)n->layers[i].bias);
    }
}

/* A digest of all results: the same on every machine that rounds once. FNV-1a, in whole samples, so
 * that the order of their bytes does not matter. */
static uint64_t digest = 14695981039346656037u;

static void digest_all(const unsigned char *results, size_t bytes, size_t size)
{
    for (size_t i = 0; i < bytes; i += size) {
        uint32_t value = results[i];
        uint16_t wide;
        if (size == 4)
            memcpy(&value, results + i, 4);
        else if (size == 2) {
            memcpy(&wide, results + i, 2);
            value = wide;
        }
        digest = (digest ^ value) * 1099511628211u;
    }
}

/* ---- The plain way ---------------------------------------------------------------------- */

/* A whole tensor: [rows][columns][channels]. */
typedef struct {
    int rows, columns, channels;
    float *at;
} tensor;

static tensor blank(int rows, int columns, int channels)
{
    return (tensor){rows, columns, channels,
                    room((size_t)rows * columns * channels * sizeof(float))};
}

static float *entry(tensor t, int row, int column)
{
    return t.at + ((size_t)row * t.columns + column) * t.channels;
}

/* Where the sign of a value of layer `number` is; sets *bit to its bit of that byte. */
static unsigned char *sign_at(const transform_network *n, transform_picture p, int number, int row,
                              int column, int channel, int *bit)
{
    const int chunks = ((p.width + 7) / 8 + 47) / 48, blocks = (p.height + 7) / 8;
    unsigned char *at = n->signs;
    int phases = n->way == TRANSFORM_ANALYSIS ? 8 : 1;
    for (int i = 0;; i++) {
        const transform_layer *layer = &n->layers[i];
        phases = phases / layer->stride * layer->unfold;
        const int channels = layer->outputs / (layer->unfold * layer->unfold);
        if (i == number) {
            const int x = column / phases, phase = column % phases;
            *bit = 1 << x % 8;
            return at + ((row * channels + channel) * phases + phase) * chunks * 6 + x / 8;
        }
        if (layer->signs >= 0)
            at += blocks * phases * phases * channels * chunks * 6;
    }
}

static float activated(float value, float slope, int is_positive)
{
    return slope == 1 || is_positive ? value : slope == 0 ? 0 : slope * value;
}

static float convolved(const transform_layer *layer, tensor in, int y, int x, int k)
{
    const int margin = (layer->size - layer->stride) / 2;
    const float *w = layer->weights;
    float sum = layer->bias[k];
    for (int i = 0; i < layer->size; i++)
        for (int j = 0; j < layer->size; j++) {
            const int row = y * layer->stride + i - margin, column = x * layer->stride + j - margin;
            const int inside = row >= 0 && row < in.rows && column >= 0 && column < in.columns;
            if (layer->kind == TRANSFORM_DEPTHWISE) {
                sum = fmaf(inside ? entry(in, row, column)[k] : 0, w[k], sum);
                w += layer->outputs;
                continue;
            }
            for (int c = 0; c < layer->inputs; c++, w += layer->outputs)
                sum = fmaf(inside ? entry(in, row, column)[c] : 0, w[k], sum);
        }
    return sum;
}

static tensor next(const transform_network *n, transform_picture p, int number, const tensor *all)
{
    const transform_layer *layer = &n->layers[number];
    const tensor in = all[number];
    const int f = layer->unfold, channels = layer->outputs / (f * f);
    const int rows = in.rows / layer->stride, columns = in.columns / layer->stride;
    tensor out = blank(rows * f, columns * f, channels);
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < columns; x++)
            for (int k = 0; k < layer->outputs; k++) {
                float value = convolved(layer, in, y, x, k);
                const int row = y * f + k / channels / f, column = x * f + k / channels % f;
                int is_positive = value > 0, bit;
                if (layer->signs >= 0 && n->signs) {
                    unsigned char *at = sign_at(n, p, number, row, column, k % channels, &bit);
                    if (n->way == TRANSFORM_ANALYSIS)
                        is_positive = (*at & bit) != 0;
                    else if (is_positive)
                        *at |= (unsigned char)bit;
                }
                value = activated(value, layer->slope, is_positive);
                if (layer->skip >= 0)
                    value = value + entry(all[layer->skip], y, x)[k];
                entry(out, row, column)[k % channels] = value;
            }
    return out;
}

static double sample(const unsigned char *p, size_t i, int depth)
{
    uint16_t wide;
    float real;
    if (depth == 8)
        return p[i];
    if (depth == 32) {
        memcpy(&real, p + 4 * i, 4);
        return real;
    }
    memcpy(&wide, p + 2 * i, 2);
    return wide;
}

static int mirror(int i, int n)
{
    while (i >= n)
        i = i < 2 * n ? 2 * n - 1 - i : i - 2 * n;
    return i;
}

static void write_sample(unsigned char *out, size_t i, float value, transform_picture p,
                         const transform_network *n)
{
    const float peak = p.depth == 8 ? 255 : 65535;
    float v = value * n->scale;
    v = v + n->offset;
    if (p.depth == 32) {
        memcpy(out + 4 * i, &v, 4);
        return;
    }
    v = nearbyintf(v < 0 ? 0 : v > peak ? peak : v);
    const uint16_t wide = (uint16_t)v;
    if (p.depth == 8)
        out[i] = (unsigned char)v;
    else
        memcpy(out + 2 * i, &wide, 2);
}

static void plainly(const transform_network *n, transform_picture p, const void *in,
                    unsigned char *out)
{
    const int columns = (p.width + 7) / 8, blocks = (p.height + 7) / 8;
    tensor all[TRANSFORM_LAYERS + 1];
    if (n->way == TRANSFORM_ANALYSIS) {
        all[0] = blank(blocks * 8, columns * 8, 3);
        for (int y = 0; y < blocks * 8; y++)
            for (int x = 0; x < columns * 8; x++)
                for (int c = 0; c < 3; c++) {
                    const size_t at = (size_t)mirror(y, p.height) * p.width + mirror(x, p.width);
                    const double value = sample(in, at * p.colours + c % p.colours, p.depth);
                    entry(all[0], y, x)[c] = (float)(value * n->scale + n->offset);
                }
    } else {
        all[0] = blank(blocks, columns, n->layers[0].inputs);
        for (int y = 0; y < blocks; y++)
            for (int x = 0; x < columns; x++)
                for (int c = 0; c < all[0].channels; c++)
                    entry(all[0], y, x)[c] =
                        ((const float *)in)[((size_t)c * blocks + y) * columns + x];
    }
    for (int i = 0; i < n->count; i++)
        all[i + 1] = next(n, p, i, all);
    const tensor end = all[n->count];
    if (n->way == TRANSFORM_ANALYSIS) {
        for (int y = 0; y < blocks; y++)
            for (int x = 0; x < columns; x++)
                for (int c = 0; c < end.channels; c++)
                    memcpy(out + (((size_t)c * blocks + y) * columns + x) * sizeof(float),
                           entry(end, y, x) + c, sizeof(float));
    } else {
        for (int y = 0; y < p.height; y++)
            for (int x = 0; x < p.width; x++) {
                float *v = entry(end, y, x);
                if (p.colours == 1)
                    v[0] = ((v[0] + v[1]) + v[2]) * (1.0f / 3.0f);
                for (int c = 0; c < p.colours; c++)
                    write_sample(out, ((size_t)y * p.width + x) * p.colours + c, v[c], p, n);
            }
    }
    for (int i = 0; i <= n->count; i++)
        free(all[i].at);
}

/* ---- By transform.c --------------------------------------------------------------------- */

/* Rows first.. of planes [channels][all][columns], as planes [channels][rows][columns]. */
static float *part(const float *planes, int channels, size_t all, size_t first, size_t rows,
                   size_t columns)
{
    float *out = room(channels * rows * columns * sizeof *out);
    for (int c = 0; c < channels; c++)
        memcpy(out + c * rows * columns, planes + (c * all + first) * columns,
               rows * columns * sizeof *out);
    return out;
}

/* A whole pass; in portions of `step` rows. Pixels come one after the other; latents as planes of
 * all rows. */
static void pass(const transform_network *n, transform_picture p, transform_isa isa, size_t step,
                 const void *in, unsigned char *out)
{
    const int analysis = n->way == TRANSFORM_ANALYSIS;
    const size_t columns = (p.width + 7) / 8, blocks = (p.height + 7) / 8;
    const size_t line = (size_t)p.width * p.colours * (p.depth / 8);
    const size_t all = analysis ? (size_t)p.height : blocks;
    const int inputs = n->layers[0].inputs, outputs = n->layers[n->count - 1].outputs;
    size_t bytes, done = 0;
    transform_state *s;
    if (transform_size(n, p, 1, &bytes) != TRANSFORM_OK)
        abort();
    void *arena = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!arena || transform_start(arena, n, p, 1, isa, &s) != TRANSFORM_OK)
        abort();
    for (size_t first = 0; first < all; first += step) {
        const size_t rows = all - first < step ? all - first : step;
        const size_t ready = transform_rows(s, rows);
        const size_t size = analysis ? outputs * ready * columns * sizeof(float) : ready * line;
        void *given = room(analysis ? rows * line : inputs * rows * columns * sizeof(float));
        if (analysis) {
            memcpy(given, (const unsigned char *)in + first * line, rows * line);
        } else {
            free(given);
            given = part(in, inputs, all, first, rows, columns);
        }
        unsigned char *taken = room(size);
        if (transform_push(s, given, rows, taken) != TRANSFORM_OK)
            abort();
        transform_work(s, 0);
        if (analysis)
            for (int c = 0; c < outputs; c++)
                memcpy(out + (c * blocks + done) * columns * sizeof(float),
                       taken + c * ready * columns * sizeof(float),
                       ready * columns * sizeof(float));
        else
            memcpy(out + done * line, taken, size);
        done += ready;
        free(given);
        free(taken);
    }
    if (done != (analysis ? blocks : (size_t)p.height))
        abort();
    free(arena);
}

static int differ(const transform_network *n, transform_picture p, const unsigned char *a,
                  const unsigned char *b, size_t bytes, int exactly)
{
    if (exactly)
        return memcmp(a, b, bytes) != 0;
    if (n->way == TRANSFORM_ANALYSIS || p.depth == 32) {
        const float *x = (const void *)a, *y = (const void *)b;
        for (size_t i = 0; i < bytes / sizeof *x; i++)
            if (fabsf(x[i] - y[i]) > 1e-3f * (1 + fabsf(x[i])))
                return 1;
        return 0;
    }
    for (size_t i = 0; i < bytes; i += p.depth / 8) {
        int d = a[i] - b[i];
        if (p.depth == 16) {
            uint16_t u, v;
            memcpy(&u, a + i, 2);
            memcpy(&v, b + i, 2);
            d = (u - v) / 64;
        }
        if (d < -1 || d > 1)
            return 1;
    }
    return 0;
}

/* Whether two sets of signs differ, in the bits that stand for a latent. */
static int signs_differ(transform_picture p, const unsigned char *a, const unsigned char *b,
                        size_t bytes)
{
    const size_t columns = (p.width + 7) / 8, plane = (columns + 47) / 48 * 6;
    for (size_t i = 0; i < bytes; i++)
        for (size_t bit = 0; bit < 8 && i % plane * 8 + bit < columns; bit++)
            if ((a[i] ^ b[i]) >> bit & 1)
                return 1;
    return 0;
}

static const char *round_of(transform_way way)
{
    transform_layer layers[TRANSFORM_LAYERS];
    transform_network n;
    make(&n, layers, way);
    const transform_picture p = {1 + (int)draw(draw(8) ? 80 : 500), 1 + (int)draw(60),
                                 draw(3) ? 3 : 1, 8 << draw(3)};
    const int analysis = way == TRANSFORM_ANALYSIS;
    const size_t columns = (p.width + 7) / 8, blocks = (p.height + 7) / 8;
    const size_t samples = (size_t)p.width * p.height * p.colours * (p.depth / 8);
    const size_t floats = columns * blocks * n.layers[analysis ? n.count - 1 : 0].inputs;
    const size_t out = analysis ? columns * blocks * n.layers[n.count - 1].outputs * sizeof(float)
                                : samples;
    void *in = analysis ? room(samples) : (void *)numbers(floats, 2);
    for (size_t i = 0; analysis && i < samples; i += p.depth / 8) {
        const uint16_t value = (uint16_t)draw(65536);
        const float real = value / 65536.0f;
        if (p.depth == 8)
            ((unsigned char *)in)[i] = (unsigned char)(value >> 8);
        else if (p.depth == 16)
            memcpy((unsigned char *)in + i, &value, 2);
        else
            memcpy((unsigned char *)in + i, &real, 4);
    }
    size_t signs;
    if (transform_signs(&n, p, &signs) != TRANSFORM_OK)
        abort();
    unsigned char *written = room(signs), *expected = room(signs);
    for (size_t i = 0; i < signs; i++)
        written[i] = expected[i] = analysis ? (unsigned char)draw(256) : 0;
    n.signs = signs && draw(4) ? written : 0;
    unsigned char *first = room(out), *other = room(out);
    const size_t everything = analysis ? (size_t)p.height : blocks;
    const transform_isa best = transform_best();
    const char *wrong = 0;
    unsigned char *const kept = n.signs;
    n.signs = kept ? expected : 0;
    plainly(&n, p, in, first);
    n.signs = kept;
    pass(&n, p, best, everything, in, other);
    if (differ(&n, p, first, other, out, best != TRANSFORM_PORTABLE))
        wrong = "plain and fast";
    if (kept && best != TRANSFORM_PORTABLE && signs_differ(p, expected, written, signs))
        wrong = "signs";
    memcpy(first, other, out);
    digest_all(first, out, analysis ? 4 : p.depth / 8);
    pass(&n, p, best, analysis ? 8 * (1 + draw(4)) : 1 + draw(4), in, other);
    if (differ(&n, p, first, other, out, 1))
        wrong = "portions";
    for (int isa = best + 1; isa <= TRANSFORM_PORTABLE; isa++) {
        pass(&n, p, (transform_isa)isa, everything, in, other);
        const int exactly = isa != TRANSFORM_PORTABLE;
        if (differ(&n, p, first, other, out, exactly)
            || (kept && exactly && signs_differ(p, expected, written, signs)))
            wrong = exactly ? "instruction sets" : "portable";
    }
    free(in);
    free(first);
    free(other);
    free(written);
    free(expected);
    discard(&n);
    return wrong;
}

int main(int count, char **words)
{
    const unsigned long seed = count > 1 ? strtoul(words[1], 0, 10) : 1;
    const long rounds = count > 2 ? strtol(words[2], 0, 10) : 200;
    for (long i = 0; i < rounds; i++) {
        state = seed * 1000003 + i;
        draw(2);
        const char *wrong = round_of(draw(2) ? TRANSFORM_ANALYSIS : TRANSFORM_SYNTHESIS);
        if (wrong) {
            printf("transform_fuzz: seed %lu, round %ld: %s differ\n", seed, i, wrong);
            return 1;
        }
    }
    printf("transform_fuzz: %ld networks, digest %016llx\n", rounds, (unsigned long long)digest);
    return 0;
}
