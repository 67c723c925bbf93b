/*
 * lqbench.c - the parts of lq, each on its own: nanoseconds of processor time per operation, the median of REPETITIONS
 *
 *      lqbench [NAME…]     rows whose name contains one of the words
 *
 * Inputs are made here, the same in each run. Figures of one run may be compared with each other; machines drift.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "schema/format.h"
#include "schema/json_scan.h"
#include "schema/lower.h"
#include "store/fold.h"
#include "store/fragment_build.h"
#include "store/reader.h"
#include "store/window.h"

enum { REPETITIONS = 7, LINES = 4096, ROUTES = 300, CLIENTS = 20000, OBSERVATIONS = 100000, HOURS = 3 };

static uint64_t state = 42;
static uint64_t draw(void)
{
    state = state * 6364136223846793005U + 1442695040888963407U;
    uint64_t z = state ^ state >> 33;
    return (z * 0xff51afd7ed558ccdU) >> 16;
}

static volatile uint64_t sink; /* results go here, so that nothing is left out */

/* ---- inputs ---- */

static char *text; /* LINES lines of an access log */
static size_t text_n;
static lq_str lines[LINES];
static const char pattern[] = "^(?<client>\\S+) \\S+ (?<user>\\S+) \\[(?<time>[^\\]]+)\\] \"(?:(?<method>[A-Z]+) "
                              "(?<target>[^ \"]+)(?: [^\"]*)?)\" "
                              "(?<status>\\d{3}) (?<bytes>\\d+|-) \"(?<referrer>[^\"\\\\]*(?:\\\\.[^\"\\\\]*)*)\" "
                              "\"(?<agent>[^\"\\\\]*(?:\\\\.[^\"\\\\]*)*)\" (?<request_time>\\d+\\.\\d+)$";

static void make_lines(void)
{
    static const char *const agents[] = {"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                                         "curl/8.5.0",
                                         "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 "
                                         "(KHTML, like Gecko) Mobile/15E148"};
    struct lq_buf b = {0};
    size_t at[LINES + 1];
    for (unsigned i = 0; i < LINES; i++) {
        uint64_t z = draw();
        at[i] = b.n;
        lq_buf_printf(&b,
                      "10.%u.%u.%u - - [02/Mar/2026:10:%02u:%02u +0000] \"GET /api/items/r%u HTTP/1.1\" %s %u "
                      "\"https://shop.example/\" \"%s\" 0.%03u\n",
                      (unsigned)(z % 4), (unsigned)(z >> 4 & 63), (unsigned)(z >> 10 & 63), i * 60 / LINES, i % 60,
                      (unsigned)(z >> 16) % ROUTES, (z >> 30) % 50 == 0 ? "500" : "200", (unsigned)(z >> 20 & 0xffff),
                      agents[z % 3], (unsigned)(z >> 8) % 1000);
    }
    at[LINES] = b.n;
    text = b.p;
    text_n = b.n;
    for (unsigned i = 0; i < LINES; i++) {
        lines[i] = (lq_str){text + at[i], at[i + 1] - at[i] - 1};
    }
}

/* ---- measuring ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

typedef uint64_t bench_fn(void); /* returns the number of operations */

static void run(const char *name, bench_fn *fn)
{
    double ns[REPETITIONS];
    for (int i = -1; i < REPETITIONS; i++) { /* the first one warms up */
        uint64_t n = 0;
        int64_t t = cpu_ns(), took = 0;
        while (took < 20000000) {
            n += fn();
            took = cpu_ns() - t;
        }
        if (i >= 0) {
            ns[i] = (double)took / (double)n;
        }
    }
    qsort(ns, REPETITIONS, sizeof ns[0], by_value);
    printf("%-44s %10.2f ns   (%.2f to %.2f)\n", name, ns[REPETITIONS / 2], ns[0], ns[REPETITIONS - 1]);
    fflush(stdout);
}

/* ---- schema ---- */

static struct lower *lower;
static struct lq_regex *regex;
static struct format_set *formats;
static struct parser *parsers[3]; /* plain, remembering, PCRE2 */
static struct memo *memo;

static uint64_t bench_scan(void)
{
    uint64_t n = 0;
    for (const char *p = text, *end = text + text_n; p < end; n++) {
        p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
    }
    sink += n;
    return n;
}

static uint64_t bench_lower(void)
{
    uint32_t spans[2 * (LOWER_GROUPS_MAX + 1)];
    for (unsigned i = 0; i < LINES; i++) {
        sink += lower_match(lower, lines[i], spans);
    }
    return LINES;
}

