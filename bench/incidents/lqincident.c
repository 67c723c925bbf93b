/*
 * lqincident.c - one labelled incident as log files and its truth, the same bytes for the same arguments
 *
 *      lqincident --kind NAME --seed N [--lines-max N] DIR      DIR/…log files, DIR/truth.json
 *      lqincident --list                        kind, tune or held-out, what it is
 *
 * A case in which too little of the incident can be seen is drawn again with more traffic (at most three times).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/incidents/plan.h"

enum { PLANTED_MIN = 25, DRAWS_MAX = 4, LINES_MAX = 160000 /* keeps a case under a second from generator to answer */ };

/* The planted failures must stand out of the others by far: nobody is asked to see what is not there. */
static bool visible(const struct plan *p)
{
    for (unsigned i = 0; i < p->n_effects; i++) {
        if (p->effects[i].harm) {
            return p->planted >= PLANTED_MIN && (double)p->planted > 8 * sqrt((double)p->others + 1);
        }
    }
    return true;
}

static int generate(const struct kind *k, uint64_t seed, uint64_t lines_max, const char *dir)
{
    static struct world w;
    static struct plan p;
    double more = 1;
    for (unsigned draw = 0; draw < DRAWS_MAX; draw++) {
        uint64_t h = 1469598103934665603U; /* a kind's seeds are its own */
        for (const char *c = k->name; *c != '\0'; c++) {
            h = (h ^ (unsigned char)*c) * 1099511628211U;
        }
        world_draw(&w, seed ^ h, (double)lines_max * more);
        w.requests_per_hour *= more;
        memset(&p, 0, sizeof p);
        p.w = &w;
        p.draw = draw;
        k->plant(&p);
        plan_finish(&p);
        if (simulate(&p, dir) != 0) {
            return 3;
        }
        if (visible(&p)) {
            break;
        }
        more *= 2;
    }
    return truth_write(&p, k, seed, dir) == 0 ? 0 : 3;
}

static int usage(FILE *f)
{
    fputs("usage: lqincident --kind NAME --seed N [--lines-max N] DIR\n       lqincident --list\n", f);
    return f == stdout ? 0 : 2;
}

static uint64_t number(const char *flag, const char *text)
{
    char *end;
    errno = 0;
    uint64_t n = strtoull(text, &end, 10);
    if (*end != '\0' || end == text || errno != 0) {
        fprintf(stderr, "lqincident: %s wants a number, not \"%s\"\n", flag, text);
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    const char *name = NULL, *dir = NULL;
    uint64_t seed = 0, lines_max = LINES_MAX;
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--help") == 0) {
            return usage(stdout);
        } else if (strcmp(argv[i], "--list") == 0) {
            for (unsigned k = 0; k < n_kinds; k++) {
                printf("%s\t%s\t%s\n", kinds[k].name, kinds[k].held_out ? "held-out" : "tune", kinds[k].text);
            }
            return 0;
        } else if (has_value && strcmp(argv[i], "--kind") == 0) {
            name = argv[++i];
        } else if (has_value && strcmp(argv[i], "--seed") == 0) {
            seed = number(argv[i], argv[i + 1]);
            i++;
        } else if (has_value && strcmp(argv[i], "--lines-max") == 0) {
            lines_max = number(argv[i], argv[i + 1]);
            i++;
        } else if (argv[i][0] != '-' && dir == NULL) {
            dir = argv[i];
        } else {
            fprintf(stderr, "lqincident: unexpected argument \"%s\"\n", argv[i]);
            return usage(stderr);
        }
    }
    if (name == NULL || dir == NULL) {
        return usage(stderr);
    }
    for (unsigned k = 0; k < n_kinds; k++) {
        if (strcmp(kinds[k].name, name) == 0) {
            if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
                fprintf(stderr, "lqincident: cannot create %s: %s\n", dir, strerror(errno));
                return 3;
            }
            return generate(&kinds[k], seed, lines_max, dir);
        }
    }
    fprintf(stderr, "lqincident: no kind \"%s\"; lqincident --list names them\n", name);
    return 2;
}
