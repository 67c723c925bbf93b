/*
 * changepoints_grid.c - change points of a series under settings around the one in use, for cross-validation. usage:
 * changepoints_grid FILE
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "query/change/changepoints.h"

static enum lq_err slurp(const char *path, struct lq_buf *text)
{
    FILE *f = fopen(path, "rb");
    size_t got = 0;
    if (f == NULL) {
        return LQ_EIO;
    }
    do {
        lq_buf_reserve(text, 1 << 16);
        got = fread(text->p + text->n, 1, 1 << 16, f);
        text->n += got;
    } while (got > 0);
    fclose(f);
    return LQ_OK;
}

int main(int argc, char **argv)
{
    static const double resolutions[] = {0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1}, cuts[] = {1.5, 2, 2.5, 3, 4},
                        slopes[] = {1, 2, 3, 4};
    struct lq_buf text = {0};
    struct lq_error e = {0};
    double *y = NULL;
    size_t n = 0;
    if (argc != 2 || slurp(argv[1], &text) != LQ_OK ||
        changepoints_parse((lq_str){text.p, text.n}, &y, &n, &e) != LQ_OK) {
        fputs("usage: changepoints_grid FILE\n", stderr);
        return 2;
    }
    uint32_t *at = lq_alloc((n + 1) * sizeof *at);
    for (size_t r = 0; r < sizeof resolutions / sizeof *resolutions; r++) {
        for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
            for (size_t s = 0; s < sizeof slopes / sizeof *slopes; s++) {
                struct changepoints_setting setting = changepoints_default;
                setting.resolution = resolutions[r];
                setting.cut_price = cuts[c];
                setting.slope_price = slopes[s];
                size_t k = changepoints_with(y, n, &setting, at);
                printf("%g %g %g:", setting.resolution, setting.cut_price, setting.slope_price);
                for (size_t i = 0; i < k; i++) {
                    printf(" %u", at[i]);
                }
                puts("");
            }
        }
    }
    free(at);
    free(y);
    lq_buf_fini(&text);
    return 0;
}
