package contract

// model is what a transaction sees of one model: the rules in force, and the keys under which its states are.
type model struct {
	*transaction
	name  string
	rules Object // grants, keys, policy
}

func (t *transaction) model(name string) (model, error) {
	head := t.get(path("policy", name, "head"))
	if head == nil {
		return model{}, refuse(NotFound, "there is no model %s", name)
	}
	m := model{transaction: t, name: name}
	m.rules = m.rulesAt(head.number("number"))
	return m, nil
}

// ofModel makes a function of one record about a registered model.
func ofModel(run func(model, Record) (Object, error)) func(*transaction, input) (Object, error) {
	return func(t *transaction, in input) (Object, error) {
		m, err := t.model(in.records[0].text("model"))
		if err != nil {
			return nil, err
		}
		return run(m, in.records[0])
	}
}

func (m model) key(kind string, parts ...any) string {
	return path(append([]any{kind, m.name}, parts...)...)
}

func (m model) epoch() int64 { return m.get(m.key("epoch")).number("epoch") }

func registerModel(t *transaction, in input) (Object, error) {
	r, genesis := in.records[0], in.records[1]
	m := model{transaction: t, name: r.text("model"), rules: r.Object}
	err := first(
		demand(r.text("genesis") == t.genesis, Refused, "the record is for the ledger %s; this is %s", r.text("genesis"), t.genesis),
		demand(m.grants(t.caller.MSP, admin), Forbidden, "the record grants nothing as admin to %s", t.caller.MSP),
		demand(!t.has(m.key("model")), Conflict, "there is a model %s already, made by another record", m.name),
		demand(r.text("version") == genesis.ID, Refused, "the model names version %s; the version given is %s", r.text("version"), genesis.ID),
		genesisFits(m, genesis),
		rulesFit(r.Object),
	)
	if err != nil {
		return nil, err
	}
	m.start(r, genesis)
	return Object{"version": genesis.ID, "number": 0, "seq": 0}, nil
}

func (m model) start(r, genesis Record) {
	m.keep(m.key("model"), r, nil)
	m.keep(m.key("policy", 1), r, nil)
	m.set(m.key("policy", "head"), Object{"number": 1})
	m.set(m.key("epoch"), Object{"epoch": 0})
	m.setJudge(unjudged)
	m.set(m.key("round", "head"), Object{"number": 0, "open": false})
	m.set(m.key("rollback", "open"), Object{"request": ""})
	m.addVersion(genesis)
	m.live(genesis.ID)
	m.keep(m.key("pointer", 0), r, Object{"epoch": 0, "kind": "genesis", "move": 0, "reason_code": "", "seq": 0, "to": genesis.ID})
	m.set(m.key("pointer", "head"), Object{"frozen": false, "kind": "genesis", "move": 0, "seq": 0, "to": genesis.ID})
}