static uint64_t bench_pcre2(void)
{
    for (unsigned i = 0; i < LINES; i++) {
        sink += lq_regex_match(regex, lines[i]);
    }
    return LINES;
}

static uint64_t parse_all(struct parser *p)
{
    struct record r;
    for (unsigned i = 0; i < LINES; i++) {
        sink += parser_parse(p, lines[i], &r) == PARSE_OK;
    }
    return LINES;
}

static uint64_t bench_parse_plain(void)
{
    return parse_all(parsers[0]);
}

static uint64_t bench_parse_memo(void)
{
    return parse_all(parsers[1]);
}

static uint64_t bench_parse_pcre2(void)
{
    return parse_all(parsers[2]);
}

static uint64_t stamps(bool same_minute)
{
    static struct time_layout *layout;
    if (layout == NULL && time_layout_compile("clf", &layout, NULL) != LQ_OK) {
        exit(1);
    }
    struct time_parser p = {.layout = layout};
    int64_t us;
    char s[] = "02/Mar/2026:10:00:00 +0000";
    for (unsigned i = 0; i < 6000; i++) {
        unsigned minute = same_minute ? 0 : i % 60;
        s[15] = (char)('0' + minute / 10);
        s[16] = (char)('0' + minute % 10);
        s[18] = (char)('0' + i % 6);
        sink += time_parse(&p, (lq_str){s, sizeof s - 1}, &us, NULL) ? (uint64_t)us : 0;
    }
    return 6000;
}

static uint64_t bench_stamp_cached(void)
{
    return stamps(true);
}

static uint64_t bench_stamp(void)
{
    return stamps(false);
}

static const char fallback_format[] =
    "name: by_pcre2\nrecords: requests\npattern: '%s(?=$)'\ntime: {field: time, layout: clf}\nfields:\n"
    "  client: {role: identity}\n  user: {role: ignore}\n  time: {role: ignore}\n  method: {role: dimension}\n"
    "  target: {role: ignore}\n  status: {role: dimension, type: int}\n  bytes: {role: measure, type: bytes}\n"
    "  referrer: {role: ignore}\n  agent: {role: ignore}\n  request_time: {role: measure, type: seconds}\n"
    "derive:\n  route: {route: target}\n  status_class: {status_class: status}\n"
    "  session_end: {session_end: status, target: target, method: method, user: user, referrer: referrer}\n"
    "error: 'status >= 500'\nmarkers:\n"
    "  - {kind: release, when: 'route ~ \"[.]\\{hash\\}[.](js|css|mjs)$\" and status in (200, 206, 304)', name: target, version_of: "
    "route, confidence: 55}\n"
    "sketch_by: [route, host, version]\n";

static struct parser *parser_for(const char *name, struct memo *m)
{
    struct parser_config c = {.reference_us = 1772445600000000, .memo = m};
    struct parser *p = NULL;
    struct lq_error e = {0};
    if (format_set_find(formats, name, &c.format, &e) != LQ_OK || parser_new(&c, &p, &e) != LQ_OK) {
        fprintf(stderr, "lqbench: %s\n", e.msg);
        exit(1);
    }
    return p;
}

/* JSON lines of an application, about 300 bytes, each with texts and numbers of its own; six fields are taken, two of them nested. */
enum { JSON_LINES = 4096, JSON_FIELDS = 6 };
static struct lq_buf json_text, json_scratch;
static lq_str json_lines[JSON_LINES];
static struct json_paths *json_paths;

static void json_init(void)
{
    static const char *const levels[] = {"info", "warn", "error", "debug"}, *const routes[] = {"/api/orders", "/login", "/search", "/cart/items", "/"};
    static const char *const paths[JSON_FIELDS] = {"time", "level", "service", "request.path", "request.status", "message"};
    size_t at[JSON_LINES + 1];
    uint64_t x = 88172645463325252U;
    for (unsigned i = 0; i < JSON_LINES; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        unsigned a = (unsigned)(x & 0xffff), b = (unsigned)(x >> 16 & 0xffff);
        at[i] = json_text.n;
        lq_buf_printf(&json_text, "{\"time\":\"2026-03-02T10:%02u:%02u.%03uZ\",\"level\":\"%s\",\"logger\":\"com.acme.orders.Service%u\",\"host\":\"web-%u.example.net\",\"service\":\"shop-web\",", a % 60, b % 60, a % 1000,
                      levels[a % 4], b % 9, a % 12);
        lq_buf_printf(&json_text, "\"request\":{\"method\":\"GET\",\"path\":\"%s/%u\",\"status\":%u},\"duration_ms\":%u.%u,%s\"message\":\"order %u accepted for customer %u%s\"}", routes[b % 5], a, 200 + a % 5 * 100, b % 900,
                      a % 10, a % 3 == 0 ? "\"retry\":true," : "", a * 7, b * 3, b % 8 == 0 ? " \\\"again\\\"" : "");
    }
    at[JSON_LINES] = json_text.n;
    for (unsigned i = 0; i < JSON_LINES; i++) {
        json_lines[i] = (lq_str){json_text.p + at[i], at[i + 1] - at[i]};
    }
    json_paths = json_paths_new(paths, JSON_FIELDS);
}

