/* Make the k-th write, fsync or rename of a temporary file fail (disk.py), or every lock (crowd.py), whose errno the
   variable TORTURE_LOCKS holds; loaded by LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
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

static int no_locks(void)
{
    const char *number = getenv("TORTURE_LOCKS");
    return number ? atoi(number) : 0;
}

static int control(const char *name, int fd, int command, void *argument)
{
    int (*real)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_NEXT, name);
    int locks = command == F_SETLK || command == F_SETLKW || command == F_GETLK;
#ifdef F_OFD_SETLK
    locks = locks || command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK;
#endif
    if (locks && no_locks()) { errno = no_locks(); return -1; }
    return real(fd, command, argument);
}

int fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return control("fcntl", fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return control("fcntl64", fd, command, argument);
}

int flock(int fd, int operation)
{
    static int (*real)(int, int);
    if (!real) real = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
    if (no_locks()) { errno = no_locks(); return -1; }
    return real(fd, operation);
}
