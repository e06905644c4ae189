package main

import "errors"

func check([]string) error { return errors.New("not built yet") }
