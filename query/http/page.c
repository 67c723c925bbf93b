/*
 * page.c - / and /assets/HASH/NAME (page.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/http/page.h"
#include "query/http/ask.h"

static const struct page_file *find(lq_str name)
{
    for (const struct page_file *f = page_files; f->name != NULL; f++) {
        if (lq_str_is(name, f->name)) {
            return f;
        }
    }
    return NULL;
}

static void print_file(const struct page_file *f, struct http_response *o)
{
    o->type = f->type;
    fwrite(f->data, 1, f->n, o->out);
}

static enum lq_err page_index(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    const struct page_file *f = find(LQ_STR("index.html"));
    (void)ctx;
    (void)r;
    if (f == NULL) {
        lq_error_set(e, LQ_ENOENT, "this program was built without its page (npm was not there)");
        lq_error_hint(e, "the API is at /api/v1/lq/why, /api/v1/lq/query and so on");
        return LQ_ENOENT;
    }
    print_file(f, o);
    return LQ_OK;
}

static enum lq_err page_asset(void *ctx, const struct http_request *r, struct http_response *o, struct lq_error *e)
{
    size_t n = strlen(page_hash);
    const struct page_file *f = NULL;
    (void)ctx;
    if (r->tail.n > n + 1 && memcmp(r->tail.p, page_hash, n) == 0 && r->tail.p[n] == '/') {
        f = find((lq_str){r->tail.p + n + 1, r->tail.n - n - 1});
    }
    if (f == NULL) {
        return lq_error_set(e, LQ_ENOENT, "there is nothing at this address");
    }
    o->cacheable = true;
    print_file(f, o);
    return LQ_OK;
}

const struct http_route page_routes[] = {
    {HTTP_GET, "/", HTTP_OPEN, page_index, "the page"},
    {HTTP_GET, "/assets/*", HTTP_OPEN, page_asset, "its parts"},
    {0, NULL, HTTP_OPEN, NULL, NULL},
};
