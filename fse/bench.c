/* bench.c - speed and size of the coder by itself:
 *
 *     cc -std=c11 -O3 fse/bench.c fse/fse*.c -lm -o bench && ./bench
 *
 * Prints Markdown. Times are the least of many repetitions, in nanoseconds per symbol. Bytes are
 * compared with the order-0 entropy of the same symbols. Symbols are ranks of Laplacian integers,
 * all seeded. Two yardsticks run beside: a copy, and a chain of multiplications, each of which
 * takes three cycles on any x86-64 processor of today.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fse.h"

enum { MOST = 1 << 20, LOG = 12, OWN_LOG = 11, PLANES = 64, WIDTH = 240, HEIGHT = 135, CLASSES = 8 };

static uint64_t state = 1;

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void *block(size_t size)
{
    void *p = malloc(size);
    if (!p)
        abort();
    return p;
}

static void must(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "bench: %s\n", what);
        exit(1);
    }
}

/* The rank of a rounded Laplacian variable: 0, 1, 2, 3, 4, ... for 0, -1, 1, -2, 2, ... */
static uint8_t draw_rank(double sigma)
{
    double u = (double)(draw() >> 11) / 9007199254740992.0 - 0.5;
    double x = -sigma / sqrt(2) * copysign(log(1 - 2 * fabs(u)), u);
    long m = lround(fmin(fmax(x, -16), 15));
    return (uint8_t)(m < 0 ? -2 * m - 1 : 2 * m);
}

static void count(const uint8_t *symbols, size_t n, uint32_t counts[FSE_RANKS])
{
    must(fse_histograms(symbols, n, 1, FSE_RANKS, counts) == FSE_OK, "count");
}

/* In bytes. */
static double entropy(const uint8_t *symbols, size_t n)
{
    uint32_t counts[FSE_RANKS];
    double bits = 0;
    count(symbols, n, counts);
    for (unsigned s = 0; s < FSE_RANKS; s++)
        if (counts[s])
            bits += counts[s] * log2((double)n / counts[s]);
    return bits / 8;
}

/* ---- Timing ------------------------------------------------------------------------------ */

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* The least time of one call, in ns; short calls are timed several at once. */
static double least(void (*call)(void *), void *with, double budget)
{
    double start = now(), best = 1e18;
    call(with);
    unsigned batch = 1 + (unsigned)(2e5 / (now() - start + 1));
    for (unsigned tries = 0; tries < 5 || now() - start < budget; tries++) {
        double from = now();
        for (unsigned i = 0; i < batch; i++)
            call(with);
        double each = (now() - from) / batch;
        best = each < best ? each : best;
    }
    return best;
}

enum { BUDGET = 40000000 };

typedef struct {
    uint8_t *from, *to;
    size_t n;
} copying;

static void copy(void *with)
{
    copying *c = with;
    memcpy(c->to, c->from, c->n);
}

static void multiply(void *with)
{
    volatile uint64_t *out = with;
    uint64_t x = *out;
    for (unsigned i = 0; i < 10000; i++)
        x *= x | 1;
    *out = x;
}

/* ns per byte copied and per cycle. The first to stay in the inner cache: 32,768 bytes. */
static void yardsticks(double *per_byte, double *per_cycle)
{
    copying c = {block(32768), block(32768), 32768};
    uint64_t seed = draw() | 1;
    memset(c.from, 1, c.n);
    *per_byte = least(copy, &c, BUDGET) / 32768;
    *per_cycle = least(multiply, &seed, BUDGET) / 30000;
    free(c.from);
    free(c.to);
}

/* ---- One plane --------------------------------------------------------------------------- */

typedef enum { OWN, PRIOR, PARAMETER } origin;

/* What a call needs, and leaves: symbols, tables, coded bytes. */
typedef struct {
    const uint8_t *symbols;
    size_t n;
    int ramped;
    fse_code code;
    origin from;
    uint8_t parameter;
    fse_encoder encoder;
    fse_decoder decoder;
    int16_t *norm;
    uint8_t *dst, *back;
    size_t capacity, size;
} job;

