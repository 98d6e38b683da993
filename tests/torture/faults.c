/* Make the k-th write, fsync or rename of a temporary file fail; loaded by LD_PRELOAD (see disk.py). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static long countdown = -1;
static int fault = 0;
static long hits = 0;

void fail_at(long k, int error_number) { countdown = k; fault = error_number; hits = 0; }
long calls_seen(void) { return hits; }

static int strikes(void)
{
    hits++;
    return countdown > 0 && --countdown == 0;
}

static int temporary(int fd)
{
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    if (n < 0) return 0;
    name[n] = 0;
    return strstr(name, ".part") != NULL;
}

ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (countdown > 0 && temporary(fd) && strikes()) {
        /* Half is written first, as disks do. */
        if (size > 1) { real(fd, data, size / 2); }
        errno = fault;
        return -1;
    }
    return real(fd, data, size);
}

int fsync(int fd)
{
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (countdown > 0 && temporary(fd) && strikes()) { errno = fault; return -1; }
    return real(fd);
}

int rename(const char *from, const char *to)
{
    static int (*real)(const char *, const char *);
    if (!real) real = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    if (countdown > 0 && strstr(from, ".part") && strikes()) { errno = fault; return -1; }
    return real(from, to);
}
