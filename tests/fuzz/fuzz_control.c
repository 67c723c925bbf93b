/*
 * fuzz_control.c - bytes of the control socket: frames, fields, requests; whatever they are, a request is within its limits
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdlib.h>

#include "ingest/control_request.h"

static void check(const struct control_request *r, enum request_step step)
{
    LQ_ASSERT(r->n_files <= CONTROL_FILES_MAX && r->labels.n <= LABEL_MAX && r->threads <= 60);
    for (size_t i = 0; i < r->n_files; i++) {
        LQ_ASSERT(r->files[i].fd >= 0 && r->files[i].path[0] != '\0' && strlen(r->files[i].path) <= CONTROL_PATH_MAX);
    }
    if (step == REQUEST_READY) {
        LQ_ASSERT(r->kind == CONTROL_MARK ? r->marker.kind.n > 0 && r->marker.name.n > 0 : r->kind == CONTROL_LOAD && r->n_files > 0);
    }
}

/* Every fourth file arrives without its descriptor. */
static int descriptor(enum control_type t, unsigned turn)
{
    return t == CONTROL_FILE && turn % 4 != 3 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct control_request r;
    struct lq_error e = {0};
    enum request_step step = REQUEST_MORE;
    unsigned turn = 0;
    control_request_init(&r);
    while (step == REQUEST_MORE && n >= CONTROL_HEADER_BYTES) {
        enum control_type t;
        uint32_t len;
        if (!control_header((const char *)p, &t, &len) || len > n - CONTROL_HEADER_BYTES) {
            break;
        }
        char *payload = malloc(len > 0 ? len : 1); /* exactly: reading past it is seen */
        memcpy(payload, p + CONTROL_HEADER_BYTES, len);
        step = control_request_take(&r, t, (lq_str){payload, len}, descriptor(t, turn++), &e);
        free(payload);
        LQ_ASSERT(step != REQUEST_BAD || (e.code != LQ_OK && e.msg[0] != '\0'));
        check(&r, step);
        p += CONTROL_HEADER_BYTES + len;
        n -= CONTROL_HEADER_BYTES + len;
    }
    control_request_fini(&r);
    return 0;
}
