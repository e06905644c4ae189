package contract

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// kind says what a field may hold: it refuses a value, naming the place where it stands.
type kind func(value any, where string) error

type fields map[string]kind

func integerIn(low, high int64) kind {
	return func(value any, where string) error {
		n, ok := value.(int64)
		if !ok {
			return fmt.Errorf("%s is not an integer", where)
		}
		if n < low || n > high {
			return fmt.Errorf("%s is %d, not within %d to %d", where, n, low, high)
		}
		return nil
	}
}

func matching(pattern, what string) kind {
	grammar := regexp.MustCompile(`^(?:` + pattern + `)$`)
	return func(value any, where string) error {
		if s, ok := value.(string); !ok || !grammar.MatchString(s) {
			return fmt.Errorf("%s is not %s", where, what)
		}
		return nil
	}
}

func oneOf(words ...string) kind {
	return func(value any, where string) error {
		if s, ok := value.(string); !ok || !slices.Contains(words, s) {
			return fmt.Errorf("%s is not one of %s", where, strings.Join(words, " "))
		}
		return nil
	}
}

func aFlag(value any, where string) error {
	if _, ok := value.(bool); !ok {
		return fmt.Errorf("%s is not true or false", where)
	}
	return nil
}

// either tells the refusal of its first kind.
func either(kinds ...kind) kind {
	return func(value any, where string) error {
		for _, k := range kinds[1:] {
			if k(value, where) == nil {
				return nil
			}
		}
		return kinds[0](value, where)
	}
}

func arrayOf(item kind, low, high int) kind {
	return func(value any, where string) error {
		items, ok := value.([]any)
		if !ok {
			return fmt.Errorf("%s is not an array", where)
		}
		if len(items) < low || len(items) > high {
			return fmt.Errorf("%s has %d items, not %d to %d", where, len(items), low, high)
		}
		for i, v := range items {
			if err := item(v, fmt.Sprintf("%s[%d]", where, i)); err != nil {
				return err
			}
		}
		return nil
	}
}

// ascending wants items (or, of objects, the fields named by keys) to rise strictly: sorted, and none twice.
func ascending(items kind, keys ...string) kind {
	place := func(item any) []string {
		o, ok := item.(Object)
		if !ok {
			return []string{item.(string)}
		}
		values := make([]string, len(keys))
		for i, key := range keys {
			values[i] = o.text(key)
		}
		return values
	}
	return func(value any, where string) error {
		if err := items(value, where); err != nil {
			return err
		}
		all := value.([]any)
		for i := 1; i < len(all); i++ {
			if slices.Compare(place(all[i-1]), place(all[i])) >= 0 {
				return fmt.Errorf("%s is not sorted, or has an item twice", where)
			}
		}
		return nil
	}
}

// object wants all of the named fields, and others only when a kind for them is given.
func objectOf(named fields, others kind) kind { return objectWith(named, nil, others) }

// objectWith takes, besides the named fields, those of optional.
func objectWith(named, optional fields, others kind) kind {
	known := fields{}
	maps.Copy(known, named)
	maps.Copy(known, optional)
	return func(value any, where string) error {
		o, ok := value.(Object)
		if !ok {
			return fmt.Errorf("%s is not an object", where)
		}
		for _, name := range sortedKeys(named) {
			if _, there := o[name]; !there {
				return fmt.Errorf("%s lacks the field %s", where, name)
			}
		}
		return checkFields(o, known, others, where)
	}
}

func checkFields(o Object, known fields, others kind, where string) error {
	for _, name := range sortedKeys(o) {
		check, named := known[name]
		if !named {
			check = others
		}
		if check == nil {
			return fmt.Errorf("%s has a field %s that its schema does not know", where, name)
		}
		if err := check(o[name], where+"."+name); err != nil {
			return err
		}
	}
	return nil
}
