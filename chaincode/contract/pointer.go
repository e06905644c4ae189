package contract

// pointer says which version is live. Move is the number of the newest move that was no freeze or resume.
type pointer struct {
	to        string
	seq, move int64
	frozen    bool
}

func (m model) pointer() pointer {
	head := m.get(m.key("pointer", "head"))
	return pointer{head.text("to"), head.number("seq"), head.number("move"), head.flag("frozen")}
}

func (m model) notFrozen() error {
	return demand(!m.pointer().frozen, Refused, "%s is frozen", m.name)
}

// expects is the compare of a compare-and-swap: nobody has moved the pointer since the record was written.
func (p pointer) expects(r Record) error {
	return demand(r.number("expected_seq") == p.move, Conflict,
		"the pointer's newest move is %d, not %d", p.move, r.number("expected_seq"))
}

// advance writes the next move. History only grows: a rollback is one more move forward.
func (m model) advance(r Record, kind string, p pointer, epoch int64, reason string) int64 {
	p.seq++
	if kind == "promote" || kind == "rollback" {
		p.move = p.seq
	}
	m.keep(m.key("pointer", p.seq), r, Object{
		"epoch": epoch, "kind": kind, "move": p.move, "reason_code": reason, "seq": p.seq, "to": p.to,
	})
	m.set(m.key("pointer", "head"), Object{"frozen": p.frozen, "kind": kind, "move": p.move, "seq": p.seq, "to": p.to})
	return p.seq
}
