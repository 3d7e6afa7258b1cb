/* fse_planes.c - planes of a picture at once: tables by class and by decoded neighbours. */
#include <string.h>

#include "fse.h"
#include "internal.h"

enum { LANES = 4, LOUDEST = 20 };

/* The context of an energy; the steps grow like the Fibonacci numbers: 1, 2, 3, 5, 8, 13, 20. */
static const uint8_t LEVEL[LOUDEST + 1] = {0, 1, 2, 3, 3, 4, 4, 4, 5, 5, 5,
                                           5, 5, 6, 6, 6, 6, 6, 6, 6, 7};

static inline unsigned level_of(unsigned energy)
{
    return LEVEL[energy < LOUDEST ? energy : LOUDEST];
}

/* Ranks 0, 1, 2, 3, 4, ... stand for 0, -1, 1, -2, 2, ...; eight times 16 fit a byte. */
static inline uint8_t magnitude(uint8_t rank)
{
    return (uint8_t)(rank < 31 ? (rank + 1) >> 1 : 16);
}

/* What the rows above contribute to the energies of row y: 2N + NE + NW + NN. */
static void energy_above(const uint8_t *symbols, size_t y, size_t width, uint8_t *energy)
{
    memset(energy, 0, width);
    if (y == 0)
        return;
    const uint8_t *north = symbols + (y - 1) * width;
    for (size_t x = 0; x < width; x++)
        energy[x] = (uint8_t)(2 * magnitude(north[x]));
    for (size_t x = 1; x < width; x++)
        energy[x] = (uint8_t)(energy[x] + magnitude(north[x - 1]));
    for (size_t x = 1; x < width; x++)
        energy[x - 1] = (uint8_t)(energy[x - 1] + magnitude(north[x]));
    for (size_t x = 0; y > 1 && x < width; x++)
        energy[x] = (uint8_t)(energy[x] + magnitude(*(north - width + x)));
}

/* ... and row y itself: 2W + WW. */
static void energy_beside(const uint8_t *row, size_t width, uint8_t *energy)
{
    for (size_t x = 1; x < width; x++)
        energy[x] = (uint8_t)(energy[x] + 2 * magnitude(row[x - 1]));
    for (size_t x = 2; x < width; x++)
        energy[x] = (uint8_t)(energy[x] + magnitude(row[x - 2]));
}

/* West and north; where one is outside the plane the other stands in, else 0. */
static inline size_t pair_of(const uint8_t *row, size_t x, size_t y, size_t width, unsigned side)
{
    unsigned west = x ? row[x - 1] : y ? *(row - width) : 0;
    unsigned north = y ? *(row - width + x) : west;
    return (size_t)west * side + north;
}

size_t fse_contexts(fse_context context, unsigned alphabet)
{
    switch (context) {
    case FSE_BY_CLASS: return 1;
    case FSE_BY_ENERGY: return FSE_ENERGIES;
    case FSE_BY_PAIR: return (size_t)alphabet * alphabet;
    }
    return 0;
}

/* The energies of row y, all of whose symbols are known. */
static void energies_of_row(const uint8_t *symbols, size_t y, size_t width, uint8_t *energy)
{
    energy_above(symbols, y, width, energy);
    energy_beside(symbols + y * width, width, energy);
}

/* Sizes that nothing after has to check again. */
static fse_result check_layout(const fse_layout *layout, unsigned alphabet)
{
    if (layout->width > FSE_MAX_LENGTH || layout->height > FSE_MAX_LENGTH
        || (layout->width > 0 && layout->height > FSE_MAX_LENGTH / layout->width))
        return FSE_TOO_LONG;
    if (fse_contexts(layout->context, alphabet) == 0 || layout->classes < 1
        || layout->classes > FSE_ALPHABET)
        return FSE_BAD_SHAPE;
    return layout->class_of
                && largest(layout->class_of, layout->width * layout->height) >= layout->classes
             ? FSE_BAD_SHAPE
             : FSE_OK;
}

/* Those, and the tables of all planes. */
static fse_result check_planes(const fse_layout *layout, fse_shape shape, const uint8_t *tables,
                               size_t planes, size_t *at)
{
    *at = planes;
    fse_result result = check_layout(layout, shape.alphabet);
    if (result != FSE_OK)
        return result;
    size_t row = layout->classes * fse_contexts(layout->context, shape.alphabet);
    for (size_t p = 0; p < planes; p++) {
        if (largest(tables + p * row, row) >= shape.tables) {
            *at = p;
            return FSE_ABSENT_TABLE;
        }
    }
    return FSE_OK;
}

