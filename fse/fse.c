/* fse.c - whole calls, and what results mean. */
#include "fse.h"
#include "internal.h"

const char *fse_message(fse_result result)
{
    switch (result) {
    case FSE_OK: return "no error";
    case FSE_BAD_SHAPE: return "table log, alphabet or number of tables out of range";
    case FSE_BAD_COUNT: return "a normalised count is out of range";
    case FSE_BAD_SUM: return "the normalised counts do not add up to 2^table log";
    case FSE_ONE_SYMBOL: return "one symbol owns the whole table";
    case FSE_NO_SYMBOL: return "the histogram is empty";
    case FSE_NO_FIT: return "the histogram does not fit a table of this table log";
    case FSE_TOO_LONG: return "more than 2^31 - 1 symbols";
    case FSE_SMALL_BUFFER: return "the output buffer is too small";
    case FSE_ABSENT_SYMBOL: return "a symbol has no cell in its table";
    case FSE_ABSENT_TABLE: return "the plane names a table that the bank lacks";
    case FSE_HEADER_TRUNCATED: return "the table header is truncated";
    case FSE_HEADER_LOG: return "the table header's table log is too large";
    case FSE_HEADER_SYMBOL: return "the table header describes too many symbols";
    case FSE_HEADER_ONE_SYMBOL: return "the table header gives all cells to one symbol";
    case FSE_HEADER_PADDING: return "the table header's padding is not zero";
    case FSE_PAYLOAD_UNCLOSED: return "the payload has no closing bit";
    case FSE_PAYLOAD_TRUNCATED: return "the payload is truncated";
    case FSE_PAYLOAD_LEFTOVER: return "the payload is longer than its symbols";
    case FSE_PAYLOAD_RAMP: return "the payload's states do not fork as they have to";
    case FSE_PAYLOAD_START: return "the payload does not end in a state where coding starts";
    }
    return "unknown result";
}

int fse_is_corrupt(fse_result result)
{
    return result >= FSE_HEADER_TRUNCATED;
}

/* ---- Compression ------------------------------------------------------------------------ */

typedef struct {
    uint32_t counts[FSE_ALPHABET];
    uint32_t most;       /* the largest of them */
    unsigned max_symbol; /* the largest symbol that occurs */
} histogram;

static void count(histogram *h, const uint8_t *symbols, size_t n)
{
    h->most = h->max_symbol = 0;
    fse_histograms(symbols, n, 1, FSE_ALPHABET, h->counts); /* any byte and length is in range */
    for (unsigned s = 0; s < FSE_ALPHABET; s++) {
        if (h->counts[s] == 0)
            continue;
        h->max_symbol = s;
        h->most = h->counts[s] > h->most ? h->counts[s] : h->most;
    }
}

/* The reference's guesses at what is not worth trying: every symbol new, or none frequent. */
static fse_kind guess_kind(const histogram *h, size_t n)
{
    if (n > 1 && h->most == n)
        return FSE_RLE;
    return n <= 2 || h->most == 1 || h->most < n >> 7 ? FSE_RAW : FSE_STREAM;
}

size_t fse_compress_bound(size_t n)
{
    return FSE_HEADER_BOUND + fse_payload_bound(n, FSE_MAX_LOG);
}

static fse_result encode_with_header(const int16_t *norm, unsigned alphabet, unsigned table_log,
                                     const uint8_t *symbols, size_t n, uint8_t *dst,
                                     size_t capacity, size_t *written)
{
    uint16_t next[1 << FSE_MAX_LOG];
    fse_move moves[FSE_ALPHABET];
    fse_encoder encoder = {{table_log, alphabet, 1}, next, moves};
    size_t header, payload;
    fse_result result = fse_write_header(norm, alphabet, table_log, dst, &header);
    if (result == FSE_OK)
        result = fse_build_encoder(&encoder, norm);
    if (result == FSE_OK)
        result = fse_encode(&encoder, symbols, n, dst + header, capacity - header, &payload);
    if (result == FSE_OK)
        *written = header + payload;
    return result;
}

fse_result fse_compress(const uint8_t *symbols, size_t n, unsigned max_symbol, unsigned table_log,
                        uint8_t *dst, size_t capacity, size_t *written, fse_kind *kind)
{
    *written = 0;
    *kind = FSE_RAW;
    if (max_symbol < 1 || !shape_is_valid(max_symbol + 1, table_log, 1))
        return FSE_BAD_SHAPE;
    if (n > FSE_MAX_LENGTH)
        return FSE_TOO_LONG;
    if (capacity < fse_compress_bound(n))
        return FSE_SMALL_BUFFER;

    histogram h;
    count(&h, symbols, n);
    if (h.max_symbol > max_symbol)
        return FSE_ABSENT_SYMBOL;
    *kind = guess_kind(&h, n);
    if (*kind != FSE_STREAM)
        return FSE_OK;

    int16_t norm[FSE_ALPHABET];
    unsigned alphabet = h.max_symbol + 1;
    unsigned log = fse_table_log(table_log, n, h.max_symbol);
    fse_result result = fse_normalise(h.counts, alphabet, log, norm);
    if (result == FSE_OK)
        result = encode_with_header(norm, alphabet, log, symbols, n, dst, capacity, written);
    if (result == FSE_NO_FIT || (result == FSE_OK && *written >= n - 1)) {
        *written = 0;
        *kind = FSE_RAW;
        return FSE_OK;
    }
    return result;
}

/* ---- Decompression ---------------------------------------------------------------------- */

fse_result fse_decompress(const uint8_t *src, size_t size, unsigned max_symbol,
                          unsigned max_table_log, uint8_t *symbols, size_t n)
{
    int16_t norm[FSE_ALPHABET];
    fse_cell cells[1 << FSE_MAX_LOG];
    uint16_t first[FSE_ALPHABET];
    fse_decoder decoder = {{max_table_log, max_symbol + 1, 1}, cells, first};
    size_t header;
    fse_result result = fse_read_header(src, size, norm, &decoder.shape.alphabet,
                                        &decoder.shape.table_log, &header);
    if (result == FSE_OK)
        result = fse_build_decoder(&decoder, norm);
    if (result == FSE_OK)
        result = fse_decode(&decoder, src + header, size - header, n, symbols);
    return result;
}
