// Signals, preemption and more goroutines than threads (omegaup/omegajail#62, golang/go#37436).
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	usr := make(chan os.Signal, 4)
	signal.Notify(usr, syscall.SIGUSR2)
	results := make(chan int)
	for worker := 0; worker < 48; worker++ {
		go func() {
			sum := 0
			for i := 0; i <= 100000; i++ {
				sum += i % 3
			}
			results <- sum
		}()
	}
	total := 0
	for worker := 0; worker < 48; worker++ {
		total += <-results
	}
	self, _ := os.FindProcess(os.Getpid())
	self.Signal(syscall.SIGUSR2)
	<-usr
	<-time.After(10 * time.Millisecond)
	fmt.Println("total", total)
}