size_t fse_planes_scratch(size_t width, size_t height)
{
    return width * height + LANES * width;
}

/* ---- Encoding ---------------------------------------------------------------------------- */

static void tables_of_row(const fse_layout *layout, unsigned side, const uint8_t *tables,
                          const uint8_t *symbols, size_t y, uint8_t *energy, uint8_t *out)
{
    static const uint8_t NO_CLASS[1] = {0};
    size_t width = layout->width;
    const uint8_t *row = symbols + y * width;
    const uint8_t *class_of = layout->class_of ? layout->class_of + y * width : NO_CLASS;
    size_t step = layout->class_of != NULL;
    switch (layout->context) {
    case FSE_BY_CLASS:
        for (size_t x = 0; x < width; x++)
            out[x] = tables[class_of[x * step]];
        break;
    case FSE_BY_ENERGY:
        energies_of_row(symbols, y, width, energy);
        for (size_t x = 0; x < width; x++)
            out[x] = tables[class_of[x * step] * FSE_ENERGIES + level_of(energy[x])];
        break;
    case FSE_BY_PAIR:
        for (size_t x = 0; x < width; x++)
            out[x] = tables[class_of[x * step] * (size_t)side * side
                            + pair_of(row, x, y, width, side)];
        break;
    }
}

fse_result fse_encode_planes(const fse_encoder *encoder, const fse_layout *layout,
                             const uint8_t *tables, size_t planes, const uint8_t *symbols,
                             fse_code code, uint8_t *scratch, uint8_t *dst, size_t capacity,
                             size_t *sizes, size_t *at)
{
    fse_result result = check_planes(layout, encoder->shape, tables, planes, at);
    if (result != FSE_OK)
        return result;
    size_t n = layout->width * layout->height;
    unsigned side = encoder->shape.alphabet;
    unsigned ramp = layout->context == FSE_BY_CLASS ? 0 : FSE_RAMP_SINGLE;
    size_t row = layout->classes * fse_contexts(layout->context, side);
    for (*at = 0; *at < planes; ++*at) {
        if (largest(symbols, n) >= side)
            return FSE_ABSENT_SYMBOL;
        for (size_t y = 0; y < layout->height; y++)
            tables_of_row(layout, side, tables, symbols, y, scratch + n,
                          scratch + y * layout->width);
        result = fse_encode_ramp(encoder, symbols, scratch, n, ramp, code, dst, capacity,
                                 &sizes[*at]);
        if (result != FSE_OK)
            return result;
        dst += sizes[*at];
        capacity -= sizes[*at];
        symbols += n;
        tables += row;
    }
    return FSE_OK;
}

/* ---- Decoding ---------------------------------------------------------------------------- */

/* One plane in flight. `base` and `from` say which cell the last symbol came from. */
typedef struct {
    front_reader in;
    const uint8_t *tables;
    uint8_t *symbols;
    uint8_t *above; /* energy of the current row's upper neighbours */
    uint32_t x;
    size_t base;
    uint32_t from;
    unsigned bits;
    unsigned beside; /* 2W + WW */
    unsigned west;
} lane;

/* Symbol i of a plane, with the table that context `which` gives. */
static inline uint8_t give(lane *l, const fse_decoder *bank, size_t which, size_t i)
{
    l->base = (size_t)l->tables[which] << bank->shape.table_log;
    l->from = l->x;
    fse_cell cell = bank->cells[l->base + l->x];
    uint64_t bits = bits_at(&l->in, l->in.at);
    l->bits = cell.bits;
    l->x = cell.next + ((uint32_t)bits & ((1u << cell.bits) - 1));
    l->in.at += cell.bits;
    l->symbols[i] = cell.symbol;
    return cell.symbol;
}

static fse_result open_lane(lane *l, const uint8_t *src, size_t size, unsigned table_log)
{
    unsigned ramp;
    fse_result result = open_front(&l->in, src, size, &ramp);
    if (result != FSE_OK)
        return result;
    l->x = take_bits(&l->in, table_log);
    return ramp == FSE_RAMP_SINGLE ? FSE_OK : FSE_PAYLOAD_RAMP;
}

