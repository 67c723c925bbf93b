/*
 * changepoints.h - change points of any series of numbers, with one generic setting
 *
 * What a careful person would mark in a picture of the series: its levels and its slopes, not its noise, its season or
 * its single outliers.
 *
 *   gaps and isolated outliers are left out   noise.h
 *   the season is taken out                   season.h, when it repeats at least three times
 *   long series become at most 1000 blocks    their cuts are refined afterwards on the points themselves
 *   the best cuts for each number of cuts     segment_each (segment.h): each segment a level, or a line where that pays
 *   how many cuts?                            one to three more while each of them lowers the residual sum of squares
 * by cut_price log(n) (long-run variance + resolution^2)
 *
 * The long-run variance is that of an AR(1) on the residuals of the segmentation that is tried, so a series that
 * wanders is not cut at each turn (Chakar, Lebarbier, Levy-Leduc, Robin 2017 have the same aim). The resolution is a
 * share of the range of the series: what is smaller than that is not seen in a picture, however small the noise is.
 * Without it smooth series (populations, prices) are cut at each bend, because no line fits them within their noise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_CHANGEPOINTS_H
#define LQ_CHANGEPOINTS_H

#include "schema/base/buf.h"

struct changepoints_setting {
    double resolution;  /* of the range */
    double cut_price;   /* times log(n): a level and its place */
    double slope_price; /* times log(n) */
    size_t blocks;      /* at most, <= SEGMENT_EACH_MAX: time is 26 times its square */
    bool season;        /* look for one and take it out */
};
/* The one that everybody gets. Its neighbours score alike (query/README.md), so it is not balanced on a needle. */
static const struct changepoints_setting changepoints_default = {0.07, 2, 3, 1000, true};

/* Indices of the first observation of each new segment, ascending; out has room for n. NAN = missing. Returns how many.
 */
size_t changepoints(const double *y, size_t n, uint32_t *out);
size_t changepoints_with(const double *y, size_t n, const struct changepoints_setting *s, uint32_t *out);
/* A series as text: {"series":[{"raw":[…]}]} or one number a line (blank or null = missing). *y is malloc'd. */
LQ_MUST enum lq_err changepoints_parse(lq_str text, double **y, size_t *n, struct lq_error *e);

#endif
