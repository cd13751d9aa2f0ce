/* F1: what the node keeps for itself.
 *
 *   read_host PATH     PATH: a file that the tests have put beside the node's own */
#include "attempt.h"
#include <fcntl.h>

int main(int count, char **arguments)
{
    ATTEMPT("/etc/shadow", open("/etc/shadow", O_RDONLY));
    ATTEMPT("/root", open("/root", O_RDONLY));
    ATTEMPT("/var", open("/var", O_RDONLY));
    ATTEMPT("/run", open("/run", O_RDONLY));
    ATTEMPT("/boot", open("/boot", O_RDONLY));
    ATTEMPT("/opt", open("/opt", O_RDONLY));
    ATTEMPT("/srv", open("/srv", O_RDONLY));
    ATTEMPT("/mnt", open("/mnt", O_RDONLY));
    ATTEMPT("a secret", open(count > 1 ? arguments[1] : "/proc/self/exe", O_RDONLY));
    return 0;
}