/* The last symbol's bits were not there to take: it is the one that coding started with. */
static fse_result close_lane(const lane *l, const fse_decoder *bank)
{
    uint64_t at = l->in.at - l->bits, end = 8 * (uint64_t)l->in.size;
    if (at != end)
        return at > end ? FSE_PAYLOAD_TRUNCATED : FSE_PAYLOAD_LEFTOVER;
    fse_cell cell = bank->cells[l->base + l->from];
    size_t table = l->base >> bank->shape.table_log;
    uint16_t first = bank->first[table * bank->shape.alphabet + cell.symbol];
    return first == l->from ? FSE_OK : FSE_PAYLOAD_START;
}

SPECIALISED void give_energies(lane *lanes, unsigned count, const fse_decoder *bank,
                            const fse_layout *layout)
{
    size_t width = layout->width, i = 0;
    for (size_t y = 0; y < layout->height; y++) {
        for (unsigned k = 0; k < count; k++) {
            energy_above(lanes[k].symbols, y, width, lanes[k].above);
            lanes[k].beside = lanes[k].west = 0;
        }
        for (size_t x = 0; x < width; x++, i++) {
            size_t class = layout->class_of ? layout->class_of[i] : 0;
            for (unsigned k = 0; k < count; k++) {
                lane *l = &lanes[k];
                unsigned level = level_of(l->above[x] + l->beside);
                unsigned here = magnitude(give(l, bank, class * FSE_ENERGIES + level, i));
                l->beside = 2 * here + l->west;
                l->west = here;
            }
        }
    }
}

SPECIALISED void give_pairs(lane *lanes, unsigned count, const fse_decoder *bank,
                            const fse_layout *layout)
{
    unsigned side = bank->shape.alphabet;
    size_t width = layout->width, i = 0;
    for (size_t y = 0; y < layout->height; y++) {
        for (size_t x = 0; x < width; x++, i++) {
            size_t class = layout->class_of ? layout->class_of[i] : 0;
            for (unsigned k = 0; k < count; k++) {
                size_t pair = pair_of(lanes[k].symbols + y * width, x, y, width, side);
                give(&lanes[k], bank, class * side * side + pair, i);
            }
        }
    }
}

/* `count` lanes side by side; a constant, where this is called. */
SPECIALISED void give_planes(lane *lanes, unsigned count, const fse_decoder *bank,
                             const fse_layout *layout)
{
    if (layout->context == FSE_BY_PAIR)
        give_pairs(lanes, count, bank, layout);
    else
        give_energies(lanes, count, bank, layout);
}

/* `count` planes, 1 to LANES, with a context of neighbours. */
SPECIALISED fse_result decode_lanes(const fse_decoder *bank, const fse_layout *layout,
                                    const uint8_t *tables, unsigned count, const uint8_t *src,
                                    const size_t *sizes, uint8_t *scratch, uint8_t *symbols,
                                    size_t *at)
{
    size_t n = layout->width * layout->height;
    size_t row = layout->classes * fse_contexts(layout->context, bank->shape.alphabet);
    lane lanes[LANES] = {0};
    for (unsigned k = 0; k < count; k++, src += sizes[k - 1]) {
        lanes[k].tables = tables + k * row;
        lanes[k].symbols = symbols + k * n;
        lanes[k].above = scratch + k * layout->width;
        fse_result result = open_lane(&lanes[k], src, sizes[k], bank->shape.table_log);
        *at += k;
        if (result != FSE_OK)
            return result;
        *at -= k;
    }
    if (count == LANES)
        give_planes(lanes, LANES, bank, layout);
    else
        for (unsigned k = 0; k < count; k++)
            give_planes(&lanes[k], 1, bank, layout);
    for (unsigned k = 0; k < count; k++, ++*at) {
        fse_result result = close_lane(&lanes[k], bank);
        if (result != FSE_OK)
            return result;
    }
    return FSE_OK;
}

static fse_result lanes_plain(const fse_decoder *bank, const fse_layout *layout,
                              const uint8_t *tables, unsigned count, const uint8_t *src,
                              const size_t *sizes, uint8_t *scratch, uint8_t *symbols, size_t *at)
{
    return decode_lanes(bank, layout, tables, count, src, sizes, scratch, symbols, at);
}

