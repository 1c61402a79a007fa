/* Lets the disk fail under a process: LD_PRELOAD this, and say what shall fail in the file named by INJECT.
 *
 * The file holds three 32-bit numbers: which faults (bits, see below), in how many of 1,000 calls, and a counter of the
 * faults that were made. Only files whose path holds "/store.db" are affected.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITE_EIO = 1, WRITE_FULL = 2, WRITE_SHORT = 4, SYNC_EIO = 8, SYNC_SLOW = 16, READ_EIO = 32 };

static volatile uint32_t *control;
static unsigned seed;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("INJECT");
    int fd = path ? open(path, O_RDWR) : -1;
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, 12, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    control = page == MAP_FAILED ? NULL : page;
    seed = (unsigned)getpid();
}

static int ours(int fd)
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return strstr(path, "/store.db") != NULL;
}

/* One of these faults, if it is its turn; 0 for none. */
static uint32_t fault(int fd, uint32_t among)
{
    if (!control || !(control[0] & among) || (uint32_t)(rand_r(&seed) % 1000) >= control[1] || !ours(fd))
        return 0;
    uint32_t found;
    do
        found = 1u << (rand_r(&seed) % 6);
    while (!(control[0] & among & found));
    control[2]++;
    return found;
}

#define REAL(name, type, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) \
        real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define WRITER(name, offset_type) \
    ssize_t name(int fd, const void *data, size_t size, offset_type at) \
    { \
        REAL(name, ssize_t, int, const void *, size_t, offset_type); \
        switch (fault(fd, WRITE_EIO | WRITE_FULL | WRITE_SHORT)) { \
        case WRITE_EIO: errno = EIO; return -1; \
        case WRITE_FULL: errno = ENOSPC; return -1; \
        case WRITE_SHORT: return real(fd, data, size / 2, at); \
        } \
        return real(fd, data, size, at); \
    }
WRITER(pwrite, off_t)
WRITER(pwrite64, off64_t)

#define READER(name, offset_type) \
    ssize_t name(int fd, void *data, size_t size, offset_type at) \
    { \
        REAL(name, ssize_t, int, void *, size_t, offset_type); \
        if (fault(fd, READ_EIO)) { errno = EIO; return -1; } \
        return real(fd, data, size, at); \
    }
READER(pread, off_t)
READER(pread64, off64_t)

#define SYNCER(name) \
    int name(int fd) \
    { \
        REAL(name, int, int); \
        switch (fault(fd, SYNC_EIO | SYNC_SLOW)) { \
        case SYNC_EIO: errno = EIO; return -1; \
        case SYNC_SLOW: usleep(500000); \
        } \
        return real(fd); \
    }
SYNCER(fsync)
SYNCER(fdatasync)
