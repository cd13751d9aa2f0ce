//go:build tools

// Package tools pins cert-manager's controller. 1.11 is the last minor whose programs are part of its module.
package tools

import _ "github.com/cert-manager/cert-manager/cmd/controller"
