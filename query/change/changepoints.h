/*
 * changepoints.h - change points of any series of numbers, with one generic setting
 *
 * Binary segmentation (Scott, Knott 1974; Vostrikova 1981) with change_best as its test: a segment is split at its best step or bend while the p of the best split, which knows of
 * autocorrelation, is below CHANGEPOINTS_P. NAN = missing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_CHANGEPOINTS_H
#define LQ_CHANGEPOINTS_H

#include "schema/base/buf.h"

#define CHANGEPOINTS_P 0.01

/* Indices of the first observation of each new segment, ascending; out has room for n. Returns how many. */
size_t changepoints(const double *y, size_t n, uint32_t *out);
/* A series as text: {"series":[{"raw":[…]}]} or one number a line (blank or null = missing). *y is malloc'd. */
LQ_MUST enum lq_err changepoints_parse(lq_str text, double **y, size_t *n, struct lq_error *e);

#endif
