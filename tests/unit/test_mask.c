/*
 * test_mask.c - personal data and secrets out of texts
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "schema/mask.h"
#include "tests/support/random.h"

static const struct masker masker = {MASK_ALL, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

/* A text with the hashes of its masked names left out: "user <ip> came". */
static const char *masked(const char *text, unsigned kinds)
{
    static char out[4][2048];
    static unsigned turn;
    char scratch[2048];
    lq_str m = mask_text(&masker, kinds, lq_str_of(text), scratch, sizeof scratch - 1);
    char *o = out[turn++ % 4];
    size_t n = 0;
    for (size_t i = 0; i < m.n; i++) {
        static const char *const names[] = {"email-", "token-", "card-", "ip-"};
        size_t k = 0;
        for (unsigned x = 0; x < 4; x++) {
            size_t len = strlen(names[x]);
            if (m.n - i >= len + 12 && memcmp(m.p + i, names[x], len) == 0 && strspn(m.p + i + len, "0123456789abcdef") >= 12) {
                k = len;
            }
        }
        if (k > 0) {
            o[n++] = '<';
            memcpy(o + n, m.p + i, k - 1);
            n += k - 1;
            o[n++] = '>';
            i += k + 11;
        } else {
            o[n++] = m.p[i];
        }
    }
    o[n] = '\0';
    return o;
}

Test(mask, siphash_is_the_published_one)
{
    /* from the paper's appendix: key 00..0f, input 00..0e */
    uint8_t in[15];
    for (unsigned i = 0; i < 15; i++) {
        in[i] = (uint8_t)i;
    }
    cr_expect(siphash(masker.key, in, 15) == 0xa129ca6149be45e5, "%llx", (unsigned long long)siphash(masker.key, in, 15));
    cr_expect(siphash(masker.key, in, 0) == 0x726fdb47dd0e0e31);
}

Test(mask, what_is_found_and_what_is_not)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"mail to anna.meier+x@mail.example.org, please", "mail to <email>, please"},
        {"GET /u?mail=anna%40example.org&x=1", "GET /u?mail=<email>&x=1"},
        {"user=anna@example.org failed", "user=<email> failed"},
        {"git@v2 and a@b are none", "git@v2 and a@b are none"},
        {"from 192.168.10.7:8080 to [2001:db8::1]:443", "from <ip>:8080 to [<ip>]:443"},
        {"::ffff:10.0.0.1 and ::1.", "<ip> and <ip>."},
        {"10.0.0.1, 10.0.0.2; 10.0.0.3.", "<ip>, <ip>; <ip>."},
        {"at 10:00:00 version 1.2.3 and 1.2.3.4.5 and 999.1.1.1", "at 10:00:00 version 1.2.3 and 1.2.3.4.5 and 999.1.1.1"},
        {"ip-10-77-20-248 stays", "ip-10-77-20-248 stays"},
        {"paid with 4111 1111 1111 1111 today", "paid with <card> today"},
        {"paid with 4111-1111-1111-1111, 378282246310005 and 5555555555554444", "paid with <card>, <card> and <card>"},
        {"4111111111111112 has a wrong sum, order 12345678", "4111111111111112 has a wrong sum, order 12345678"},
        {"password=hunter2 user=x", "password=<token> user=x"},
        {"{\"password\":\"hun ter2\",\"a\":1}", "{\"password\":\"<token>\",\"a\":1}"},
        {"log: {\\\"token\\\":\\\"abc\\\",\\\"b\\\":2}", "log: {\\\"token\\\":\\\"<token>\\\",\\\"b\\\":2}"},
        {"Authorization: Bearer abc.def-ghi", "Authorization: Bearer <token>"},
        {"sent Bearer abcdefgh12 to it", "sent Bearer <token> to it"},
        {"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.sig ok", "jwt <token> ok"},
        {"key AKIAIOSFODNN7EXAMPLE used", "key <token> used"},
        {"url https://bob:s3cret@host/x", "url https://<token>@host/x"},
        {"Cookie: sid=abc; theme=dark", "Cookie: <token>"},
        {"/login?api_key=123&x=1", "/login?api_key=<token>&x=1"},
        {"tokens are counted: the token bucket is full", "tokens are counted: the token bucket is full"},
        {"nothing here", "nothing here"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *got = masked(rows[i].text, MASK_ALL);
        cr_expect(strcmp(got, rows[i].want) == 0, "%s\n  gives  %s\n  wanted %s", rows[i].text, got, rows[i].want);
    }
    cr_expect(strcmp(masked("a@b.org at 10.0.0.1", MASK_IP), "a@b.org at <ip>") == 0, "only what is asked for");
}

