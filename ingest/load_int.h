/*
 * load_int.h - shared by load.c and load_expect.c
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_LOAD_INT_H
#define LQ_LOAD_INT_H

#include "ingest/load.h"

/* Looks at the last lines of the files and tells the store where the data will end, so that what the finest tier would drop again never enters it. */
void load__expect_high_water(struct store *s, const struct load_options *o, const char *const *paths, size_t n);

#endif
