/* A farm of Modbus TCP devices, one per port, cheap enough not to disturb what is measured beside it.
 *
 *     farm PAGE DEVICES REGISTERS
 *
 * Each pair of holding registers is a float32 (high word first) with the age of the farm, in seconds, at the time of the
 * answer. PAGE is a file that is mapped into memory: the farm writes its ports and counts there, and whoever watches reads
 * them (rig.py has the same layout). When `hush` is set from outside, no scan is begun any more: a request for address 0
 * gets no answer, others still do, so that what was served is a whole number of scans.
 *
 * One request at a time per connection, as the protocol asks of a client; anything else ends the connection.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1024, REQUEST = 12, HEADER = 9, LONGEST = 125 };
enum { ILLEGAL_FUNCTION = 1, ILLEGAL_ADDRESS = 2 };

struct page {
    uint64_t born; /* CLOCK_MONOTONIC, ns */
    uint64_t hush;
    uint64_t requests, registers, refused, broken;
    uint32_t ports[MOST];
};

struct peer {
    int fd, fill;
    uint8_t request[REQUEST];
};

static volatile struct page *page;
static unsigned size;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static unsigned word(const uint8_t *at) { return at[0] << 8 | at[1]; }

/* The answer to a request; returns its length, 0 for none. */
static int answer(const uint8_t *request, uint8_t *reply) {
    unsigned function = request[7], address = word(request + 8), count = word(request + 10);
    unsigned why = function != 3 ? ILLEGAL_FUNCTION : !count || count > LONGEST || address + count > size ? ILLEGAL_ADDRESS : 0;
    if (page->hush && !address) return 0;
    page->requests++;
    memcpy(reply, request, 8);
    reply[4] = 0;
    if (why) {
        page->refused++;
        reply[5] = 3, reply[7] |= 0x80, reply[8] = why;
        return HEADER;
    }
    page->registers += count;
    reply[4] = (3 + 2 * count) >> 8, reply[5] = 3 + 2 * count, reply[8] = 2 * count;
    float age = (now() - page->born) / 1e9;
    uint32_t bits;
    memcpy(&bits, &age, sizeof bits);
    uint16_t halves[2] = {htons(bits >> 16), htons(bits & 0xffff)};
    for (unsigned i = 0; i < count; i++) memcpy(reply + HEADER + 2 * i, &halves[(address + i) & 1], 2);
    return HEADER + 2 * count;
}

/* Take what has come; returns 0 when the connection is over. */
static int serve(struct peer *peer) {
    uint8_t reply[HEADER + 2 * LONGEST];
    ssize_t n = recv(peer->fd, peer->request + peer->fill, REQUEST - peer->fill, 0);
    if (n <= 0) return n < 0 && errno == EAGAIN;
    peer->fill += n;
    if (peer->fill < REQUEST) return 1;
    peer->fill = 0;
    int length = word(peer->request + 4) == 6 ? answer(peer->request, reply) : -1;
    if (length >= 0 && (!length || send(peer->fd, reply, length, MSG_NOSIGNAL) == length)) return 1;
    page->broken++;
    return 0;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int listener(int place) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (void *)&at, sizeof at) || listen(fd, 16) || getsockname(fd, (void *)&at, &length)) fail("listen");
    page->ports[place] = ntohs(at.sin_port);
    return fd;
}

static void watch(int epoll, int fd, struct peer *peer) {
    struct epoll_event event = {EPOLLIN, {.ptr = peer}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

static struct peer *peer_of(int fd) {
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer) fail("calloc");
    peer->fd = fd;
    return peer;
}

int main(int argc, char **argv) {
    int devices = argc == 4 ? atoi(argv[2]) : 0;
    if (devices < 1 || devices > MOST) return fprintf(stderr, "usage: farm PAGE DEVICES REGISTERS\n"), 2;
    size = atoi(argv[3]);
    int file = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ftruncate(file, sizeof *page)) fail(argv[1]);
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) fail("mmap");
    page->born = now();

    int epoll = epoll_create1(0);
    for (int i = 0; i < devices; i++) {
        struct peer *door = peer_of(listener(i));
        door->fill = -1; /* a door, not a caller */
        watch(epoll, door->fd, door);
    }
    puts("ready");
    fflush(stdout);

    struct epoll_event events[64];
    for (;;) {
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer->fill < 0) {
                int one = 1, fd = accept4(peer->fd, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                watch(epoll, fd, peer_of(fd));
            } else if (!serve(peer)) {
                close(peer->fd);
                free(peer);
            }
        }
    }
}
