/* R8: output without end: large blocks, both streams, one line, single bytes. Source: write(2).
 *
 *   output_flood blocks|bytes [KIB]       KIB: so much only */
#include "attempt.h"

int main(int count, char **arguments)
{
    static char block[1 << 20];
    int bytes = count > 1 && !strcmp(arguments[1], "bytes");
    long left = count > 2 ? atol(arguments[2]) << 10 : -1;
    memset(block, 'x', sizeof block);
    for (unsigned turn = 0; left; turn++) {
        long size = bytes ? 1 : left > 0 && left < (long)sizeof block ? left : (long)sizeof block;
        long done = write(bytes ? 1 : 1 + turn % 2, block, size);
        if (done > 0 && left > 0)
            left -= done;
    }
    return 0;
}
