/*
 * timefmt_zone.c - time zones from the system's zoneinfo (TZif, RFC 8536)
 *
 * The transition table (64-bit block of version 2+) is read whole; after the last transition its offset holds. Debian ships tables up to
 * 2037, so the POSIX rule at the file's end is not needed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "schema/timefmt.h"

enum { TZIF_BYTES_MAX = 1 << 17 };

struct timezone_rules {
    char name[64];
    uint32_t n;
    int64_t *at;      /* UTC seconds from which offset[i] holds */
    int32_t *offset;
    int32_t first;    /* before the first transition */
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const uint8_t *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static size_t block_bytes(const uint8_t *h, size_t time_bytes)
{
    size_t isut = be32(h + 20), isstd = be32(h + 24), leap = be32(h + 28), times = be32(h + 32), types = be32(h + 36), chars = be32(h + 40);
    return times * time_bytes + times + types * 6 + chars + leap * (time_bytes + 4) + isstd + isut;
}

static bool parse_tzif(const uint8_t *p, size_t n, struct timezone_rules *tz)
{
    if (n < 44 || memcmp(p, "TZif", 4) != 0 || p[4] < '2') {
        return false;
    }
    size_t skip = 44 + block_bytes(p, 4);
    if (skip > TZIF_BYTES_MAX || n < skip + 44 || memcmp(p + skip, "TZif", 4) != 0) {
        return false;
    }
    const uint8_t *h = p + skip, *d = h + 44;
    size_t times = be32(h + 32), types = be32(h + 36);
    if (block_bytes(h, 8) > n - skip - 44 || types == 0) {
        return false;
    }
    const uint8_t *index = d + times * 8, *type = index + times;
    tz->n = (uint32_t)times;
    tz->at = lq_alloc((times + 1) * sizeof *tz->at);
    tz->offset = lq_alloc((times + 1) * sizeof *tz->offset);
    tz->first = (int32_t)be32(type);
    for (size_t i = 0; i < times; i++) {
        if (index[i] >= types) {
            return false;
        }
        tz->at[i] = be64(d + i * 8);
        tz->offset[i] = (int32_t)be32(type + (size_t)index[i] * 6);
    }
    return true;
}

static bool read_zone(const char *path, struct timezone_rules *tz)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return false;
    }
    uint8_t *data = lq_realloc(NULL, TZIF_BYTES_MAX); /* not zeroed: most of it is never touched */
    size_t n = fread(data, 1, TZIF_BYTES_MAX, f);
    fclose(f);
    bool ok = parse_tzif(data, n, tz);
    free(data);
    return ok;
}

/* "+02:00", "-0330", "UTC" */
static bool fixed_zone(const char *name, struct timezone_rules *tz)
{
    if (strcmp(name, "UTC") == 0 || strcmp(name, "utc") == 0 || strcmp(name, "Z") == 0) {
        return true;
    }
    int h, m = 0, used = 0;
    if ((name[0] != '+' && name[0] != '-') ||
        ((sscanf(name + 1, "%2d:%2d%n", &h, &m, &used) != 2 || name[1 + used] != '\0') &&
         (sscanf(name + 1, "%2d%2d%n", &h, &m, &used) != 2 || name[1 + used] != '\0')) || h < 0 || h > 15 || m < 0 || m > 59) {
        return false;
    }
    tz->first = (name[0] == '-' ? -1 : 1) * (h * 3600 + m * 60);
    return true;
}

enum lq_err timezone_load(const char *name, struct timezone_rules **out, struct lq_error *e)
{
    struct timezone_rules *tz = lq_alloc(sizeof *tz);
    char path[256];
    snprintf(tz->name, sizeof tz->name, "%s", name);
    if (strcmp(name, "local") == 0) {
        const char *env = getenv("TZ");
        if (env != NULL && env[0] == ':') {
            env++;
        }
        if (env != NULL && (env[0] == '\0' || fixed_zone(env, tz))) {
            *out = tz;
            return LQ_OK;
        }
        snprintf(path, sizeof path, env != NULL ? "/usr/share/zoneinfo/%s" : "/etc/localtime%s", env != NULL ? env : "");
        read_zone(path, tz); /* a machine without zone data is in UTC */
        *out = tz;
        return LQ_OK;
    }
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    if (fixed_zone(name, tz) || (name[0] != '/' && strstr(name, "..") == NULL && name[0] != '\0' && read_zone(path, tz))) {
        *out = tz;
        return LQ_OK;
    }
    timezone_free(&tz);
    lq_error_set(e, LQ_EINVAL, "unknown time zone \"%s\"", name);
    lq_error_hint(e, "a name like Europe/Berlin, UTC, local, or an offset like +02:00");
    return LQ_EINVAL;
}

void timezone_free(struct timezone_rules **tz)
{
    if (*tz != NULL) {
        free((*tz)->at);
        free((*tz)->offset);
        free(*tz);
        *tz = NULL;
    }
}

const char *timezone_name(const struct timezone_rules *tz)
{
    return tz->name;
}

int32_t timezone_offset_at(const struct timezone_rules *tz, int64_t utc_s)
{
    uint32_t lo = 0, hi = tz->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (tz->at[mid] <= utc_s) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo == 0 ? tz->first : tz->offset[lo - 1];
}

int64_t timezone_to_utc(const struct timezone_rules *tz, int64_t local_s)
{
    /* An ambiguous time (autumn) is valid with both offsets: the larger one, in force before, gives the first. A skipped time (spring) is valid with
     * neither: the offset before the jump moves it forward. */
    int32_t before = timezone_offset_at(tz, local_s - 86400), after = timezone_offset_at(tz, local_s + 86400);
    if (timezone_offset_at(tz, local_s - before) == before) {
        return local_s - before;
    }
    if (timezone_offset_at(tz, local_s - after) == after) {
        return local_s - after;
    }
    return local_s - before;
}
