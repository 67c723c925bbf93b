/*
 * server_int.h - inside the server: its structs; the queue; screening and answers; headers, addresses, gzip, files
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_HTTP_SERVER_INT_H
#define LQ_HTTP_SERVER_INT_H

#include <ev.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "query/http/kept.h"
#include "query/http/pace.h"
#include "query/http/rate.h"
#include "query/http/server.h"

struct sockaddr_storage;

/* How long pacing may hold a question at most, besides a quarter of the time it has; how often a held one is looked at again; how old a kept answer may be
 * while the server is pressed. */
enum { HOLD_US_MAX = 5000000, HOLD_STEP_US = 100000, KEPT_PRESSED_US = 5000000 };

struct http_job {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct http_request request;
    struct http_response response;
    struct lq_arena mem;
    struct lq_buf body;
    const char *uri, *method, *encoding;
    const struct http_route *route;
    void *ctx;
    enum { JOB_NEW, JOB_COLLECTING, JOB_REFUSED, JOB_QUEUED, JOB_DONE } state;
    int64_t start_us, deadline_us, looked_us;
    int fd;
    bool gone, deferred, finished, parked; /* http_defer, http_finish; a worker has left it to whoever finishes it */
    bool takes_gzip, zipped;
    bool first;
    bool keep, kept;      /* its answer may be kept; it is one that was */
    struct lq_buf key;    /* of the answer */
    uint64_t version;     /* of the store, before the answer was begun */
    int64_t begun_us;
    int64_t queued_us, held_us; /* held_us: since when pacing holds it; 0 = it does not */
    int64_t spent_us;           /* http_spent */
    size_t counted; /* bytes of the body, of bodies_bytes */
    struct http_job *next;
};

struct http_server {
    struct http_server_options o;
    struct http_tokens *tokens;
    struct MHD_Daemon *daemon;
    struct ev_loop *loop;
    ev_io io;
    ev_timer timer;
    ev_async wake;
    char *key_pem, *cert_pem;
    pthread_t *workers;
    unsigned n_workers;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct http_job *head, **tail; /* waiting */
    unsigned waiting /* without `first` */, running, parked, questions /* of those that run */;
    struct http_pace pace;
    int64_t spent_us, loop_us; /* processor time: of questions; of the loop's thread up to the last job */
    int64_t hold_us_max;
    size_t bodies_bytes; /* being received and in hand; the loop's thread */
    struct http_rate *rate;
    struct http_kept *kept; /* NULL = none */
    bool ending;
    atomic_bool stop_all, is_pressed;
    atomic_int_fast64_t wrote_us; /* when the last request that may write was done */
    atomic_uint_fast64_t requests, rejected, failed, stopped, connections, answers_kept, paced, paced_us;
};

/* server_queue.c, with the lock held but for http__enqueue. */
bool http__enqueue(struct http_server *s, struct http_job *j); /* on the loop's thread; false: no room */
struct http_job *http__next(struct http_server *s);            /* waits; NULL at the end */
void http__ran(struct http_server *s, const struct http_job *j, int64_t us); /* what http__next gave; the processor time it took */
int64_t http__thread_us(void); /* processor time of this thread */
/* The loop may send the answer. */
void http__done(struct http_job *j);

/* server_request.c, on the loop's thread. The headers are there: false, a refusal is written. */
bool http__screen(struct http_server *s, struct http_job *j);
void http__refuse(struct http_job *j, int status, const char *code, const char *message);
enum MHD_Result http__answer(struct http_job *j);
/* On a worker: the body as the handler wants it (unzipped, a form read). False: a refusal is written. */
bool http__open_body(struct http_job *j);
/* On a worker: the answer is whole; it is zipped where the client takes that. */
void http__close_body(struct http_job *j);

const char *http__header(struct MHD_Connection *c, const char *name); /* NULL when absent */
/* A Host header that names this machine's loopback: localhost, 127.x.x.x, [::1], with or without a port. */
bool http__loopback_host(const char *host);
bool http__same_origin(const char *origin, const char *host);
LQ_MUST enum lq_err http__address(const char *address, uint16_t port, struct sockaddr_storage *out, bool *loopback, struct lq_error *e);
LQ_MUST enum lq_err http__read_file(const char *path, char **text, struct lq_error *e); /* NUL-terminated, malloc'd, at most 1 MiB */
/* In place. False, with the text as it was: it would not shrink (gzip); damaged, or more than max bytes (gunzip). */
bool http__gzip(char **text, size_t *n);
bool http__gunzip(struct lq_buf *b, size_t max);

#endif