#ifdef FSE_HAS_BMI2
ON_BMI2 static fse_result lanes_bmi2(const fse_decoder *bank, const fse_layout *layout,
                                     const uint8_t *tables, unsigned count, const uint8_t *src,
                                     const size_t *sizes, uint8_t *scratch, uint8_t *symbols,
                                     size_t *at)
{
    return decode_lanes(bank, layout, tables, count, src, sizes, scratch, symbols, at);
}
#else
#define lanes_bmi2 lanes_plain
#endif

static fse_result decode_by_class(const fse_decoder *decoder, const fse_layout *layout,
                                  const uint8_t *tables, const uint8_t *src, size_t size,
                                  fse_code code, uint8_t *scratch, uint8_t *symbols)
{
    size_t n = layout->width * layout->height;
    for (size_t y = 0; y < layout->height; y++)
        tables_of_row(layout, decoder->shape.alphabet, tables, symbols, y, scratch + n,
                      scratch + y * layout->width);
    return fse_decode_ramp(decoder, src, size, scratch, n, code, symbols);
}

fse_result fse_decode_planes(const fse_decoder *decoder, const fse_layout *layout,
                             const uint8_t *tables, size_t planes, const uint8_t *src,
                             const size_t *sizes, fse_code code, uint8_t *scratch,
                             uint8_t *symbols, size_t *at)
{
    fse_result result = check_planes(layout, decoder->shape, tables, planes, at);
    if (result != FSE_OK)
        return result;
    size_t n = layout->width * layout->height, together = 1;
    size_t row = layout->classes * fse_contexts(layout->context, decoder->shape.alphabet);
    int neighbours = layout->context != FSE_BY_CLASS && n > 0;
    int fast = code == FSE_FASTEST && has_bmi2();
    for (size_t first = *at = 0; first < planes && result == FSE_OK; first += together) {
        *at = first;
        if (neighbours) {
            together = planes - first < LANES ? planes - first : LANES;
            result = (fast ? lanes_bmi2 : lanes_plain)(decoder, layout, tables, (unsigned)together,
                                                       src, sizes + first, scratch + n, symbols,
                                                       at);
        } else {
            result = decode_by_class(decoder, layout, tables, src, sizes[first], code, scratch,
                                     symbols);
        }
        for (size_t k = 0; k < together; k++)
            src += sizes[first + k];
        symbols += together * n;
        tables += together * row;
    }
    return result;
}

/* ---- What classes cost ------------------------------------------------------------------- */

fse_result fse_histograms(const uint8_t *symbols, size_t n, size_t planes, unsigned alphabet,
                          uint32_t *counts)
{
    if (alphabet < 1 || alphabet > FSE_ALPHABET)
        return FSE_BAD_SHAPE;
    memset(counts, 0, planes * alphabet * sizeof *counts);
    for (size_t p = 0; p < planes; p++, symbols += n, counts += alphabet) {
        /* Four counters for each symbol: equal neighbours do not wait for each other. */
        uint32_t part[4][FSE_ALPHABET] = {{0}};
        if (n > FSE_MAX_LENGTH)
            return FSE_TOO_LONG;
        if (largest(symbols, n) >= alphabet)
            return FSE_ABSENT_SYMBOL;
        for (size_t i = 0; i < n; i++)
            part[i & 3][symbols[i]]++;
        for (unsigned s = 0; s < alphabet; s++)
            counts[s] = part[0][s] + part[1][s] + part[2][s] + part[3][s];
    }
    return FSE_OK;
}

void fse_energy_contexts(const uint8_t *symbols, size_t width, size_t height, uint8_t *contexts)
{
    for (size_t y = 0; y < height; y++)
        energies_of_row(symbols, y, width, contexts + y * width);
    for (size_t i = 0; i < width * height; i++)
        contexts[i] = (uint8_t)level_of(contexts[i]);
}

static size_t blocks_of(size_t length, size_t block)
{
    return length / block + (length % block > 0);
}

enum { STRETCH = 128 }; /* symbols of a row that are looked through at a time */

/* Of one plane, adds to each block what its symbols cost in each class beyond symbol 0 in context
 * 0: steps[context][symbol][class]. Most symbols are that one, and take no sums. */
