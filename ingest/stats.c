/*
 * stats.c - the table of counters (stats.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "ingest/stats.h"

#define STATS_ROW(id, name, drop, help) {name, help, drop},
const struct stat_row stat_rows[STATS] = {STATS_TABLE(STATS_ROW)};
