/*
 * test_rate.c - requests by address (rate.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>

#include "query/http/rate.h"

static bool take(struct http_rate *r, const char *address, int64_t now_us)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    unsigned wait_s = 0;
    bool ok;
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
        ok = http_rate_take(r, (const struct sockaddr *)&v4, now_us, &wait_s);
    } else {
        cr_assert_eq(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
        ok = http_rate_take(r, (const struct sockaddr *)&v6, now_us, &wait_s);
    }
    cr_assert(ok || wait_s > 0);
    return ok;
}

Test(rate, a_burst_of_two_seconds_then_so_many_a_second)
{
    struct http_rate *r = http_rate_new(10);
    int64_t now = 1000000000;
    for (int i = 0; i < 20; i++) {
        cr_assert(take(r, "192.0.2.1", now), "%d", i);
    }
    cr_assert_not(take(r, "192.0.2.1", now));
    cr_assert(take(r, "192.0.2.2", now), "another address has its own");
    now += 500000;
    for (int i = 0; i < 5; i++) {
        cr_assert(take(r, "192.0.2.1", now), "%d", i);
    }
    cr_assert_not(take(r, "192.0.2.1", now));
    http_rate_free(&r);
}

Test(rate, a_network_of_64_bits_is_one_address_and_loopback_is_free)
{
    struct http_rate *r = http_rate_new(1);
    cr_assert(take(r, "2001:db8::1", 1) && take(r, "2001:db8::2", 1));
    cr_assert_not(take(r, "2001:db8::3", 1));
    cr_assert(take(r, "2001:db8:0:1::3", 1));
    for (int i = 0; i < 100; i++) {
        cr_assert(take(r, "127.0.0.1", 1) && take(r, "::1", 1) && take(r, "::ffff:127.0.0.1", 1));
    }
    http_rate_free(&r);
}

Test(rate, very_many_addresses_take_no_more_memory)
{
    struct http_rate *r = http_rate_new(1);
    char address[20];
    for (int i = 0; i < 100000; i++) {
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16 & 255, i >> 8 & 255, i & 255);
        cr_assert(take(r, address, i), "a new address is not limited");
    }
    http_rate_free(&r);
}