static uint64_t json_round(bool bytes)
{
    struct json_value v[JSON_FIELDS];
    size_t at;
    for (unsigned i = 0; i < JSON_LINES; i++) {
        lq_buf_clear(&json_scratch);
        sink += json_scan(json_paths, json_lines[i], v, &json_scratch, &at) + v[3].text.n;
    }
    return bytes ? json_text.n : JSON_LINES;
}

static uint64_t bench_json_line(void)
{
    return json_round(false);
}

static uint64_t bench_json_byte(void)
{
    return json_round(true);
}

static void schema_init(void)
{
    struct lq_buf yaml = {0};
    struct lq_error e = {0};
    make_lines();
    json_init();
    lq_buf_printf(&yaml, fallback_format, pattern);
    lower = lower_new(lq_str_of(pattern));
    if (lower == NULL || lq_regex_new(lq_str_of(pattern), &regex, &e) != LQ_OK ||
        format_set_load(NULL, 0, &formats, &e) != LQ_OK ||
        format_set_add_text(formats, "by_pcre2.yaml", (lq_str){yaml.p, yaml.n}, &e) != LQ_OK) {
        fprintf(stderr, "lqbench: %s\n", e.msg);
        exit(1);
    }
    memo = memo_new();
    parsers[0] = parser_for("combined_time", NULL);
    parsers[1] = parser_for("combined_time", memo);
    parsers[2] = parser_for("by_pcre2", NULL);
    lq_buf_fini(&yaml);
}

/* ---- store ---- */

static int64_t values[OBSERVATIONS], bytes_of[OBSERVATIONS], times[OBSERVATIONS];
static uint32_t series_of[OBSERVATIONS], client_of[OBSERVATIONS], marginals[ROUTES * 2 * 3];
static uint8_t both_set[OBSERVATIONS], error_of[ROUTES * 2];
static uint64_t hashes[CLIENTS + 1];
static struct fragment cells[2];
static struct lq_buf encoded;
static struct fragment_encoder *encoder;

static void keep_first_cells(void *ctx, int tier, int section, int64_t start, const struct fragment *f)
{
    struct fragment *to = ctx;
    (void)start;
    if (tier == TIER_1MIN && section == FOLD_CELLS && to->rows == 0) {
        fragment_merge(&f, 1, to);
    }
    sink += f->rows;
}

static void drop_heavy(void *ctx, uint32_t no, bool error, int64_t hour, const struct heavy_count *c, size_t n,
                       uint64_t total)
{
    (void)ctx;
    (void)no;
    (void)error;
    (void)hour;
    (void)c;
    sink += n + total;
}

static void fold_all(struct fragment *keep)
{
    struct observations o = {.n = OBSERVATIONS,
                             .series = series_of,
                             .time_s = times,
                             .n_measures = 2,
                             .measures = {values, bytes_of},
                             .measure_set = both_set,
                             .n_identities = 1,
                             .identities = {client_of},
                             .identity_hashes = {hashes},
                             .identity_count = {CLIENTS + 1}};
    struct fold_series s = {error_of, 3, marginals};
    struct fold_limits l = {.tier_from_s = {INT64_MAX, INT64_MIN, INT64_MIN}, .bucket_cells_max = UINT32_MAX};
    static struct folder *folder;
    folder = folder != NULL ? folder : folder_new();
    struct fold_sink out = {folder, keep, keep_first_cells, drop_heavy};
    uint64_t overflowed;
    fold(&o, &s, &l, &out, 1, &overflowed);
}

