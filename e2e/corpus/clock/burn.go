package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

func main() {
	goal, _ := strconv.ParseInt(os.Args[1], 10, 64)
	for {
		var used syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &used)
		if (used.Utime.Nano()+used.Stime.Nano())/1e6 >= goal {
			break
		}
	}
	fmt.Println("done")
}
