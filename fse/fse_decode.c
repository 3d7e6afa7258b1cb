/* fse_decode.c - payload to symbols, from the last bit to the first. */
#include "fse.h"
#include "internal.h"

/* The unread bits are the lowest `left` of src. */
typedef struct {
    const uint8_t *src;
    int64_t left; /* below zero once more was read than there was */
} tail_reader;

/* The next bits to read, at the top of a word: 57 of them at least, zeros beyond the start. */
static inline uint64_t next_bits(const tail_reader *r)
{
    if (r->left >= 64) {
        int64_t bytes = (r->left + 7) >> 3;
        return load64(r->src + bytes - 8) << (8 * bytes - r->left);
    }
    if (r->left <= 0)
        return 0;
    uint64_t bits = 0;
    for (int64_t byte = (r->left - 1) >> 3; byte >= 0; byte--)
        bits = bits << 8 | r->src[byte];
    return bits << (64 - r->left);
}

/* The top k bits, 0 <= k < 64: two shifts, as one by 64 is not defined. */
static inline uint32_t top_bits(uint64_t bits, unsigned k)
{
    return (uint32_t)(bits >> 1 >> (63 - k));
}

static fse_result open_payload(tail_reader *r, const uint8_t *src, size_t size)
{
    if (size == 0 || src[size - 1] == 0 || size > INT64_MAX / 8)
        return FSE_PAYLOAD_UNCLOSED;
    r->src = src;
    r->left = (int64_t)(8 * (size - 1) + floor_log2(src[size - 1]));
    return FSE_OK;
}

static uint32_t read_state(tail_reader *r, unsigned table_log)
{
    uint32_t state = top_bits(next_bits(r), table_log);
    r->left -= table_log;
    return state;
}

/* The next bits, and how many of them were taken. */
typedef struct {
    uint64_t bits;
    unsigned used;
} refill;

/* One symbol; the state becomes the cell that the symbol's bits lead to. */
static inline uint8_t step(uint32_t *state, refill *from, const fse_cell *cells)
{
    fse_cell cell = cells[*state];
    *state = cell.next + top_bits(from->bits, cell.bits);
    from->bits <<= cell.bits;
    from->used += cell.bits;
    return cell.symbol;
}

/* Symbols 0 ... n-1 with a step of the state after each. A refill serves four: 48 bits at most.
 * Cells lead to cells whatever the bits are, so one check per refill finds the end of the bits. */
static fse_result decode_up(const fse_cell *cells, tail_reader *r, size_t n, uint32_t state[2],
                            uint8_t *symbols)
{
    uint32_t a = state[0], b = state[1];
    tail_reader tail = *r;
    size_t i = 0;
    for (; n - i >= 4 && tail.left >= 0; i += 4) {
        refill from = {next_bits(&tail), 0};
        symbols[i] = step(&a, &from, cells);
        symbols[i + 1] = step(&b, &from, cells);
        symbols[i + 2] = step(&a, &from, cells);
        symbols[i + 3] = step(&b, &from, cells);
        tail.left -= from.used;
    }
    for (; i < n && tail.left >= 0; i++) {
        refill from = {next_bits(&tail), 0};
        symbols[i] = step(i & 1 ? &b : &a, &from, cells);
        tail.left -= from.used;
    }
    *r = tail;
    state[0] = a;
    state[1] = b;
    return tail.left < 0 ? FSE_PAYLOAD_TRUNCATED : FSE_OK;
}

/* The last symbol of a state; 1 if the state is the one that an encoder starts with. */
static int end_at(const fse_decoder *decoder, uint32_t state, uint8_t *symbol)
{
    *symbol = decoder->cells[state].symbol;
    return decoder->first[*symbol] == state;
}

fse_result fse_decode(const fse_decoder *decoder, const uint8_t *src, size_t size,
                      size_t n, uint8_t *symbols)
{
    if (n > FSE_MAX_LENGTH)
        return FSE_TOO_LONG;
    if (n == 0)
        return size == 0 ? FSE_OK : FSE_PAYLOAD_LEFTOVER;

    tail_reader r;
    size_t states = n < 2 ? 1 : 2, steps = n - states;
    uint32_t state[2] = {0, 0};
    fse_result result = open_payload(&r, src, size);
    if (result != FSE_OK)
        return result;
    for (size_t i = 0; i < states; i++)
        state[i] = read_state(&r, decoder->shape.table_log);
    result = decode_up(decoder->cells, &r, steps, state, symbols);
    if (result != FSE_OK)
        return result;
    if (r.left > 0)
        return FSE_PAYLOAD_LEFTOVER;
    for (size_t i = steps; i < n; i++)
        if (!end_at(decoder, state[i & 1], &symbols[i]))
            return FSE_PAYLOAD_START;
    return FSE_OK;
}
