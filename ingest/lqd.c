/*
 * lqd.c - the daemon's program: its flags (CLI.md), and what it is put together from
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "ingest/daemon.h"

enum { STATUS_DONE = 0, STATUS_USAGE = 2 };

static void help(FILE *f)
{
    fputs("usage: lqd [-c FILE] [--data DIR] [--formats DIR] [--check] [--once]\n\n"
          "Takes logs by syslog (UDP, TCP, TLS), RELP, TCP lines, Unix sockets, from files and standard input into the store.\n"
          "Without -c it listens on loopback only and says on what.\n\n"
          "  -c FILE        configuration (YAML); ingest/README.md has the keys\n"
          "  --data DIR     the store (else the configuration's data:, $LQ_DATA, $XDG_STATE_HOME/lq, ~/.local/state/lq)\n"
          "  --formats DIR  format files of your own, besides the shipped ones\n"
          "  --check        check the configuration and the formats, then exit\n"
          "  --once         until standard input ends; commits and exits (without -c: only standard input is read)\n"
          "  --version\n\n"
          "SIGHUP reads the configuration again and keeps connections; SIGTERM commits everything and exits.\n", f);
}

static int usage(const char *what, const char *arg)
{
    static const char *const names[] = {"-c", "--data", "--formats", "--check", "--once", "--help", "--version"};
    struct lq_error e;
    const char *near = lq_nearest(arg, strlen(arg), names, sizeof names / sizeof names[0]);
    lq_error_set(&e, LQ_EINVAL, "%s %s", what, arg);
    if (near != NULL && strcmp(near, arg) != 0) {
        lq_error_hint(&e, "did you mean %s?", near);
    } else {
        lq_error_hint(&e, "lqd --help shows the flags");
    }
    lq_error_print(stderr, "lqd", &e);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    char data[4096];
    struct daemon_options o = {.default_data = data};
    bool check = false;
    store_default_dir(data, sizeof data);
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        const char **value = strcmp(a, "-c") == 0 ? &o.config_file : strcmp(a, "--data") == 0 ? &o.data : strcmp(a, "--formats") == 0 ? &o.formats_dir : NULL;
        if (value != NULL && i + 1 == argc) {
            return usage("a value is missing behind", a);
        }
        if (value != NULL) {
            *value = argv[++i];
        } else if (strcmp(a, "--check") == 0) {
            check = true;
        } else if (strcmp(a, "--once") == 0) {
            o.once = true;
        } else if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            help(stdout);
            return STATUS_DONE;
        } else if (strcmp(a, "--version") == 0) {
            printf("lqd %s (store format %d, %s)\n", LQ_VERSION, STORE_FORMAT_VERSION, __VERSION__);
            return STATUS_DONE;
        } else {
            return usage("unknown flag", a);
        }
    }
    return check ? daemon_check(&o) : daemon_run(&o);
}
