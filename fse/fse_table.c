/* fse_table.c - normalised counts to the tables that encode and decode. */
#include "fse.h"
#include "internal.h"

fse_result fse_check(const int16_t *norm, unsigned alphabet, unsigned table_log)
{
    if (!shape_is_valid(alphabet, table_log, 1))
        return FSE_BAD_SHAPE;
    int32_t cells = 1 << table_log, sum = 0;
    for (unsigned s = 0; s < alphabet; s++) {
        if (norm[s] < -1 || norm[s] > cells)
            return FSE_BAD_COUNT;
        if (norm[s] == cells)
            return FSE_ONE_SYMBOL;
        sum += norm[s] < 0 ? 1 : norm[s];
    }
    return sum == cells ? FSE_OK : FSE_BAD_SUM;
}

/* The symbol of each cell, for checked counts: see "The arithmetic" in fse.h. */
static void spread(const int16_t *norm, unsigned alphabet, unsigned table_log, uint8_t *owner)
{
    uint32_t mask = (1u << table_log) - 1, top = mask, at = 0;
    uint32_t stride = (1u << (table_log - 1)) + (1u << (table_log - 3)) + 3;
    for (unsigned s = 0; s < alphabet; s++)
        if (norm[s] < 0)
            owner[top--] = (uint8_t)s;
    for (unsigned s = 0; s < alphabet; s++) {
        for (int16_t i = 0; i < norm[s]; i++) {
            owner[at] = (uint8_t)s;
            do
                at = (at + stride) & mask;
            while (at > top);
        }
    }
}

static fse_result check_bank(const fse_shape *shape, const int16_t *norm)
{
    if (!shape_is_valid(shape->alphabet, shape->table_log, shape->tables))
        return FSE_BAD_SHAPE;
    fse_result result = FSE_OK;
    for (unsigned t = 0; t < shape->tables && result == FSE_OK; t++)
        result = fse_check(norm + t * shape->alphabet, shape->alphabet, shape->table_log);
    return result;
}

/* The largest state, 2^(L+1) - 1, needs (x >> k) < 2c, that is k >= L - log2 c: the smallest such
 * k is `bits`. States below c << bits would fall under c and take one bit less. A symbol without
 * cells gets a move that stays inside the arrays: x >> L = 1, and slot -1 makes that entry 0. */
static fse_move move_of(int16_t count, int32_t cells_before, unsigned table_log)
{
    if (count == 0)
        return (fse_move){0, -1, (uint8_t)table_log, 0};
    uint32_t c = count < 0 ? 1u : (uint32_t)count;
    unsigned bits = table_log - floor_log2(c);
    return (fse_move){(uint16_t)(c << bits), (int16_t)(cells_before - (int32_t)c), (uint8_t)bits,
                      1};
}

static void build_moves(const int16_t *norm, unsigned alphabet, unsigned table_log,
                        fse_move *moves, uint16_t *next)
{
    uint8_t owner[1 << FSE_MAX_LOG];
    uint16_t fill[FSE_ALPHABET]; /* where the symbol's next cell goes in `next` */
    uint16_t before = 0;
    for (unsigned s = 0; s < alphabet; s++) {
        moves[s] = move_of(norm[s], before, table_log);
        fill[s] = before;
        before = (uint16_t)(before + (norm[s] < 0 ? 1 : norm[s]));
    }
    spread(norm, alphabet, table_log, owner);
    uint32_t cells = 1u << table_log;
    for (uint32_t cell = 0; cell < cells; cell++)
        next[fill[owner[cell]]++] = (uint16_t)(cells + cell);
}

fse_result fse_build_encoder(const fse_encoder *encoder, const int16_t *norm)
{
    fse_shape shape = encoder->shape;
    fse_result result = check_bank(&shape, norm);
    for (size_t t = 0; t < shape.tables && result == FSE_OK; t++)
        build_moves(norm + t * shape.alphabet, shape.alphabet, shape.table_log,
                    encoder->moves + t * shape.alphabet, encoder->next + (t << shape.table_log));
    return result;
}

static void build_cells(const int16_t *norm, unsigned alphabet, unsigned table_log,
                        fse_cell *cells, uint16_t *first)
{
    uint8_t owner[1 << FSE_MAX_LOG];
    uint16_t number[FSE_ALPHABET]; /* y of the symbol's next cell */
    for (unsigned s = 0; s < alphabet; s++) {
        number[s] = (uint16_t)(norm[s] < 0 ? 1 : norm[s]);
        first[s] = 0;
    }
    spread(norm, alphabet, table_log, owner);
    for (uint32_t cell = 0; cell < 1u << table_log; cell++) {
        uint8_t s = owner[cell];
        uint32_t y = number[s]++;
        unsigned bits = table_log - floor_log2(y);
        if (y == (norm[s] < 0 ? 1u : (uint32_t)norm[s]))
            first[s] = (uint16_t)cell;
        cells[cell] = (fse_cell){(uint16_t)((y << bits) - (1u << table_log)), s, (uint8_t)bits};
    }
}

fse_result fse_build_decoder(const fse_decoder *decoder, const int16_t *norm)
{
    fse_shape shape = decoder->shape;
    fse_result result = check_bank(&shape, norm);
    for (size_t t = 0; t < shape.tables && result == FSE_OK; t++)
        build_cells(norm + t * shape.alphabet, shape.alphabet, shape.table_log,
                    decoder->cells + (t << shape.table_log), decoder->first + t * shape.alphabet);
    return result;
}