static void store_init(void)
{
    for (uint32_t i = 0; i < OBSERVATIONS; i++) {
        uint64_t z = draw();
        times[i] = 1772445600 + (int64_t)i * HOURS * 3600 / OBSERVATIONS;
        series_of[i] = (uint32_t)(z % ROUTES) * 2 + ((z >> 20) % 50 == 0);
        values[i] = (int64_t)(z >> 12 & 0xfffff);
        bytes_of[i] = (int64_t)(z >> 24 & 0xffff);
        client_of[i] = 1 + (uint32_t)(z >> 8) % CLIENTS;
        both_set[i] = 3;
    }
    for (uint32_t i = 0; i < ROUTES * 2; i++) {
        error_of[i] = i & 1;
        marginals[i * 3] = i & 1;
        marginals[i * 3 + 1] = 2 + (i & 1);
        marginals[i * 3 + 2] = 4 + i;
    }
    for (uint32_t i = 0; i <= CLIENTS; i++) {
        hashes[i] = lq_hash(&i, sizeof i, 0);
    }
    fold_all(&cells[0]);
    encoder = fragment_encoder_new();
    fragment_encode_with(encoder, &cells[0], &encoded);
    const struct fragment *one = &cells[0];
    fragment_merge(&one, 1, &cells[1]);
}

static uint64_t bench_bin(void)
{
    for (uint32_t i = 0; i < OBSERVATIONS; i++) {
        sink += (uint64_t)sketch_bin(values[i]);
    }
    return OBSERVATIONS;
}

static uint64_t bench_quantile(void)
{
    struct bin bins[400];
    for (int i = 0; i < 400; i++) {
        bins[i] = (struct bin){i * 3, 7};
    }
    for (int i = 0; i < 100; i++) {
        sink += (uint64_t)sketch_quantile(bins, 400, 0.99, 0, 100000);
    }
    return 100;
}

static uint64_t bench_entry(void)
{
    for (uint32_t i = 0; i <= CLIENTS; i++) {
        sink += distinct_entry(hashes[i]);
    }
    return CLIENTS + 1;
}

static uint64_t bench_distinct_merge(void)
{
    uint32_t a[1000], b[1000], out[2000];
    for (uint32_t i = 0; i < 1000; i++) {
        a[i] = (i * 4) << 6 | 3;
        b[i] = (i * 4 + i % 2) << 6 | 5;
    }
    for (int i = 0; i < 20; i++) {
        sink += distinct_merge(a, 1000, b, 1000, out);
    }
    return 20 * 2000;
}

static uint64_t bench_estimate(void)
{
    uint32_t a[1000];
    for (uint32_t i = 0; i < 1000; i++) {
        a[i] = (i * 4) << 6 | (1 + i % 7);
    }
    for (int i = 0; i < 20; i++) {
        sink += (uint64_t)distinct_estimate(a, 1000);
    }
    return 20;
}

static uint64_t bench_fold(void)
{
    struct fragment none = {.rows = 1};
    fold_all(&none);
    return OBSERVATIONS;
}

static uint64_t bench_encode(void)
{
    struct lq_buf b = {0};
    fragment_encode_with(encoder, &cells[0], &b);
    sink += b.n;
    lq_buf_fini(&b);
    return cells[0].rows;
}

static uint64_t decode(unsigned what)
{
    struct fragment f;
    if (fragment_decode(encoded.p, encoded.n, what, &f) != LQ_OK) {
        exit(1);
    }
    sink += f.rows;
    uint64_t rows = f.rows;
    fragment_fini(&f);
    return rows;
}

static uint64_t bench_decode_counts(void)
{
    return decode(FRAGMENT_COUNTS);
}

static uint64_t bench_decode_all(void)
{
    return decode(FRAGMENT_ALL);
}

static uint64_t bench_merge(void)
{
    const struct fragment *in[2] = {&cells[0], &cells[1]};
    struct fragment out;
    fragment_merge(in, 2, &out);
    sink += out.rows;
    fragment_fini(&out);
    return 2 * (uint64_t)cells[0].rows;
}

static struct store *store;

