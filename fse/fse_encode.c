/* fse_encode.c - symbols to payload, from the last symbol to the first. */
#include "fse.h"
#include "internal.h"

size_t fse_payload_bound(size_t n, unsigned table_log)
{
    /* n * table_log alone would not fit a 32-bit size_t. */
    return n / 8 * table_log + (n % 8 * table_log + 8) / 8 + 8;
}

/* A state of the encoder, and 1 until it met a symbol without cells. */
typedef struct {
    uint32_t x;
    uint32_t sound;
} chain;

typedef struct {
    fse_encoder encoder;
    const uint8_t *symbols;
} source;

/* x = C(s, c(s)): symbol i's first cell. */
static chain start_at(const source *from, size_t i)
{
    unsigned table_log = from->encoder.shape.table_log;
    fse_move move = from->encoder.moves[from->symbols[i]];
    if (!move.present)
        return (chain){1u << table_log, 0};
    int32_t y = move.least >> move.bits;
    return (chain){from->encoder.next[move.slot + y], 1};
}

static inline void step(chain *c, bit_writer *w, const source *from, size_t i)
{
    fse_move move = from->encoder.moves[from->symbols[i]];
    unsigned k = move.bits - (unsigned)(c->x < move.least);
    put_bits(w, c->x & ((1u << k) - 1), k);
    int32_t slot = move.slot + (int32_t)(c->x >> k);
    c->x = from->encoder.next[slot];
    c->sound &= move.present;
}

/* Symbols i-1, ... 0. Four make 48 bits at most, and 7 wait: one flush for them. The structures
 * come by value, so that the compiler knows that no byte written is theirs. */
static bit_writer code_down(source from, size_t i, chain chains[2], bit_writer w)
{
    chain a = chains[0], b = chains[1];
    for (; i & 3; flush_bits(&w)) {
        i--;
        if (i & 1)
            step(&b, &w, &from, i);
        else
            step(&a, &w, &from, i);
    }
    for (; i > 0; flush_bits(&w)) {
        i -= 4;
        step(&b, &w, &from, i + 3);
        step(&a, &w, &from, i + 2);
        step(&b, &w, &from, i + 1);
        step(&a, &w, &from, i);
    }
    chains[0] = a;
    chains[1] = b;
    return w;
}

fse_result fse_encode(const fse_encoder *encoder, const uint8_t *symbols, size_t n, uint8_t *dst,
                      size_t capacity, size_t *written)
{
    *written = 0;
    if (n > FSE_MAX_LENGTH)
        return FSE_TOO_LONG;
    if (capacity < fse_payload_bound(n, encoder->shape.table_log))
        return FSE_SMALL_BUFFER;
    if (n == 0)
        return FSE_OK;
    if (largest(symbols, n) >= encoder->shape.alphabet)
        return FSE_ABSENT_SYMBOL;

    source from = {*encoder, symbols};
    bit_writer w = {dst, 0, 0};
    chain chains[2] = {{0, 1}, {0, 1}};
    size_t states = n < 2 ? 1 : 2;
    for (size_t i = n - states; i < n; i++)
        chains[i & 1] = start_at(&from, i);
    w = code_down(from, n - states, chains, w);
    if (!(chains[0].sound & chains[1].sound))
        return FSE_ABSENT_SYMBOL;
    while (states-- > 0)
        put_bits(&w, chains[states].x - (1u << encoder->shape.table_log), encoder->shape.table_log);
    put_bits(&w, 1, 1);
    *written = (size_t)(end_of_bits(&w) - dst);
    return FSE_OK;
}
