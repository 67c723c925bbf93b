/*
 * segment.h - exact penalised segmentation: where to cut a series so that cost plus penalty per segment is least
 *
 * The sum over segments of (cost of the segment at its own best parameters + penalty) is minimised exactly, over every
 * number and place of cuts. Costs are -2 log likelihood up to a constant, so a penalty of `k log n` charges k
 * parameters by the Bayesian information criterion.
 *
 * | model        | y              | w                       | a segment's own           | how |
 * |--------------|----------------|-------------------------|---------------------------|------------------------------------------------------------|
 * | LEVEL        | value          | 1 / variance            | mean                      | functional pruning
 * (Maidstone, Hocking, Rigaill, Fearnhead | |              |                |                         | | 2017: FPOP) |
 * | ROBUST       | value          | 1 / variance            | mean, biweight loss: a    | the same, Fearnhead, Rigaill
 * 2019 (one outlier costs at    | |              |                |                         | point costs <= outlier^2
 * | most outlier^2, so it never pays for two cuts)             | | COUNT        | events         | exposure | Poisson
 * rate              | functional pruning (gfpop: Runge et al. 2023)              | | OVERCOUNT    | events         |
 * exposure x size         | negative binomial rate of | the same: events are successes, size the failures          | |
 * |                |                         | known size per exposure   | | | SHARE        | successes      | trials
 * | binomial share            | the same                                                   | | LINE         | value | 1
 * / variance            | level and slope           | optimal partitioning (Jackson et al. 2005) with inequality | | |
 * |                         |                           | pruning (PELT: Killick, Fearnhead, Eckley 2012)            |
 * | DISTRIBUTION | -              | -                       | every bin's probability   | the same on the cumulative
 * bins (ED-PELT: Zou et al. 2014, | |              |                |                         | | Haynes, Fearnhead,
 * Eckley 2017)                            |
 *
 * w = 0 means missing: the point costs nothing, and no segment starts at it. Over-dispersed counts and shares
 * (quasi-likelihood, beta-binomial by deflated trials) are written as smaller y and w: a cost over the dispersion is
 * the cost of counts over the dispersion.
 *
 * Pure: no allocation is kept, the same bytes for the same input. Time: functional pruning is O(n log n) in practice,
 * also for a series that never changes, where inequality pruning cuts nothing off and is O(n^2).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_SEGMENT_H
#define LQ_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

enum segment_model {
    SEGMENT_LEVEL,
    SEGMENT_ROBUST,
    SEGMENT_COUNT,
    SEGMENT_OVERCOUNT,
    SEGMENT_SHARE,
    SEGMENT_LINE,
    SEGMENT_DISTRIBUTION
};

struct segment_input {
    enum segment_model model;
    size_t n;
    const double *y, *w;
    double penalty;     /* per segment */
    double outlier;     /* ROBUST: in standard deviations */
    size_t length_min;  /* LINE, DISTRIBUTION: fewest points of a segment; 0 = 1 */
    const double *bins; /* DISTRIBUTION: n rows of n_bins counts */
    size_t n_bins;
};

/* starts[0] = 0, then the first index of each further segment, ascending; room for n. Returns the number of segments (0
 * for n = 0). *total, if not NULL, is the least cost, penalties of all segments but the first included. */
size_t segment(const struct segment_input *in, uint32_t *starts, double *total);

/* The cost of points [from, to) as one segment, at its best parameters. O(to - from) except ROBUST: O(n log n). */
double segment_cost(const struct segment_input *in, size_t from, size_t to);

/*
 * The best segmentations into exactly 1, 2, ... most segments, by segment neighbourhood (Auger, Lawrence 1989): for
 * when the penalty can only be named once the residuals are seen. A segment is a level, or a line when that saves more
 * than in->penalty (the price of a slope). in->model is LINE. cost[j - 1] and the j starts at starts + (j - 1) * most
 * belong to j segments. Returns how many exist (length_min may allow fewer). O(most n^2) time, 8 n^2 bytes of memory
 * while it runs: n is at most SEGMENT_EACH_MAX.
 */
enum { SEGMENT_EACH_MAX = 1200 };
size_t segment_each(const struct segment_input *in, size_t most, double *cost, uint32_t *starts);

#endif
