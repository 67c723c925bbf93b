/*
 * replay.c - runs stored fuzz inputs as an ordinary test
 *
 * Arguments are files or directories; every file is given once to the fuzz target that this is linked with.
 * A missing directory is no error (a target without findings has no regression folder).
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv); /* a target may have one */

static int replayed;

static void replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return;
    }
    size_t cap = 1U << 20, n;
    uint8_t *data = malloc(cap);
    if (data == NULL) {
        abort();
    }
    n = fread(data, 1, cap, f);
    fclose(f);
    uint8_t *exact = malloc(n > 0 ? n : 1); /* exact size, so that ASan sees a read past the end */
    if (exact == NULL) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        exact[i] = data[i];
    }
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    free(data);
    replayed++;
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize != NULL) {
        LLVMFuzzerInitialize(&argc, &argv);
    }
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            continue;
        }
        if (!S_ISDIR(st.st_mode)) {
            replay_file(argv[i]);
            continue;
        }
        struct dirent **names;
        int n = scandir(argv[i], &names, NULL, alphasort);
        for (int k = 0; k < n; k++) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], names[k]->d_name);
            if (names[k]->d_name[0] != '.') {
                replay_file(path);
            }
            free(names[k]);
        }
        if (n >= 0) {
            free(names);
        }
    }
    printf("%d inputs replayed\n", replayed);
    return 0;
}
