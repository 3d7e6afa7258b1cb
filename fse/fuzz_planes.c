/* fuzz_planes.c - planes of a picture at once, with every context, and what classes cost. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Planes to code, in exact blocks. */
typedef struct {
    bank b;
    fse_layout layout;
    size_t planes, n, contexts;
    uint8_t *class_of; /* what layout.class_of is, unless that is NULL */
    uint8_t *tables;
    uint8_t *symbols;
    uint8_t *scratch;
} picture;

static uint8_t *draw_bytes(size_t size, size_t limit)
{
    uint8_t *made = block(size);
    for (size_t i = 0; i < size; i++)
        made[i] = (uint8_t)below(limit);
    return made;
}

static picture open_picture(fse_context context)
{
    picture p;
    fse_shape shape = {FSE_MIN_LOG + 1 + (unsigned)below(7), 0, 1 + (unsigned)below(5)};
    shape.alphabet = 2 + (unsigned)below(context == FSE_BY_PAIR ? 7 : 63);
    fse_result built;
    p.b = open_bank(shape, 1, &built);
    p.layout = (fse_layout){below(20), below(20), NULL, 1 + below(below(8) ? 4 : 256), context};
    p.planes = below(11);
    p.n = p.layout.width * p.layout.height;
    p.contexts = fse_contexts(context, shape.alphabet);
    p.class_of = draw_bytes(p.n, p.layout.classes);
    p.layout.class_of = below(4) ? p.class_of : NULL;
    p.tables = draw_bytes(p.planes * p.layout.classes * p.contexts, shape.tables);
    size_t steep = 1 + below(shape.alphabet); /* from constant to flat */
    p.symbols = draw_bytes(p.planes * p.n, steep);
    p.scratch = block(fse_planes_scratch(p.layout.width, p.layout.height));
    return p;
}

static void close_picture(picture *p)
{
    free(p->class_of);
    free(p->tables);
    free(p->symbols);
    free(p->scratch);
    close_bank(&p->b);
}

static fse_code any_code(void)
{
    return below(2) ? FSE_FASTEST : FSE_PORTABLE;
}

/* All payloads, one after the other. */
static bytes encode(const picture *p, const uint8_t *symbols, size_t *sizes)
{
    size_t at, capacity = p->planes * fse_ramp_bound(p->n, p->b.encoder.shape.table_log);
    uint8_t *dst = block(capacity);
    fse_result result = fse_encode_planes(&p->b.encoder, &p->layout, p->tables, p->planes, symbols,
                                          any_code(), p->scratch, dst, capacity, sizes, &at);
    demand(result == FSE_OK, "planes: encode");
    bytes payloads = {NULL, 0};
    for (size_t k = 0; k < p->planes; k++)
        payloads.size += sizes[k];
    payloads.at = copy(dst, payloads.size);
    free(dst);
    return payloads;
}

static fse_result decode(const picture *p, bytes src, const size_t *sizes, fse_code code,
                         uint8_t *symbols, size_t *at)
{
    return fse_decode_planes(&p->b.decoder, &p->layout, p->tables, p->planes, src.at, sizes, code,
                             p->scratch, symbols, at);
}

/* The payloads with another one in place of that of plane `which`. */
static bytes replace(bytes payloads, const size_t *sizes, size_t which, bytes by)
{
    size_t before = 0;
    for (size_t k = 0; k < which; k++)
        before += sizes[k];
    size_t after = payloads.size - before - sizes[which];
    bytes made = {block(before + by.size + after), before + by.size + after};
    if (before)
        memcpy(made.at, payloads.at, before);
    if (by.size)
        memcpy(made.at + before, by.at, by.size);
    if (after)
        memcpy(made.at + before + by.size, payloads.at + payloads.size - after, after);
    return made;
}

/* Decoded from damage in plane `which`: the others are as they were, and it can be encoded; with
 * a context of neighbours, to the same bytes. */
static void check_accepted(const picture *p, const uint8_t *symbols, size_t which, bytes src,
                           const size_t *sizes)
{
    for (size_t k = 0; k < p->planes; k++)
        demand(k == which || p->n == 0
                   || memcmp(symbols + k * p->n, p->symbols + k * p->n, p->n) == 0,
               "planes: damage in another one");
    size_t *again_sizes = block(p->planes * sizeof *again_sizes);
    bytes again = encode(p, symbols, again_sizes);
    if (p->layout.context != FSE_BY_CLASS) /* there the ramp may be another */
        demand(again_sizes[which] == sizes[which] && again.size == src.size
                   && (src.size == 0 || memcmp(again.at, src.at, src.size) == 0),
               "planes: not canonical");
    free(again.at);
    free(again_sizes);
}

static void damage_plane(const picture *p, bytes payloads, const size_t *sizes)
{
    size_t which = below(p->planes), at, other_at, first = 0;
    for (size_t k = 0; k < which; k++)
        first += sizes[k];
    bytes damaged = mutant(payloads.at + first, sizes[which]);
    bytes src = replace(payloads, sizes, which, damaged);
    size_t *new_sizes = copy(sizes, p->planes * sizeof *sizes);
    new_sizes[which] = damaged.size;
    uint8_t *symbols = block(p->planes * p->n), *other = block(p->planes * p->n);
    fse_result result = decode(p, src, new_sizes, FSE_FASTEST, symbols, &at);
    demand(result == decode(p, src, new_sizes, FSE_PORTABLE, other, &other_at) && at == other_at,
           "planes: two results");
    if (settle(result)) {
        demand(p->n == 0 || memcmp(symbols, other, p->planes * p->n) == 0, "planes: two texts");
        check_accepted(p, symbols, which, src, new_sizes);
    } else {
        demand(at == which, "planes: another one is blamed");
    }
    free(damaged.at);
    free(src.at);
    free(new_sizes);
    free(symbols);
    free(other);
}

