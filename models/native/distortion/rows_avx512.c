/* rows_avx512.c - the loops for x86-64 with AVX-512. */
#include "internal.h"

#if defined(DISTORTION_X86)
#pragma GCC target("avx512f")
#define KERNELS distortion_avx512
#include "rows.h"
#endif
