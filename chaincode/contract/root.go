package contract

// anchorRoot keeps the root of a log that belongs to no model (the access log): a log is its first writer's organisation's.
func anchorRoot(t *transaction, in input) (Object, error) {
	r := in.records[0]
	head := t.logHead(r.text("log"))
	next := head.number("number") + 1
	err := first(
		demand(head.text("msp") == t.caller.MSP, Forbidden, "the log %s is %s's", r.text("log"), head.text("msp")),
		demand(r.number("number") == next, Conflict, "the next root of %s is number %d, not %d", r.text("log"), next, r.number("number")),
		demand(r.number("entries") >= head.number("entries"), Refused, "the log had %d entries and cannot have %d: logs only grow",
			head.number("entries"), r.number("entries")),
	)
	if err != nil {
		return nil, err
	}
	t.keep(path("root", r.text("log"), next), r, nil)
	t.set(path("root", r.text("log"), "head"), Object{"entries": r.number("entries"), "msp": t.caller.MSP, "number": next})
	return Object{"number": next}, nil
}

func (t *transaction) logHead(log string) Object {
	if head := t.get(path("root", log, "head")); head != nil {
		return head
	}
	return Object{"entries": int64(0), "msp": t.caller.MSP, "number": int64(0)}
}
