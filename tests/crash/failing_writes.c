/* Preloaded into a gaelp process: lets the n-th write or sync of a store's files fail, n and how from the environment.
 *
 * GAELP_FAIL_AT: 1 for the first call; 0 or none: all succeed. GAELP_FAIL_HOW: eio (once), enospc (from then on: a full
 * disk stays full), torn (half is written, then EIO), death (half is written, then the process is gone).
 * GAELP_FAIL_COUNT: a file that gets one byte per call, so that a first run tells how many there are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long calls;

static int ends_with(const char *path, const char *tail) {
    size_t all = strlen(path), end = strlen(tail);
    return all >= end && strcmp(path + all - end, tail) == 0;
}

static int of_the_store(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return ends_with(path, ".db") || ends_with(path, "-wal") || ends_with(path, "-journal");
}

static void count_it(void) {
    const char *path = getenv("GAELP_FAIL_COUNT");
    if (!path) return;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    ssize_t (*really)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    if (fd >= 0) { really(fd, ".", 1); close(fd); }
}

/* What is to happen to this call: NULL, or the name of a failure. */
static const char *failure(int fd) {
    int before = errno;
    const char *at = getenv("GAELP_FAIL_AT"), *how = getenv("GAELP_FAIL_HOW");
    if (!of_the_store(fd)) { errno = before; return NULL; }
    calls++;
    count_it();
    errno = before;
    long n = at ? atol(at) : 0;
    if (n <= 0 || !how || calls < n || (calls > n && strcmp(how, "enospc"))) return NULL;
    return how;
}

static ssize_t failed(const char *how) {
    if (!strcmp(how, "death")) _exit(137);
    errno = strcmp(how, "enospc") ? EIO : ENOSPC;
    return -1;
}

static int tears(const char *how) { return !strcmp(how, "torn") || !strcmp(how, "death"); }

#define PWRITE(name, offset_t)                                                     \
    ssize_t name(int fd, const void *from, size_t size, offset_t at) {             \
        ssize_t (*really)(int, const void *, size_t, offset_t) = dlsym(RTLD_NEXT, #name); \
        const char *how = failure(fd);                                             \
        if (!how) return really(fd, from, size, at);                               \
        if (tears(how)) really(fd, from, size / 2, at);                            \
        return failed(how);                                                        \
    }

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *from, size_t size) {
    ssize_t (*really)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    const char *how = failure(fd);
    if (!how) return really(fd, from, size);
    if (tears(how)) really(fd, from, size / 2);
    return failed(how);
}

#define SYNC(name)                                       \
    int name(int fd) {                                   \
        int (*really)(int) = dlsym(RTLD_NEXT, #name);    \
        const char *how = failure(fd);                   \
        return how && strcmp(how, "enospc") ? (int)failed(how) : really(fd); \
    }

SYNC(fsync)
SYNC(fdatasync)