SPECIALISED void add_plane(const fse_layout *layout, unsigned alphabet, const uint32_t *steps,
                           const uint8_t *symbols, size_t block, uint8_t *level, uint32_t *costs)
{
    size_t width = layout->width, count = layout->classes;
    size_t columns = blocks_of(width, block);
    uint32_t at[STRETCH], step[STRETCH];
    memset(level, 0, width);
    for (size_t y = 0; y < layout->height; y++, symbols += width) {
        uint32_t *row = costs + y / block * columns * count;
        if (layout->context == FSE_BY_ENERGY) {
            energies_of_row(symbols - y * width, y, width, level);
            for (size_t x = 0; x < width; x++)
                level[x] = (uint8_t)level_of(level[x]);
        }
        for (size_t first = 0; first < width; first += STRETCH) {
            size_t end = width - first < STRETCH ? width : first + STRETCH, dear = 0;
            for (size_t x = first; x < end; x++) {
                at[dear] = (uint32_t)x;
                step[dear] = level[x] * alphabet + symbols[x];
                dear += step[dear] != 0;
            }
            for (size_t i = 0; i < dear; i++) {
                uint32_t *restrict cost = row + at[i] / (uint32_t)block * count;
                const uint32_t *more = steps + step[i] * count;
                for (size_t c = 0; c < count; c++)
                    cost[c] += more[c];
            }
        }
    }
}

/* Gives every block the costs of symbol 0 in context 0, once per symbol that it has. */
static void add_common(const fse_layout *layout, const uint32_t *common, size_t block,
                       uint32_t *costs)
{
    size_t width = layout->width, height = layout->height;
    for (size_t y = 0; y < height; y += block) {
        for (size_t x = 0; x < width; x += block) {
            size_t rows = height - y < block ? height - y : block;
            size_t columns = width - x < block ? width - x : block;
            uint32_t cells = (uint32_t)(rows * columns);
            for (size_t c = 0; c < layout->classes; c++)
                *costs++ += cells * common[c];
        }
    }
}

static void add_plane_plain(const fse_layout *layout, unsigned alphabet, const uint32_t *steps,
                            const uint8_t *symbols, size_t block, uint8_t *level, uint32_t *costs)
{
    add_plane(layout, alphabet, steps, symbols, block, level, costs);
}

#ifdef FSE_HAS_BMI2
ON_AVX2 static void add_plane_avx2(const fse_layout *layout, unsigned alphabet,
                                   const uint32_t *steps, const uint8_t *symbols, size_t block,
                                   uint8_t *level, uint32_t *costs)
{
    add_plane(layout, alphabet, steps, symbols, block, level, costs);
}
#else
#define add_plane_avx2 add_plane_plain
#endif

fse_result fse_class_costs(const fse_layout *layout, fse_shape shape, const uint8_t *tables,
                           size_t planes, const uint32_t *bits, const uint8_t *symbols,
                           size_t block, uint8_t *scratch, uint32_t *steps, uint32_t *costs)
{
    fse_layout choices = *layout;
    choices.class_of = NULL;
    size_t at;
    fse_result result = check_planes(&choices, shape, tables, planes, &at);
    if (result == FSE_OK && (layout->context == FSE_BY_PAIR || block == 0))
        result = FSE_BAD_SHAPE;
    if (result != FSE_OK)
        return result;
    size_t n = layout->width * layout->height, contexts = fse_contexts(layout->context, 0);
    size_t count = layout->classes;
    if (block > FSE_MAX_LENGTH) /* as long as a plane can be: one block either way */
        block = FSE_MAX_LENGTH;
    size_t blocks = blocks_of(layout->width, block) * blocks_of(layout->height, block);
    uint32_t common[FSE_ALPHABET] = {0};
    memset(costs, 0, blocks * count * sizeof *costs);
    for (size_t p = 0; p < planes; p++, symbols += n, tables += count * contexts) {
        unsigned alphabet = largest(symbols, n) + 1; /* of this plane: often a few symbols */
        if (alphabet > shape.alphabet)
            return FSE_ABSENT_SYMBOL;
        uint32_t *step = steps;
        for (size_t context = 0; context < contexts; context++)
            for (size_t s = 0; s < alphabet; s++)
                for (size_t c = 0; c < count; c++)
                    *step++ = bits[tables[c * contexts + context] * (size_t)shape.alphabet + s];
        for (size_t c = 0; c < count; c++)
            common[c] += steps[c];
        for (step = steps + count; step < steps + contexts * alphabet * count; step += count)
            for (size_t c = 0; c < count; c++)
                step[c] -= steps[c];
        (has_avx2() ? add_plane_avx2 : add_plane_plain)(layout, alphabet, steps, symbols,
                                                        block, scratch + n, costs);
    }
    add_common(layout, common, block, costs);
    return FSE_OK;
}