Test(mask, one_value_one_name_whatever_its_spelling_and_another_with_another_key)
{
    char a[256], b[256];
    struct masker other = masker;
    other.key[0] = 77;
    static const char *const same[][2] = {{"Anna@Example.org", "anna@example.ORG"}, {"::ffff:10.0.0.1", "10.0.0.1"}, {"2001:db8:0:0::1", "2001:db8::1"},
                                          {"4111 1111 1111 1111", "4111111111111111"}, {"anna%40example.org", "anna@example.org"}};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        lq_str x = mask_text(&masker, MASK_ALL, lq_str_of(same[i][0]), a, sizeof a), y = mask_text(&masker, MASK_ALL, lq_str_of(same[i][1]), b, sizeof b);
        cr_expect(lq_str_eq(x, y) && x.p == a, "%s: %.*s and %.*s", same[i][0], (int)x.n, x.p, (int)y.n, y.p);
        y = mask_text(&other, MASK_ALL, lq_str_of(same[i][0]), b, sizeof b);
        cr_expect(!lq_str_eq(x, y), "%s: the key matters", same[i][0]);
        y = mask_text(&masker, MASK_ALL, x, b, sizeof b);
        cr_expect(lq_str_eq(x, y), "a masked name stays as it is: %.*s", (int)y.n, y.p);
    }
}

Test(mask, any_bytes_and_any_room)
{
    struct random r = {.state = 7};
    static const char pieces[][24] = {"a@b.org", "10.0.0.1", "4111111111111111", "password=", "\"", "\\", "::", "%40", "@", "Bearer ", " ", "\x80", "x", "Cookie: ", "://", "1", "eyJ"};
    for (int i = 0; i < 20000; i++) {
        char text[256];
        size_t n = 0, cap = (random_next(&r) % (280)) + 1;
        while (n < 200) {
            const char *p = pieces[(random_next(&r) % (sizeof pieces / sizeof pieces[0]))];
            memcpy(text + n, p, strlen(p));
            n += strlen(p);
        }
        char *exact = lq_alloc(n), *room = lq_alloc(cap); /* so that a byte too far is seen */
        memcpy(exact, text, n);
        lq_str m = mask_text(&masker, MASK_ALL, (lq_str){exact, n}, room, cap);
        cr_assert(m.p == exact || m.n <= cap);
        free(exact);
        free(room);
    }
}

Test(mask, lists_and_keys_are_read_strictly)
{
    struct lq_error e = {0};
    unsigned kinds = 0;
    uint8_t key[MASK_KEY_BYTES];
    cr_expect(mask_parse(LQ_STR("email,ip"), &kinds, &e) == LQ_OK && kinds == (MASK_EMAIL | MASK_IP));
    cr_expect(mask_parse(LQ_STR("all"), &kinds, &e) == LQ_OK && kinds == MASK_ALL);
    cr_expect(mask_parse(LQ_STR("emial"), &kinds, &e) == LQ_EINVAL && strstr(e.hint, "did you mean email?") != NULL, "%s", e.hint);
    cr_expect(mask_parse(LQ_STR("email,"), &kinds, &e) == LQ_EINVAL);
    cr_expect(mask_parse(LQ_STR(""), &kinds, &e) == LQ_EINVAL);
    cr_expect(mask_key_parse(LQ_STR("000102030405060708090A0b0c0d0e0f\n"), key, &e) == LQ_OK && memcmp(key, masker.key, sizeof key) == 0);
    cr_expect(mask_key_parse(LQ_STR("0001"), key, &e) == LQ_EINVAL && strstr(e.msg, "32 hexadecimal") != NULL);
    cr_expect(mask_key_parse(LQ_STR("g00102030405060708090A0b0c0d0e0f"), key, &e) == LQ_EINVAL);
}