static job open_job(const uint8_t *symbols, size_t n)
{
    fse_shape shape = {LOG, FSE_RANKS, 1};
    size_t cells = 1u << LOG, capacity = FSE_HEADER_BOUND + fse_ramp_bound(n, LOG);
    return (job){symbols, n, 0, FSE_FASTEST, OWN, 0,
                 {shape, block(cells * sizeof(uint16_t)), block(FSE_RANKS * sizeof(fse_move))},
                 {shape, block(cells * sizeof(fse_cell)), block(FSE_RANKS * sizeof(uint16_t))},
                 block(FSE_RANKS * sizeof(int16_t)), block(capacity), block(n), capacity, 0};
}

static void close_job(job *j)
{
    free(j->encoder.next);
    free(j->encoder.moves);
    free(j->decoder.cells);
    free(j->decoder.first);
    free(j->norm);
    free(j->dst);
    free(j->back);
}

/* The bytes that say which table it is; the table itself is built unless it is the prior's. */
static size_t write_table(job *j)
{
    size_t header = 0;
    fse_shape *shape = &j->encoder.shape;
    if (j->from == OWN) {
        uint32_t counts[FSE_RANKS];
        count(j->symbols, j->n, counts);
        shape->table_log = fse_table_log(OWN_LOG, j->n, FSE_RANKS - 1);
        must(fse_normalise(counts, FSE_RANKS, shape->table_log, j->norm) == FSE_OK, "normalise");
        must(fse_write_header(j->norm, FSE_RANKS, shape->table_log, j->dst, &header) == FSE_OK,
             "header");
    } else if (j->from == PARAMETER) {
        must(fse_laplace(j->parameter, LOG, j->norm) == FSE_OK, "parameter");
        j->dst[header++] = j->parameter;
    }
    if (j->from != PRIOR)
        must(fse_build_encoder(&j->encoder, j->norm) == FSE_OK, "build encoder");
    return header;
}

static size_t read_table(job *j)
{
    size_t header = 0;
    fse_shape *shape = &j->decoder.shape;
    if (j->from == OWN) {
        unsigned alphabet = FSE_RANKS;
        shape->table_log = FSE_MAX_LOG;
        must(fse_read_header(j->dst, j->size, j->norm, &alphabet, &shape->table_log, &header)
                 == FSE_OK, "header");
    } else if (j->from == PARAMETER) {
        must(fse_laplace(j->dst[header++], LOG, j->norm) == FSE_OK, "parameter");
    }
    if (j->from != PRIOR)
        must(fse_build_decoder(&j->decoder, j->norm) == FSE_OK, "build decoder");
    return header;
}

static void encode(void *with)
{
    job *j = with;
    if (j->from == OWN && !j->ramped) {
        fse_kind kind;
        must(fse_compress(j->symbols, j->n, FSE_RANKS - 1, OWN_LOG, j->dst, j->capacity, &j->size,
                          &kind) == FSE_OK && kind == FSE_STREAM, "compress");
        return;
    }
    size_t header = write_table(j), size, room = j->capacity - header;
    fse_result result
        = j->ramped ? fse_encode_ramp(&j->encoder, j->symbols, NULL, j->n, 0, j->code,
                                      j->dst + header, room, &size)
                    : fse_encode(&j->encoder, j->symbols, j->n, j->dst + header, room, &size);
    must(result == FSE_OK, "encode");
    j->size = header + size;
}

static void decode(void *with)
{
    job *j = with;
    if (j->from == OWN && !j->ramped) {
        must(fse_decompress(j->dst, j->size, FSE_RANKS - 1, OWN_LOG, j->back, j->n) == FSE_OK,
             "decompress");
        return;
    }
    size_t header = read_table(j), size = j->size - header;
    fse_result result
        = j->ramped ? fse_decode_ramp(&j->decoder, j->dst + header, size, NULL, j->n, j->code,
                                      j->back)
                    : fse_decode(&j->decoder, j->dst + header, size, j->n, j->back);
    must(result == FSE_OK, "decode");
}

/* The parameter whose table is shortest. */
static uint8_t best_parameter(const job *j)
{
    uint32_t counts[FSE_RANKS];
    double best = INFINITY;
    uint8_t found = 0;
    count(j->symbols, j->n, counts);
    for (unsigned p = 0; p < 256; p++) {
        double bits = 0;
        must(fse_laplace((uint8_t)p, LOG, j->norm) == FSE_OK, "parameter");
        for (unsigned s = 0; s < FSE_RANKS; s++)
            if (counts[s])
                bits += j->norm[s] ? counts[s] * (LOG - log2(j->norm[s])) : INFINITY;
        if (bits < best) {
            best = bits;
            found = (uint8_t)p;
        }
    }
    return found;
}

