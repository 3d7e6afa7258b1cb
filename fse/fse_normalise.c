/* fse_normalise.c - histograms to normalised counts, as the reference rounds them. */
#include "fse.h"
#include "internal.h"

unsigned fse_table_log(unsigned limit, size_t n, unsigned max_symbol)
{
    uint32_t length = n < FSE_MAX_LENGTH ? (uint32_t)n : FSE_MAX_LENGTH;
    unsigned by_length = length > 4 ? floor_log2(length - 1) - 2 : limit;
    unsigned to_count = floor_log2(length | 1) + 1;
    unsigned to_tell = floor_log2(max_symbol | 1) + 2;
    unsigned least = to_count < to_tell ? to_count : to_tell;
    unsigned log = by_length < limit ? by_length : limit;
    if (log < least)
        log = least;
    return log < FSE_MIN_LOG ? FSE_MIN_LOG : log > FSE_MAX_LOG ? FSE_MAX_LOG : log;
}

/* What is still to be given out: cells, and the occurrences of the symbols that have none. */
typedef struct {
    uint64_t total;
    int32_t cells;
    unsigned waiting;
} pool;

enum { WAITING = -2 };

/* Gives `value` (one cell, as 1 or -1) to each waiting symbol that occurs at most `limit` times. */
static void give_one_cell(const uint32_t *counts, unsigned alphabet, uint64_t limit, int16_t value,
                          int16_t *norm, pool *rest)
{
    for (unsigned s = 0; s < alphabet; s++) {
        if (norm[s] != WAITING || counts[s] > limit)
            continue;
        norm[s] = value;
        rest->total -= counts[s];
        rest->cells--;
        rest->waiting--;
    }
}

static unsigned most_frequent(const uint32_t *counts, unsigned alphabet)
{
    unsigned best = 0;
    for (unsigned s = 1; s < alphabet; s++)
        if (counts[s] > counts[best])
            best = s;
    return best;
}

/* Cells in turn to all symbols that have one and are not marked rare. Such a symbol exists: rare
 * ones alone would number at least 2^L and leave no cell. */
static void deal_in_turn(unsigned alphabet, int16_t *norm, int32_t cells)
{
    for (unsigned s = 0; cells > 0; s = (s + 1) % alphabet) {
        if (norm[s] > 0) {
            norm[s]++;
            cells--;
        }
    }
}

/* Cells to waiting symbols by rounding the running sum of their shares, in units of 2^-scale
 * cells, so that the errors do not add up. A share can still round to none: fse_normalise's
 * last check finds it. */
static void deal_by_share(const uint32_t *counts, unsigned alphabet, unsigned scale, pool rest,
                          int16_t *norm)
{
    uint64_t half = ((uint64_t)1 << (scale - 1)) - 1;
    uint64_t unit = (((uint64_t)rest.cells << scale) + half) / rest.total;
    uint64_t from = half;
    for (unsigned s = 0; s < alphabet; s++) {
        if (norm[s] != WAITING)
            continue;
        uint64_t to = from + counts[s] * unit;
        uint64_t share = (to >> scale) - (from >> scale);
        if (share > 0)
            norm[s] = (int16_t)share;
        from = to;
    }
}

/* The second method, for histograms with so many rare symbols that rounding them up takes more
 * than half of the largest count: first the rare ones get their cell, then the rest is shared. */
static void normalise_rare(const uint32_t *counts, unsigned alphabet, unsigned table_log,
                           uint64_t total, int16_t *norm)
{
    pool rest = {total, 1 << table_log, 0};
    unsigned present = 0;
    for (unsigned s = 0; s < alphabet; s++) {
        norm[s] = counts[s] ? WAITING : 0;
        present += counts[s] > 0;
    }
    rest.waiting = present;
    uint64_t below_two = total * 3 >> (table_log + 1); /* 1.5 cells: rounds to one */
    give_one_cell(counts, alphabet, total >> table_log, -1, norm, &rest);
    give_one_cell(counts, alphabet, below_two, 1, norm, &rest);
    if (rest.cells > 0 && rest.total / (uint64_t)rest.cells > below_two)
        give_one_cell(counts, alphabet, rest.total * 3 / ((uint64_t)rest.cells * 2), 1, norm,
                      &rest);
    if (rest.cells <= 0)
        return;
    if (rest.waiting > 0) {
        deal_by_share(counts, alphabet, 62 - table_log, rest, norm);
    } else if (present == alphabet) {
        unsigned s = most_frequent(counts, alphabet);
        norm[s] = (int16_t)(norm[s] + rest.cells);
    } else {
        deal_in_turn(alphabet, norm, rest.cells);
    }
}

/* The first method: each symbol its share in cells, rounded; what is left over or missing goes to
 * the largest. Small shares do not round at one half: a cell more or less changes their cost by
 * much, so they round where that cost is least. In 2^-20 cells, for shares of 0..7 cells: */
static const uint32_t round_up_above[8] = {0,      473195, 504333, 520860,
                                           550000, 700000, 750000, 830000};

static int16_t round_share(uint64_t share, unsigned scale)
{
    uint64_t whole = share >> scale;
    uint64_t rest = share - (whole << scale);
    if (whole < 8 && rest > (uint64_t)round_up_above[whole] << (scale - 20))
        whole++;
    return (int16_t)whole;
}

/* Returns 0 where the largest symbol would lose half of its cells or more. */
static int normalise_common(const uint32_t *counts, unsigned alphabet, unsigned table_log,
                            uint64_t total, int16_t *norm)
{
    unsigned scale = 62 - table_log, largest = 0;
    uint64_t unit = ((uint64_t)1 << 62) / total;
    int32_t left = 1 << table_log;
    int16_t most = 0;
    for (unsigned s = 0; s < alphabet; s++) {
        norm[s] = 0;
        if (counts[s] == 0)
            continue;
        int rare = counts[s] <= total >> table_log;
        norm[s] = rare ? -1 : round_share(counts[s] * unit, scale);
        left -= rare ? 1 : norm[s];
        if (norm[s] > most) {
            most = norm[s];
            largest = s;
        }
    }
    if (-left >= most / 2)
        return 0;
    norm[largest] = (int16_t)(most + left);
    return 1;
}

fse_result fse_normalise(const uint32_t *counts, unsigned alphabet, unsigned table_log,
                         int16_t *norm)
{
    if (!shape_is_valid(alphabet, table_log, 1))
        return FSE_BAD_SHAPE;
    while (alphabet > 1 && counts[alphabet - 1] == 0)
        norm[--alphabet] = 0;
    uint64_t total = 0;
    for (unsigned s = 0; s < alphabet; s++)
        total += counts[s];
    if (total == 0)
        return FSE_NO_SYMBOL;
    if (total > FSE_MAX_LENGTH)
        return FSE_TOO_LONG;
    if (counts[most_frequent(counts, alphabet)] == total)
        return FSE_ONE_SYMBOL;
    if (!normalise_common(counts, alphabet, table_log, total, norm))
        normalise_rare(counts, alphabet, table_log, total, norm);
    return fse_check(norm, alphabet, table_log) == FSE_OK ? FSE_OK : FSE_NO_FIT;
}
