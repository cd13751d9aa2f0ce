package main

import "fmt"

func main() {
	counts := map[string]int{}
	for word := ""; ; {
		if _, err := fmt.Scan(&word); err != nil {
			break
		}
		counts[word]++
	}
	for word, count := range counts { // another order in each run
		fmt.Println(word, count)
	}
}
