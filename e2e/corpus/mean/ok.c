#include <stdio.h>
int main(void) {
    double sum = 0, number;
    int count = 0;
    for (; scanf("%lf", &number) == 1; count++) sum += number;
    printf("%.9f\n", sum / count);  // 0 / 0 prints as -nan
}
