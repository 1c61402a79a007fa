/* A Modbus device on libmodbus, to prove byte orders and types against code that is not ours.
 *
 *   modbus_server PORT          0: any free port; binds 127.0.0.1 and prints "ready PORT"
 *   modbus_server PATH UNIT     RTU at a serial port, 9600 8N1; prints "ready 0"
 *
 * On TCP any unit answers. 3000 of each: coils (every third is on), discrete inputs (every fifth), input registers (3 i + 1)
 * and holding registers:
 *      64 t + 16 o    value of type t (0 int16, uint16, int32, uint32, int64, uint64, float32, float64, 8 string)
 *                     in order o (0 ABCD, CDAB, BADC, 3 DCBA); a string has swapped bytes in orders 2 and 3
 *      1000           uint32: how many requests were answered before this one
 *      1002           uint32: seconds since the start
 *      1100 + 2 i     float32: i + 0.5, for i below 100
 *      2000 + 2 i     float32: the count of 1000, so that each answer is unlike the one before, for i below 100
 *
 * libmodbus 3.1.6 has modbus_set_float_abcd() and the like, but they write other orders than their names say.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <modbus.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#define SIZE 3000

static void put(uint16_t *reg, uint64_t raw, int words, int order) {
    for (int i = 0; i < words; i++) {
        uint16_t word = raw >> 16 * (words - 1 - i);
        reg[order & 1 ? words - 1 - i : i] = order & 2 ? (uint16_t)(word << 8 | word >> 8) : word;
    }
}
static uint64_t bits32(float value) { uint32_t raw; memcpy(&raw, &value, 4); return raw; }
static uint64_t bits64(double value) { uint64_t raw; memcpy(&raw, &value, 8); return raw; }

static void fill(modbus_mapping_t *map) {
    static const char text[] = "Floorgate \xc2\xb5" "2";
    for (int i = 0; i < SIZE; i++) {
        map->tab_bits[i] = i % 3 == 0;
        map->tab_input_bits[i] = i % 5 == 0;
        map->tab_input_registers[i] = 3 * i + 1;
    }
    for (int order = 0; order < 4; order++) {
        uint16_t *reg = map->tab_registers + 16 * order;
        put(reg, (uint16_t)-12345, 1, order & 2);
        put(reg + 64, 54321, 1, order & 2);
        put(reg + 128, (uint32_t)-123456789, 2, order);
        put(reg + 192, 3735928559u, 2, order);
        put(reg + 256, (uint64_t)-1234567890123456789ll, 4, order);
        put(reg + 320, 12345678901234567890ull, 4, order);
        put(reg + 384, bits32(3.14159274f), 2, order);
        put(reg + 448, bits64(-2.718281828459045), 4, order);
        for (int i = 0; i < (int)sizeof text; i++)
            reg[512 + i / 2] |= (uint8_t)text[i] << ((i & 1) == (order >> 1) ? 8 : 0);
    }
    for (int i = 0; i < 100; i++) put(map->tab_registers + 1100 + 2 * i, bits32(i + 0.5f), 2, 0);
}

static void refresh(modbus_mapping_t *map, uint32_t answered, time_t started) {
    put(map->tab_registers + 1000, answered, 2, 0);
    put(map->tab_registers + 1002, time(NULL) - started, 2, 0);
    for (int i = 0; i < 100; i++) put(map->tab_registers + 2000 + 2 * i, bits32(answered), 2, 0);
}

/* One unit of a serial line, until the port is gone. */
static int serve_line(const char *path, int unit) {
    modbus_t *modbus = modbus_new_rtu(path, 9600, 'N', 8, 1);
    modbus_mapping_t *map = modbus_mapping_new(SIZE, SIZE, SIZE, SIZE);
    if (!modbus || !map || modbus_set_slave(modbus, unit) || modbus_connect(modbus)) return perror(path), 1;
    modbus_set_error_recovery(modbus, MODBUS_ERROR_RECOVERY_PROTOCOL); /* after bytes that make no sense it listens anew */
    modbus_set_response_timeout(modbus, 0, 20000);
    fill(map);
    printf("ready 0\n");
    fflush(stdout);
    uint8_t request[MODBUS_RTU_MAX_ADU_LENGTH];
    uint32_t answered = 0;
    for (time_t started = time(NULL);;) {
        int size = modbus_receive(modbus, request);
        if (size > 0) {
            refresh(map, answered++, started);
            modbus_reply(modbus, request, size, map);
        } else if (size < 0 && errno < MODBUS_ENOBASE && errno != ETIMEDOUT) { /* a function it does not know is no end */
            return perror(path), 1;
        }
    }
}

int main(int argc, char **argv) {
    if (argc > 2) return serve_line(argv[1], atoi(argv[2]));
    modbus_t *modbus = modbus_new_tcp("127.0.0.1", argc > 1 ? atoi(argv[1]) : 0);
    modbus_mapping_t *map = modbus_mapping_new(SIZE, SIZE, SIZE, SIZE);
    int listener = modbus ? modbus_tcp_listen(modbus, 16) : -1;
    if (!map || listener < 0) return perror("modbus_server"), 1;
    fill(map);
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    getsockname(listener, (struct sockaddr *)&at, &length);
    printf("ready %d\n", ntohs(at.sin_port));
    fflush(stdout);
    fd_set open, readable;
    FD_ZERO(&open);
    FD_SET(listener, &open);
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    uint32_t answered = 0;
    for (time_t started = time(NULL);;) {
        readable = open;
        if (select(FD_SETSIZE, &readable, NULL, NULL, NULL) < 0) return perror("select"), 1;
        for (int fd = 0; fd < FD_SETSIZE; fd++) {
            if (!FD_ISSET(fd, &readable)) continue;
            if (fd == listener) {
                int client = accept(listener, NULL, NULL);
                if (client >= FD_SETSIZE) close(client);
                else if (client >= 0) FD_SET(client, &open);
                continue;
            }
            modbus_set_socket(modbus, fd);
            int size = modbus_receive(modbus, request);
            if (size > 0) {
                refresh(map, answered++, started);
                size = modbus_reply(modbus, request, size, map);
            }
            if (size < 0) close(fd), FD_CLR(fd, &open);
        }
    }
}
