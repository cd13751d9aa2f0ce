/* K2: calls whose bugs made most exploits. Source: bpf(2), userfaultfd(2), keyctl(2), add_key(2), perf_event_open(2).
 *
 * Keys go into the keyring of the calling process, which dies with it. */
#include "attempt.h"
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>

int main(void)
{
    union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_DUMMY};
    ATTEMPT("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
    ATTEMPT("userfaultfd", syscall(SYS_userfaultfd, 0));
    ATTEMPT("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1));
    ATTEMPT("add_key", syscall(SYS_add_key, "user", "name", "x", 1, KEY_SPEC_PROCESS_KEYRING));
    ATTEMPT("request_key", syscall(SYS_request_key, "user", "evaljob-nothing", NULL, 0));
    ATTEMPT("perf_event_open", syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
    return 0;
}
