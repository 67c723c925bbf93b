/*
 * trades.c - what the generated systems are about: routes, loggers and the messages of a quiet day
 *
 * In messages '#' is a number, '@' a hexadecimal id, '~' an address. Routine rows: level, logger (index of `loggers`), message.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>

#include "bench/incidents/world.h"

static const char *const shop_routes[] = {"GET / 20 20", "GET /products 45 16", "GET /products/{id} 35 14", "GET /static/app.css 2 12", "GET /static/app.js 3 12",
    "GET /cart 30 7", "POST /cart/items 50 5", "GET /search 90 8", "GET /account 40 4", "GET /account/orders/{id} 55 3", "POST /login 120 3", "POST /checkout 180 2",
    "GET /help 20 1", NULL};
static const char *const shop_loggers[] = {"web.ErrorHandler", "order.OrderService", "price.PriceCache", "db.Pool", "session.SessionStore", NULL};
static const char *const shop_routine[] = {"I2Price cache refreshed: # entries in # ms", "I1Order # accepted for customer # in # ms", "I4User u# signed in",
    "W3Slow query: # ms for select from orders where customer_id = #", "I1Invoice @ sent", NULL};
static const char *const shop_upstreams[] = {"payments-gw", "orders-db", "stock-service", NULL};

static const char *const bank_routes[] = {"GET /api/v2/accounts 60 14", "GET /api/v2/accounts/{id}/balance 25 20", "GET /api/v2/accounts/{id}/transactions 80 12",
    "POST /api/v2/transfers 210 5", "GET /api/v2/transfers/{id} 40 6", "POST /oauth/token 95 9", "GET /api/v2/cards 50 4", "POST /api/v2/cards/{id}/block 140 1",
    "GET /healthz 1 8", NULL};
static const char *const bank_loggers[] = {"api.rest.Dispatcher", "core.ledger.Posting", "auth.TokenIssuer", "db.hikari.HikariPool", "risk.Scoring", NULL};
static const char *const bank_routine[] = {"I1Posted transaction @ amount=# cents", "I2Issued token for client # ttl=#s", "D4Score # for transfer @",
    "I3Pool stats: active=# idle=# waiting=0", "W4Rule # took # ms", "I1Batch # closed with # entries", NULL};
static const char *const bank_upstreams[] = {"ledger-db", "hsm-cluster", "fraud-scoring", NULL};

static const char *const media_routes[] = {"GET /watch/{id} 70 10", "GET /live/{id}/manifest.m3u8 8 24", "GET /vod/{id}/segment 15 30", "GET /api/recommend 130 7",
    "POST /api/progress 12 16", "GET /api/profile 35 5", "POST /api/license 90 4", "GET /thumbs/{id}.jpg 4 15", NULL};
static const char *const media_loggers[] = {"edge", "drm", "recommend", "origin", "catalog", NULL};
static const char *const media_routine[] = {"I1license granted for asset # device @", "I2model # scored # items in #ms", "I3fetched segment # from origin in #ms",
    "W3origin retry # for segment #", "I4catalog sync done: # titles", "I0session @ started from ~", NULL};
static const char *const media_upstreams[] = {"origin-store", "drm-keyserver", "redis-profiles", NULL};

static const char *const travel_routes[] = {"GET /flights/search 350 9", "GET /flights/{id} 60 7", "POST /booking 420 2", "GET /booking/{id} 80 3", "GET /hotels 220 6",
    "GET /hotels/{id}/rooms 110 6", "POST /pay 300 1", "GET /img/{id} 3 20", "GET /i18n/messages.json 5 9", "GET / 15 10", NULL};
static const char *const travel_loggers[] = {"booking.saga", "search.aggregator", "fare.cache", "mailer", "supplier.client", NULL};
static const char *const travel_routine[] = {"I1search @ merged # offers from # suppliers", "I0saga @ step RESERVE done", "I2fare cache hit ratio 0.#", "I3mail @ queued for delivery",
    "W4supplier AMA answered after # ms", "D1dropping # stale offers", NULL};
static const char *const travel_upstreams[] = {"supplier-gds", "fares-redis", "mail-relay", NULL};

static const char *const iot_routes[] = {"POST /v1/telemetry 6 50", "GET /v1/devices/{id} 18 10", "POST /v1/devices/{id}/commands 40 5", "GET /v1/devices 90 2",
    "GET /v1/firmware/latest 12 6", "POST /v1/register 75 1", NULL};
static const char *const iot_loggers[] = {"ingest", "registry", "shadow", "firmware", "tsdb", NULL};
static const char *const iot_routine[] = {"I0flushed # points in #ms", "I1device @ reconnected from ~", "D2shadow @ version # merged", "W4compaction of shard # took # s",
    "I3served image # to device @", NULL};
static const char *const iot_upstreams[] = {"tsdb-primary", "mqtt-broker", "registry-etcd", NULL};

static const char *const school_routes[] = {"GET /courses 55 8", "GET /courses/{id} 45 9", "GET /courses/{id}/lessons/{id} 65 12", "POST /quiz/{id}/answers 85 4",
    "GET /grades 100 3", "POST /login 130 2", "GET /assets/main.css 2 9", "GET /assets/main.js 3 9", "POST /upload 240 1", NULL};
static const char *const school_loggers[] = {"django.request", "lms.quiz", "lms.grades", "celery.worker", "storage", NULL};
static const char *const school_routine[] = {"I1quiz # graded for student #", "I3task mail.send[@] succeeded in 0.#s", "I2gradebook of course # rebuilt", "W0Not Found: /courses/#",
    "I4stored upload @ (# bytes)", NULL};
static const char *const school_upstreams[] = {"postgres-main", "minio", "ldap", NULL};

const struct trade trades[] = {
    {"shop-web", "com.shop", shop_routes, shop_loggers, shop_routine, shop_upstreams},
    {"core-api", "net.bank", bank_routes, bank_loggers, bank_routine, bank_upstreams},
    {"playout", "tv", media_routes, media_loggers, media_routine, media_upstreams},
    {"travel", "io.travel", travel_routes, travel_loggers, travel_routine, travel_upstreams},
    {"iot-gateway", "gw", iot_routes, iot_loggers, iot_routine, iot_upstreams},
    {"lms", "app", school_routes, school_loggers, school_routine, school_upstreams},
};
const unsigned n_trades = sizeof trades / sizeof trades[0];
