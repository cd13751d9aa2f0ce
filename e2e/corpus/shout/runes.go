package main

import (
	"bufio"
	"os"
)

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	for {
		c, _, err := in.ReadRune() // what is not UTF-8 becomes U+FFFD
		if err != nil {
			break
		}
		if c >= 'a' && c <= 'z' {
			c -= 32
		}
		out.WriteRune(c)
	}
	out.Flush()
}