static void fill_store(void)
{
    struct lq_error e = {0};
    struct window *w = NULL;
    struct stream_use *u = NULL;
    struct record r;
    if (store_open("", &(struct store_options){.temporary = true}, &store, &e) != LQ_OK ||
        window_new(store, &w, &e) != LQ_OK || stream_use_open(store, parser_schema(parsers[1]), &u, &e) != LQ_OK) {
        fprintf(stderr, "lqbench: %s\n", e.msg);
        exit(1);
    }
    for (int hour = 0; hour < 24 * 7; hour++) {
        for (unsigned i = 0; i < LINES; i += 2) {
            if (parser_parse(parsers[1], lines[i], &r) == PARSE_OK) {
                r.time_us += (int64_t)hour * 3600000000;
                window_observe(w, u, &r);
            }
        }
    }
    if (store_flush(store, &w, 1, NULL, 0, NULL, 0, 1, &e) != LQ_OK) {
        fprintf(stderr, "lqbench: %s\n", e.msg);
        exit(1);
    }
    window_free(&w);
    stream_use_close(&u);
}

static uint64_t bench_observe(void)
{
    static struct window *w;
    static struct stream_use *u;
    struct record r;
    uint64_t n = 0;
    if (w == NULL && (window_new(store, &w, NULL) != LQ_OK ||
                      stream_use_open(store, parser_schema(parsers[1]), &u, NULL) != LQ_OK)) {
        exit(1);
    }
    for (unsigned i = 0; i < LINES; i++) {
        if (parser_parse(parsers[1], lines[i], &r) == PARSE_OK) {
            window_observe(w, u, &r);
            n++;
        }
    }
    if (window_observations(w) > WINDOW_OBSERVATIONS) {
        window_clear(w);
    }
    return n;
}

static uint64_t scan(enum section section, unsigned what)
{
    struct snapshot *snap = NULL;
    struct scan *c = NULL;
    const struct fragment *f = NULL;
    int64_t period;
    uint64_t rows = 0;
    if (snapshot_open(store, &snap, NULL) != LQ_OK ||
        scan_open(snap, 0, TIER_1MIN, section, INT64_MIN / 4, INT64_MAX / 4, what, &c, NULL) != LQ_OK) {
        exit(1);
    }
    while (scan_next(c, &f, &period, NULL) == LQ_OK && f != NULL) {
        rows += f->rows;
    }
    scan_close(&c);
    snapshot_close(&snap);
    sink += rows;
    return rows;
}

static uint64_t bench_cursor_totals(void)
{
    return scan(SECTION_TOTALS, FRAGMENT_COUNTS);
}

static uint64_t bench_cursor_cells(void)
{
    return scan(SECTION_CELLS, FRAGMENT_COUNTS);
}

static uint64_t bench_cursor_all(void)
{
    return scan(SECTION_CELLS, FRAGMENT_ALL);
}

static const struct {
    const char *name;
    bench_fn *fn;
} benches[] = {
    {"line scan (memchr), a line", bench_scan},
    {"match, scanner, a line", bench_lower},
    {"match, PCRE2 JIT, a line", bench_pcre2},
    {"parse to a record, scanner", bench_parse_plain},
    {"parse to a record, scanner, remembered", bench_parse_memo},
    {"parse to a record, PCRE2 JIT", bench_parse_pcre2},
    {"parse and observe, remembered", bench_observe},
    {"JSON scan, six fields, a line", bench_json_line},
    {"JSON scan, six fields, a byte", bench_json_byte},
    {"time stamp, same minute", bench_stamp_cached},
    {"time stamp, other minutes", bench_stamp},
    {"sketch: bin of a value", bench_bin},
    {"sketch: p99 of 400 bins", bench_quantile},
    {"distinct: entry of a hash", bench_entry},
    {"distinct: merge, an entry", bench_distinct_merge},
    {"distinct: estimate of 1000 entries", bench_estimate},
    {"fold, an observation", bench_fold},
    {"fragment encode, a cell", bench_encode},
    {"fragment decode, counts, a cell", bench_decode_counts},
    {"fragment decode, all, a cell", bench_decode_all},
    {"fragment merge, a cell", bench_merge},
    {"cursor scan, totals of a week, a row", bench_cursor_totals},
    {"cursor scan, counts of a week, a cell", bench_cursor_cells},
    {"cursor scan, all of a week, a cell", bench_cursor_all},
};

static bool wanted(const char *name, char **words, int n)
{
    bool any = n == 0;
    for (int i = 0; i < n; i++) {
        any = any || strstr(name, words[i]) != NULL;
    }
    return any;
}

int main(int argc, char **argv)
{
    schema_init();
    store_init();
    fill_store();
    for (size_t i = 0; i < sizeof benches / sizeof benches[0]; i++) {
        if (wanted(benches[i].name, argv + 1, argc - 1)) {
            run(benches[i].name, benches[i].fn);
        }
    }
    store_close(&store);
    return 0;
}
