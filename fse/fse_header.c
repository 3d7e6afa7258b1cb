/* fse_header.c - normalised counts to and from bytes; the code is drawn in fse.h. */
#include "fse.h"
#include "internal.h"

/* The truncated binary code of the values 0..left+1. */
typedef struct {
    uint32_t unused; /* u: code words that 2^bits has too many */
    unsigned bits;   /* b */
} count_code;

static count_code code_for(int32_t left)
{
    uint32_t values = (uint32_t)left + 2;
    unsigned bits = floor_log2(values - 1) + 1;
    return (count_code){(1u << bits) - values, bits};
}

/* ---- Writing ---------------------------------------------------------------------------- */

static void write_count(bit_writer *w, int16_t count, int32_t left)
{
    count_code code = code_for(left);
    uint32_t value = (uint32_t)(count + 1);
    if (value >= 1u << (code.bits - 1))
        put_bits(w, value + code.unused, code.bits);
    else
        put_bits(w, value, code.bits - (value < code.unused));
    flush_bits(w);
}

/* Writes how many zeros follow norm[s], itself zero; returns the next symbol that is not. */
static unsigned write_zeros(bit_writer *w, const int16_t *norm, unsigned s)
{
    unsigned run = 0;
    while (norm[++s] == 0)
        run++;
    for (; run >= 3; run -= 3) {
        put_bits(w, 3, 2);
        flush_bits(w);
    }
    put_bits(w, run, 2);
    return s;
}

fse_result fse_write_header(const int16_t *norm, unsigned alphabet, unsigned table_log,
                            uint8_t *dst, size_t *written)
{
    fse_result result = fse_check(norm, alphabet, table_log);
    if (result != FSE_OK)
        return result;
    bit_writer w = {dst, 0, 0};
    put_bits(&w, table_log - FSE_MIN_LOG, 4);
    int32_t left = 1 << table_log;
    unsigned s = 0;
    while (left > 0) { /* so a symbol with cells follows, and no index leaves norm */
        write_count(&w, norm[s], left);
        left -= norm[s] < 0 ? 1 : norm[s];
        s = norm[s] == 0 ? write_zeros(&w, norm, s) : s + 1;
    }
    *written = (size_t)(end_of_bits(&w) - dst);
    return FSE_OK;
}

/* ---- Reading ---------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *src;
    size_t size;
    size_t at; /* in bits; may pass the end, where all bits read as zero */
} bit_reader;

/* The next 16 bits and more, without moving on. */
static uint32_t peek_bits(const bit_reader *r)
{
    size_t byte = r->at >> 3;
    uint32_t bits = 0;
    for (unsigned i = 0; i < 3 && byte + i < r->size; i++)
        bits |= (uint32_t)r->src[byte + i] << (8 * i);
    return bits >> (r->at & 7);
}

static uint32_t read_bits(bit_reader *r, unsigned count)
{
    uint32_t bits = peek_bits(r) & ((1u << count) - 1);
    r->at += count;
    return bits;
}

static int is_past_end(const bit_reader *r)
{
    return (r->at + 7) >> 3 > r->size;
}

static int16_t read_count(bit_reader *r, int32_t left)
{
    count_code code = code_for(left);
    uint32_t half = 1u << (code.bits - 1);
    uint32_t value = peek_bits(r) & (2 * half - 1);
    if ((value & (half - 1)) < code.unused) {
        r->at += code.bits - 1;
        return (int16_t)((int32_t)(value & (half - 1)) - 1);
    }
    r->at += code.bits;
    return (int16_t)((int32_t)(value < half ? value : value - code.unused) - 1);
}

/* The number of zeros that follow a zero; more than `limit` is only known to be too many. */
static unsigned read_zeros(bit_reader *r, unsigned limit)
{
    unsigned run = 0, step;
    do
        run += step = read_bits(r, 2);
    while (step == 3 && run <= limit);
    return run;
}

/* Counts of symbols until all cells are described; *alphabet becomes the number of symbols. No
 * sum needs checking: no code word stands for more than what is left. */
static fse_result read_counts(bit_reader *r, unsigned table_log, int16_t *norm,
                              unsigned *alphabet)
{
    int32_t left = 1 << table_log;
    unsigned s = 0;
    while (left > 0) {
        if (is_past_end(r))
            return FSE_HEADER_TRUNCATED;
        if (s >= *alphabet)
            return FSE_HEADER_SYMBOL;
        norm[s] = read_count(r, left);
        left -= norm[s] < 0 ? 1 : norm[s];
        if (norm[s] == 1 << table_log)
            return FSE_HEADER_ONE_SYMBOL;
        s += norm[s] == 0 ? 1 + read_zeros(r, *alphabet) : 1;
    }
    *alphabet = s;
    return is_past_end(r) ? FSE_HEADER_TRUNCATED : FSE_OK;
}

fse_result fse_read_header(const uint8_t *src, size_t size, int16_t *norm, unsigned *alphabet,
                           unsigned *table_log, size_t *used)
{
    if (!shape_is_valid(*alphabet, *table_log, 1))
        return FSE_BAD_SHAPE;
    for (unsigned s = 0; s < *alphabet; s++)
        norm[s] = 0;
    if (size == 0)
        return FSE_HEADER_TRUNCATED;
    bit_reader r = {src, size < FSE_HEADER_BOUND ? size : FSE_HEADER_BOUND, 0};
    unsigned log = read_bits(&r, 4) + FSE_MIN_LOG;
    if (log > *table_log)
        return FSE_HEADER_LOG;
    fse_result result = read_counts(&r, log, norm, alphabet);
    if (result != FSE_OK)
        return result;
    if (r.at & 7 && src[r.at >> 3] >> (r.at & 7))
        return FSE_HEADER_PADDING;
    *table_log = log;
    *used = (r.at + 7) >> 3;
    return FSE_OK;
}
