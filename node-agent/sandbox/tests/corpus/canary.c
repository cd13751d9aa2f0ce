/* The honest neighbour of a program that uses things up: adds the numbers that it reads. */
#include "attempt.h"

int main(void)
{
    long sum = 0, number;
    while (scanf("%ld", &number) == 1)
        sum += number;
    printf("%ld\n", sum);
    return 0;
}
