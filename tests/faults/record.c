/* Writes down what a process does to its store: LD_PRELOAD this; RECORD names the file that it is appended to.
 *
 * A record is four 64-bit numbers (kind, number of the file, offset or size, length) and `length` bytes of data. Kinds:
 * 1 a name for a number, 2 a write, 3 a new size, 4 room up to a size, 5 a sync, 6 words on stdout. Of files only those
 * whose path holds "/store.db".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NAME = 1, WRITE, SIZE, ROOM, SYNC, SAID };

static int log_fd = -1;
static char names[8][512];

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("RECORD");
    if (path)
        log_fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
}

static void note(uint64_t kind, int file, uint64_t at, const void *data, size_t size)
{
    uint64_t head[4] = {kind, (uint64_t)file, at, size};
    struct iovec parts[2] = {{head, sizeof head}, {(void *)data, size}};
    if (writev(log_fd, parts, 2) < 0)
        abort();
}

/* The number of a file of ours, from 0; -1 for others. */
static int number(int fd)
{
    char link[64], path[512];
    if (log_fd < 0)
        return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return -1;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    if (!strstr(path, "/store.db"))
        return -1;
    for (int i = 0; i < 8; i++) {
        if (!names[i][0]) {
            strcpy(names[i], name + 1);
            note(NAME, i, 0, names[i], strlen(names[i]));
        }
        if (!strcmp(names[i], name + 1))
            return i;
    }
    return -1;
}

#define REAL(name, type, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) \
        real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define WRITER(name, offset_type) \
    ssize_t name(int fd, const void *data, size_t size, offset_type at) \
    { \
        REAL(name, ssize_t, int, const void *, size_t, offset_type); \
        ssize_t done = real(fd, data, size, at); \
        int file = number(fd); \
        if (file >= 0 && done > 0) \
            note(WRITE, file, (uint64_t)at, data, (size_t)done); \
        return done; \
    }
WRITER(pwrite, off_t)
WRITER(pwrite64, off64_t)

#define SIZER(name, offset_type) \
    int name(int fd, offset_type size) \
    { \
        REAL(name, int, int, offset_type); \
        int failed = real(fd, size), file = number(fd); \
        if (file >= 0 && !failed) \
            note(SIZE, file, (uint64_t)size, "", 0); \
        return failed; \
    }
SIZER(ftruncate, off_t)
SIZER(ftruncate64, off64_t)

#define ROOMER(name, offset_type) \
    int name(int fd, offset_type at, offset_type size) \
    { \
        REAL(name, int, int, offset_type, offset_type); \
        int failed = real(fd, at, size), file = number(fd); \
        if (file >= 0 && !failed) \
            note(ROOM, file, (uint64_t)(at + size), "", 0); \
        return failed; \
    }
ROOMER(posix_fallocate, off_t)
ROOMER(posix_fallocate64, off64_t)

#define SYNCER(name) \
    int name(int fd) \
    { \
        REAL(name, int, int); \
        int failed = real(fd), file = number(fd); \
        if (file >= 0 && !failed) \
            note(SYNC, file, 0, "", 0); \
        return failed; \
    }
SYNCER(fsync)
SYNCER(fdatasync)

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(write, ssize_t, int, const void *, size_t);
    if (fd == 1 && log_fd >= 0)
        note(SAID, 0, 0, data, size);
    return real(fd, data, size);
}
