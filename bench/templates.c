/*
 * templates.c - grouping accuracy of template mining on labelled logs, and its speed
 *
 * usage: templates DIR [--wrong]      DIR has SYSTEM/SYSTEM_2k.log_structured.csv (logpai/loghub)
 *
 * A line counts when its group is exactly the group of its true template. One setting for every system: the masks of derive_shape, from the line
 * alone. --wrong prints the groups that are not right.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema/csv.h"
#include "schema/derive.h"
#include "schema/timefmt.h"

enum { LINES_MAX = 4000, COLUMNS = 32 };

struct set {
    char *text[LINES_MAX];
    uint32_t truth[LINES_MAX], group[LINES_MAX], n, bytes;
    struct lq_map truths, groups;
    const char *shape[LINES_MAX];
};

static uint32_t number(struct lq_map *m, lq_str key)
{
    uint32_t v = lq_map_get(m, key);
    if (v == LQ_MAP_NONE) {
        v = m->n;
        lq_map_set(m, key, v);
    }
    return v;
}

static bool read_set(const char *path, struct set *s)
{
    FILE *f = fopen(path, "rb");
    char line[65536];
    int content = -1, event = -1;
    struct lq_buf scratch = {0};
    if (f == NULL) {
        return false;
    }
    while (fgets(line, sizeof line, f) != NULL && s->n < LINES_MAX) {
        lq_str rest = {line, strcspn(line, "\r\n")}, cells[COLUMNS];
        bool more = true;
        int n = 0;
        lq_buf_clear(&scratch);
        lq_buf_reserve(&scratch, rest.n + 1);
        while (more && n < COLUMNS && csv_next(&rest, ',', &scratch, &cells[n], &more)) {
            n++;
        }
        if (content < 0) {
            for (int i = 0; i < n; i++) {
                content = lq_str_is(cells[i], "Content") ? i : content;
                event = lq_str_is(cells[i], "EventId") ? i : event;
            }
        } else if (content < n && event < n) {
            s->text[s->n] = lq_strdup(cells[content]);
            s->bytes += (uint32_t)cells[content].n;
            s->truth[s->n++] = number(&s->truths, cells[event]);
        }
    }
    fclose(f);
    lq_buf_fini(&scratch);
    return s->n > 0;
}

static double score(struct set *s, bool print)
{
    uint32_t right = 0;
    char scratch[SHAPE_BYTES_MAX + 8];
    for (uint32_t i = 0; i < s->n; i++) {
        lq_str shape = derive_shape(lq_str_of(s->text[i]), scratch);
        s->group[i] = number(&s->groups, shape);
        s->shape[i] = lq_strdup(shape);
    }
    for (uint32_t i = 0; i < s->n; i++) {
        bool same = true, first = true;
        for (uint32_t k = 0; k < s->n && same; k++) {
            same = (s->group[i] == s->group[k]) == (s->truth[i] == s->truth[k]);
            first = first && !(k < i && s->group[i] == s->group[k]);
        }
        right += same;
        if (!same && print && first) {
            printf("  %4u  %s\n        %s\n", s->truth[i], s->text[i], s->shape[i]);
        }
    }
    return (double)right / s->n;
}

int main(int argc, char **argv)
{
    static const char *const systems[] = {"Spark", "BGL", "Thunderbird", "Android", "Apache", "Mac"};
    double sum = 0;
    const char *only = argc > 2 ? argv[2] : "";
    if (argc < 2) {
        fprintf(stderr, "usage: templates DIR [SYSTEM]   (with SYSTEM: what is grouped wrongly)\n");
        return 2;
    }
    printf("%-12s %8s %8s %8s %12s\n", "system", "GA", "groups", "true", "M lines/s");
    for (size_t i = 0; i < 6; i++) {
        char path[4096];
        struct set *s = lq_alloc(sizeof *s);
        snprintf(path, sizeof path, "%s/%s/%s_2k.log_structured.csv", argv[1], systems[i], systems[i]);
        if (!read_set(path, s)) {
            fprintf(stderr, "templates: cannot read %s\n", path);
            return 3;
        }
        double ga = score(s, strcmp(only, systems[i]) == 0);
        int64_t from = clock_monotonic_us();
        char scratch[SHAPE_BYTES_MAX + 8];
        size_t sink = 0;
        for (int round = 0; round < 100; round++) {
            for (uint32_t k = 0; k < s->n; k++) {
                sink += derive_shape(lq_str_of(s->text[k]), scratch).n;
            }
        }
        double seconds = (double)(clock_monotonic_us() - from) / 1e6;
        printf("%-12s %8.4f %8u %8u %12.2f\n", systems[i], ga, s->groups.n, s->truths.n, sink > 0 ? 100.0 * s->n / 1e6 / seconds : 0);
        sum += ga;
    }
    printf("%-12s %8.4f\n", "mean", sum / 6);
    return 0;
}
