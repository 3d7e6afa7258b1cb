/* fse_laplace.c - tables from one byte: rounded Laplace distributions over ranks. */
#include "fse.h"
#include "internal.h"

/* 2^16 r for sigma from 0.1 to 8. */
static const uint32_t DECAY[FSE_SCALES] = {
    56, 141, 318, 641, 1180, 2004, 3173, 4729,
    6688, 9036, 11733, 14719, 17922, 21262, 24663, 28054,
    31374, 34573, 37614, 40470, 43125, 45571, 47807, 49837,
    51668, 53313, 54784, 56093, 57256, 58284, 59192, 59992,
};

/* The largest magnitude with a cell. */
static const uint8_t REACH[8] = {1, 2, 3, 4, 6, 8, 12, 16};

/* fse.h derives the weights. What rounding leaves or takes is the zero's. */
fse_result fse_laplace(uint8_t parameter, unsigned table_log, int16_t *norm)
{
    if (!shape_is_valid(FSE_RANKS, table_log, 1))
        return FSE_BAD_SHAPE;
    uint64_t r = DECAY[parameter % FSE_SCALES];
    unsigned last = 2u * REACH[parameter / FSE_SCALES];
    uint64_t weight[FSE_RANKS] = {((1u << 16) - r) << 16}, total = weight[0];
    uint64_t each = r * ((1ull << 32) - r * r) >> 17;
    for (unsigned s = 1; s < FSE_RANKS; s++) {
        weight[s] = s <= last ? each : 0;
        total += weight[s];
        if (s % 2 == 0)
            each = (each * r >> 16) * r >> 16;
    }
    int32_t left = 1 << table_log;
    for (unsigned s = 1; s < FSE_RANKS; s++) {
        uint64_t cells = (weight[s] << table_log) / total;
        norm[s] = (int16_t)(s > last ? 0 : cells ? cells : 1);
        left -= norm[s];
    }
    norm[0] = (int16_t)left;
    return left > 0 ? FSE_OK : FSE_NO_FIT;
}