static void fuzz_planes(fse_context context)
{
    picture p = open_picture(context);
    size_t at, *sizes = block(p.planes * sizeof *sizes);
    uint8_t *back = block(p.planes * p.n);
    bytes payloads = encode(&p, p.symbols, sizes);
    demand(decode(&p, payloads, sizes, any_code(), back, &at) == FSE_OK, "planes: decode");
    demand(p.planes * p.n == 0 || memcmp(back, p.symbols, p.planes * p.n) == 0,
           "planes: round trip");
    for (unsigned i = mutants(); i > 0 && p.planes > 0; i--)
        damage_plane(&p, payloads, sizes);
    free(payloads.at);
    free(sizes);
    free(back);
    close_picture(&p);
}

void fuzz_by_class(void)
{
    fuzz_planes(FSE_BY_CLASS);
}

void fuzz_by_energy(void)
{
    fuzz_planes(FSE_BY_ENERGY);
}

void fuzz_by_pair(void)
{
    fuzz_planes(FSE_BY_PAIR);
}

/* ---- What classes cost ------------------------------------------------------------------- */

/* The cost of one block in one class, once more: by the contexts of whole planes. */
static uint32_t cost_of(const picture *p, const uint32_t *bits, const uint8_t *contexts,
                        size_t block_size, size_t row, size_t column, size_t class)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < p->planes * p->n; i++) {
        size_t place = i % p->n, width = p->layout.width;
        if (place / width / block_size != row || place % width / block_size != column)
            continue;
        size_t context = p->layout.context == FSE_BY_ENERGY ? contexts[i] : 0;
        size_t of = (i / p->n * p->layout.classes + class) * p->contexts + context;
        sum += bits[p->tables[of] * (size_t)p->b.encoder.shape.alphabet + p->symbols[i]];
    }
    return sum;
}

/* Any costs, of few enough bits that sums do not overflow: no block can do better by itself. */
static void choose(uint32_t *costs, size_t rows, size_t columns, size_t classes)
{
    size_t contexts = 1 + below(5), blocks = rows * columns;
    uint32_t *naming = block(contexts * classes * sizeof *naming);
    uint32_t *scratch = block(fse_choose_scratch(classes, contexts) * sizeof *scratch);
    uint8_t *pairs = block(classes * classes), *chosen = block(blocks);
    for (size_t i = 0; i < contexts * classes; i++)
        naming[i] = (uint32_t)below(1000);
    for (size_t i = 0; i < classes * classes; i++)
        pairs[i] = (uint8_t)below(contexts);
    for (size_t i = 0; i < blocks * classes; i++)
        costs[i] &= 0xffff;
    demand(fse_choose_classes(costs, rows, columns, classes, naming, pairs, contexts, scratch,
                              chosen) == FSE_OK, "choice");
    if (blocks > 0) { /* the last block has no neighbour after it */
        size_t last = blocks - 1;
        size_t north = rows > 1 ? chosen[last - columns] : columns > 1 ? chosen[last - 1] : 0;
        size_t west = columns > 1 ? chosen[last - 1] : north;
        const uint32_t *cost = costs + last * classes;
        const uint32_t *name = naming + pairs[west * classes + north] * classes;
        for (size_t c = 0; c < classes; c++)
            demand(cost[chosen[last]] + name[chosen[last]] <= cost[c] + name[c], "better choice");
    }
    pairs[below(classes * classes)] = (uint8_t)contexts;
    demand(fse_choose_classes(costs, rows, columns, classes, naming, pairs, contexts, scratch,
                              chosen) == FSE_BAD_SHAPE, "a context too many");
    free(naming);
    free(scratch);
    free(pairs);
    free(chosen);
}

void fuzz_costs(void)
{
    picture p = open_picture(below(2) ? FSE_BY_CLASS : FSE_BY_ENERGY);
    fse_shape shape = p.b.encoder.shape;
    size_t size = 1 + below(25), classes = p.layout.classes;
    size_t columns = (p.layout.width + size - 1) / size, rows = (p.layout.height + size - 1) / size;
    size_t cells = rows * columns * classes, table_cells = (size_t)shape.tables * shape.alphabet;
    uint32_t *costs = block(cells * sizeof *costs), *bits = block(table_cells * sizeof *bits);
    uint32_t *steps = block(p.contexts * shape.alphabet * classes * sizeof *steps);
    uint8_t *contexts = block(p.planes * p.n);
    for (size_t i = 0; i < table_cells; i++)
        bits[i] = (uint32_t)draw();
    for (size_t k = 0; k < p.planes; k++)
        fse_energy_contexts(p.symbols + k * p.n, p.layout.width, p.layout.height,
                            contexts + k * p.n);
    demand(fse_class_costs(&p.layout, shape, p.tables, p.planes, bits, p.symbols, size, p.scratch,
                           steps, costs) == FSE_OK, "costs");
    for (unsigned i = 8; i > 0 && cells > 0; i--) {
        size_t at = below(cells);
        demand(costs[at] == cost_of(&p, bits, contexts, size, at / classes / columns,
                                    at / classes % columns, at % classes), "costs differ");
    }
    choose(costs, rows, columns, classes);
    free(costs);
    free(bits);
    free(steps);
    free(contexts);
    close_picture(&p);
}
