package contract

import (
	"slices"
	"strings"
)

// who may call a function: anyone on the channel, a certificate of a role, or one whose organisation the model grants
// that role.
type who struct {
	roles   []string
	granted bool
}

var anyone = who{}

func certified(role string) who   { return who{[]string{role}, false} }
func granted(roles ...string) who { return who{roles, true} }

func (w who) allows(t *transaction, r Record) error {
	switch {
	case len(w.roles) == 0:
		return nil
	case !slices.Contains(w.roles, t.caller.Role):
		return refuse(Forbidden, "this needs the role %s; the certificate of %s says %q",
			strings.Join(w.roles, " or "), t.caller.Subject, t.caller.Role)
	case !w.granted:
		return nil
	}
	m, err := t.model(r.text("model"))
	if err != nil {
		return err
	}
	return demand(m.grants(t.caller.MSP, t.caller.Role), Forbidden,
		"%s grants %s nothing as %s", m.name, t.caller.MSP, t.caller.Role)
}

func (m model) grants(msp, role string) bool { return slices.Contains(m.holders(role), msp) }

// holders of a role are the organisations that it is granted to.
func (m model) holders(role string) []string {
	var msps []string
	for _, grant := range m.rules.objects("grants") {
		if grant.text("role") == role {
			msps = append(msps, grant.text("msp"))
		}
	}
	return msps
}

// anotherPerson holds a caller against who asked: someone else, and of another organisation as soon as two could approve.
func (m model) anotherPerson(asked Object) error {
	return first(
		demand(!m.caller.is(asked), Forbidden, "%s of %s asked for this: another person must decide", m.caller.Subject, m.caller.MSP),
		demand(len(m.holders(approver)) < 2 || m.caller.MSP != asked.text("msp"), Forbidden,
			"%s asked for this, and approvers of another organisation hold the grant: one of them must decide", asked.text("msp")),
	)
}

// governable refuses grants under which nobody could ever change the grants again.
func governable(grants []Object) error {
	for _, role := range []string{admin, operator, approver} {
		held := slices.ContainsFunc(grants, func(grant Object) bool { return grant.text("role") == role })
		if !held {
			return refuse(Refused, "nobody would be %s any more", role)
		}
	}
	return nil
}