/* The table of an endless source like this one: of a million other symbols, and all ranks. */
static void build_prior(job *j, double sigma)
{
    uint32_t counts[FSE_RANKS];
    uint8_t *others = block(MOST);
    for (size_t i = 0; i < MOST; i++)
        others[i] = draw_rank(sigma);
    count(others, MOST, counts);
    for (unsigned s = 0; s < FSE_RANKS; s++)
        counts[s]++;
    free(others);
    j->encoder.shape.table_log = j->decoder.shape.table_log = LOG;
    must(fse_normalise(counts, FSE_RANKS, LOG, j->norm) == FSE_OK, "prior");
    must(fse_build_encoder(&j->encoder, j->norm) == FSE_OK, "prior");
    must(fse_build_decoder(&j->decoder, j->norm) == FSE_OK, "prior");
}

static const struct {
    const char *name;
    origin from;
    int ramped;
    fse_code code;
} MODES[] = {
    {"two states, prior", PRIOR, 0, FSE_FASTEST},
    {"ramped, prior, portable", PRIOR, 1, FSE_PORTABLE},
    {"ramped, prior", PRIOR, 1, FSE_FASTEST},
    {"two states, own table", OWN, 0, FSE_FASTEST},
    {"ramped, own table", OWN, 1, FSE_FASTEST},
    {"ramped, one byte", PARAMETER, 1, FSE_FASTEST},
};

/* Against the two-state mode with the same kind of table, or with its own. */
static void bench_plane(double sigma, size_t n, double per_byte, double per_cycle)
{
    uint8_t *symbols = block(n);
    for (size_t i = 0; i < n; i++)
        symbols[i] = draw_rank(sigma);
    double bound = entropy(symbols, n), base[2] = {0, 0};
    job j = open_job(symbols, n);
    build_prior(&j, sigma);
    for (unsigned m = 0; m < sizeof MODES / sizeof *MODES; m++) {
        j.from = MODES[m].from;
        j.ramped = MODES[m].ramped;
        j.code = MODES[m].code;
        j.parameter = j.from == PARAMETER ? best_parameter(&j) : 0;
        j.encoder.shape.table_log = j.decoder.shape.table_log = LOG;
        double up = least(encode, &j, BUDGET) / (double)n;
        double down = least(decode, &j, BUDGET) / (double)n;
        must(memcmp(symbols, j.back, n) == 0, "round trip");
        if (!j.ramped) {
            base[0] = up;
            base[1] = down;
        }
        printf("| %g | %zu | %s | %zu | %+.2f%% | %.2f | %.2f | %.2f | %.2f | %.1f | %.1f | %.0f |\n",
               sigma, n, MODES[m].name, j.size, 100 * ((double)j.size / bound - 1), up, down,
               base[0] / up, base[1] / down, up / per_cycle, down / per_cycle, down / per_byte);
        fflush(stdout);
    }
    close_job(&j);
    free(symbols);
}

/* ---- Planes with contexts ---------------------------------------------------------------- */

typedef struct {
    fse_encoder encoder;
    fse_decoder decoder;
    fse_layout layout;
    fse_code code;
    uint8_t *symbols, *tables, *scratch, *dst, *back, *class_of;
    size_t capacity, size, sizes[PLANES];
} picture;

static void encode_picture(void *with)
{
    picture *p = with;
    size_t at;
    must(fse_encode_planes(&p->encoder, &p->layout, p->tables, PLANES, p->symbols, p->code,
                           p->scratch, p->dst, p->capacity, p->sizes, &at) == FSE_OK, "encode");
    p->size = 0;
    for (unsigned k = 0; k < PLANES; k++)
        p->size += p->sizes[k];
}

static void decode_picture(void *with)
{
    picture *p = with;
    size_t at;
    must(fse_decode_planes(&p->decoder, &p->layout, p->tables, PLANES, p->dst, p->sizes, p->code,
                           p->scratch, p->back, &at) == FSE_OK, "decode");
}

