/* fse_classes.c - choosing a class for every block of symbols. */
#include <string.h>

#include "internal.h"

/* The first of the least; the two loops are faster than one that remembers where it was. */
SPECIALISED size_t cheapest(const uint32_t *total, size_t classes)
{
    uint32_t least = total[0];
    for (size_t c = 1; c < classes; c++)
        least = total[c] < least ? total[c] : least;
    size_t best = 0;
    while (total[best] != least)
        best++;
    return best;
}

/* Names of the parts of fse_choose_classes' scratch memory. What a block's neighbours cost depends
 * on it through the context that it gives them. */
typedef struct {
    uint32_t *with_north;  /* [classes north][classes]: the context of a block by its west */
    uint32_t *of_class;    /* [classes][contexts]: naming, the other way round */
    uint32_t *with_itself; /* [classes]: the context by one class as both west and north */
    uint32_t *usual;       /* [classes]: the mean of naming over all pairs */
    uint32_t *total;       /* [classes] */
    uint32_t *nothing;     /* [contexts]: zero */
} choice;

size_t fse_choose_scratch(size_t classes, size_t contexts)
{
    return classes * (classes + contexts + 3) + contexts;
}

SPECIALISED void choose(const choice *t, const uint32_t *costs, size_t rows, size_t columns,
                        size_t classes, const uint32_t *naming, const uint8_t *pairs,
                        size_t contexts, uint8_t *chosen)
{
    uint32_t *restrict total = t->total;
    for (size_t i = 0; i < rows * columns; i++) {
        for (size_t c = 0; c < classes; c++)
            total[c] = costs[i * classes + c] + t->usual[c];
        chosen[i] = (uint8_t)cheapest(total, classes);
    }
    uint8_t *here = chosen;
    for (size_t y = 0; y < rows; y++) {
        for (size_t x = 0; x < columns; x++, here++, costs += classes) {
            size_t north = y ? *(here - columns) : x ? here[-1] : 0, west = x ? here[-1] : north;
            const uint32_t *own = naming + pairs[west * classes + north] * classes;
            const uint32_t *east = t->nothing, *south = t->nothing;
            const uint32_t *in_east = t->with_itself;
            if (x + 1 < columns) {
                east = t->of_class + here[1] * contexts;
                if (y)
                    in_east = t->with_north + *(here + 1 - columns) * classes;
            }
            if (y + 1 < rows)
                south = t->of_class + here[columns] * contexts;
            for (size_t c = 0; c < classes; c++)
                total[c] = costs[c] + own[c] + east[in_east[c]];
            if (x && y + 1 < rows) {
                const uint8_t *in_south = pairs + here[columns - 1] * classes;
                for (size_t c = 0; c < classes; c++)
                    total[c] += south[in_south[c]];
            } else {
                for (size_t c = 0; c < classes; c++)
                    total[c] += south[t->with_itself[c]];
            }
            *here = (uint8_t)cheapest(total, classes);
        }
    }
}

static void choose_plain(const choice *t, const uint32_t *costs, size_t rows, size_t columns,
                         size_t classes, const uint32_t *naming, const uint8_t *pairs,
                         size_t contexts, uint8_t *chosen)
{
    choose(t, costs, rows, columns, classes, naming, pairs, contexts, chosen);
}

#ifdef FSE_HAS_BMI2
ON_AVX2 static void choose_avx2(const choice *t, const uint32_t *costs, size_t rows,
                                size_t columns, size_t classes, const uint32_t *naming,
                                const uint8_t *pairs, size_t contexts, uint8_t *chosen)
{
    choose(t, costs, rows, columns, classes, naming, pairs, contexts, chosen);
}
#else
#define choose_avx2 choose_plain
#endif

fse_result fse_choose_classes(const uint32_t *costs, size_t rows, size_t columns, size_t classes,
                              const uint32_t *naming, const uint8_t *pairs, size_t contexts,
                              uint32_t *scratch, uint8_t *chosen)
{
    if (classes < 1 || classes > FSE_ALPHABET || contexts < 1)
        return FSE_BAD_SHAPE;
    choice t;
    t.with_north = scratch;
    t.of_class = t.with_north + classes * classes;
    t.with_itself = t.of_class + classes * contexts;
    t.usual = t.with_itself + classes;
    t.total = t.usual + classes;
    t.nothing = t.total + classes;
    memset(t.nothing, 0, contexts * sizeof *t.nothing);
    for (size_t i = 0; i < classes * classes; i++) {
        if (pairs[i] >= contexts)
            return FSE_BAD_SHAPE;
        t.with_north[i % classes * classes + i / classes] = pairs[i];
    }
    for (size_t c = 0; c < classes; c++) {
        uint64_t sum = 0;
        for (size_t i = 0; i < classes * classes; i++)
            sum += naming[pairs[i] * classes + c];
        t.usual[c] = (uint32_t)(sum / (classes * classes));
        t.with_itself[c] = pairs[c * classes + c];
        for (size_t context = 0; context < contexts; context++)
            t.of_class[c * contexts + context] = naming[context * classes + c];
    }
    (has_avx2() ? choose_avx2 : choose_plain)(&t, costs, rows, columns, classes, naming, pairs,
                                              contexts, chosen);
    return FSE_OK;
}
