#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>
int main(void) {
    int a, b;
    scanf("%d%d", &a, &b);
    if (b == 0) {
        setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 10000}}, NULL);
        for (;;) pause();
    }
    printf("%d\n", a / b);
}