/* A table for each of 32 scales; a class is a scale, and so is the energy around a symbol. */
static picture open_picture(fse_context context)
{
    size_t n = (size_t)WIDTH * HEIGHT, contexts = fse_contexts(context, FSE_RANKS);
    fse_shape shape = {LOG, FSE_RANKS, FSE_SCALES};
    size_t cells = (size_t)FSE_SCALES << LOG, columns = FSE_SCALES * FSE_RANKS;
    int16_t norm[FSE_SCALES * FSE_RANKS];
    for (unsigned t = 0; t < FSE_SCALES; t++)
        must(fse_laplace((uint8_t)(7 * FSE_SCALES + t), LOG, norm + t * FSE_RANKS) == FSE_OK,
             "scale");
    picture p = {{shape, block(cells * sizeof(uint16_t)), block(columns * sizeof(fse_move))},
                 {shape, block(cells * sizeof(fse_cell)), block(columns * sizeof(uint16_t))},
                 {WIDTH, HEIGHT, NULL, CLASSES, context}, FSE_FASTEST, block(PLANES * n),
                 block(PLANES * CLASSES * contexts), block(fse_planes_scratch(WIDTH, HEIGHT)), NULL,
                 block(PLANES * n), block(n), PLANES * fse_ramp_bound(n, LOG), 0, {0}};
    p.dst = block(p.capacity);
    p.layout.class_of = p.class_of;
    for (size_t i = 0; i < n; i++) /* squares of 8 x 8 */
        p.class_of[i] = (uint8_t)((i % WIDTH / 8 * 5 + i / WIDTH / 8 * 3) % CLASSES);
    for (size_t i = 0; i < PLANES * n; i++)
        p.symbols[i] = draw_rank(0.15 * pow(1.6, p.class_of[i % n]));
    for (size_t i = 0; i < PLANES * CLASSES * contexts; i++)
        p.tables[i] = (uint8_t)(3 * (i / contexts % CLASSES) + 3);
    must(fse_build_encoder(&p.encoder, norm) == FSE_OK, "build encoder");
    must(fse_build_decoder(&p.decoder, norm) == FSE_OK, "build decoder");
    return p;
}

static void close_picture(picture *p)
{
    void *blocks[] = {p->encoder.next, p->encoder.moves, p->decoder.cells, p->decoder.first,
                      p->symbols, p->tables, p->scratch, p->dst, p->back, p->class_of};
    for (unsigned i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
}

static void bench_picture(fse_context context, const char *name, double per_cycle)
{
    static const char *codes[] = {"fastest", "portable"};
    picture p = open_picture(context);
    double n = (double)PLANES * WIDTH * HEIGHT;
    for (unsigned c = 0; c < 2; c++) {
        p.code = c ? FSE_PORTABLE : FSE_FASTEST;
        double up = least(encode_picture, &p, 10 * BUDGET) / n;
        double down = least(decode_picture, &p, 10 * BUDGET) / n;
        must(memcmp(p.symbols, p.back, PLANES * (size_t)WIDTH * HEIGHT) == 0, "round trip");
        printf("| %s | %s | %zu | %.2f | %.2f | %.1f | %.1f |\n", name, codes[c], p.size, up, down,
               up / per_cycle, down / per_cycle);
        fflush(stdout);
    }
    close_picture(&p);
}

int main(void)
{
    static const double sigmas[] = {0.2, 0.5, 1, 2, 4};
    static const size_t lengths[] = {1024, 4096, 32768, MOST};
    double per_byte, per_cycle;
    yardsticks(&per_byte, &per_cycle);
    printf("A copy takes %.4f ns per byte, a cycle %.3f ns (%.2f GHz).\n\n", per_byte, per_cycle,
           1 / per_cycle);
    printf("| sigma | symbols | mode | bytes | to entropy | encode ns | decode ns | faster | faster"
           " | cycles | cycles | copies |\n|-|-|-|-|-|-|-|-|-|-|-|-|\n");
    for (unsigned s = 0; s < sizeof sigmas / sizeof *sigmas; s++)
        for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++)
            bench_plane(sigmas[s], lengths[i], per_byte, per_cycle);
    printf("\n%d planes of %dx%d, %d classes.\n\n", PLANES, HEIGHT, WIDTH, CLASSES);
    printf("| context | code | bytes | encode ns | decode ns | cycles | cycles |\n|-|-|-|-|-|-|-|\n");
    bench_picture(FSE_BY_CLASS, "class", per_cycle);
    bench_picture(FSE_BY_ENERGY, "energy", per_cycle);
    bench_picture(FSE_BY_PAIR, "pair", per_cycle);
    return 0;
}
