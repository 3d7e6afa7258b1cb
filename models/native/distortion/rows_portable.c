/* rows_portable.c - the loops for any processor. */
#include "internal.h"

#define KERNELS distortion_portable
#include "rows.h"
