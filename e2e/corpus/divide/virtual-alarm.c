#include <stdio.h>
#include <sys/time.h>
int main(void) {
    int a, b;
    scanf("%d%d", &a, &b);
    if (b == 0) {
        setitimer(ITIMER_VIRTUAL, &(struct itimerval){.it_value = {0, 10000}}, NULL);
        for (volatile int n = 0;; n++) {}
    }
    printf("%d\n", a / b);
}
